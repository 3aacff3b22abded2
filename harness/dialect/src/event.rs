//! Resets and crashes that a log tells of.

use trace::RestartCause;

/// What a line tells, beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chip was reset: a line of its ROM.
    Reset(RestartCause),
    /// The firmware ends by itself.
    Crash(RestartCause),
}

/// What the firmware or its operating system prints when it ends, at the beginning of a line.
const CRASHES: [(&str, RestartCause); 16] = [
    ("Guru Meditation Error", RestartCause::Panic),
    ("abort() was called at PC", RestartCause::Panic),
    ("assert failed:", RestartCause::Panic),
    ("***ERROR*** A stack overflow in task", RestartCause::Panic),
    ("Stack smashing protect failure!", RestartCause::Panic),
    ("CORRUPT HEAP:", RestartCause::Panic),
    ("ESP_ERROR_CHECK failed:", RestartCause::Panic),
    ("Brownout detector was triggered", RestartCause::Brownout),
    ("Soft WDT reset", RestartCause::Watchdog),
    ("Exception (", RestartCause::Panic),
    ("Fatal exception ", RestartCause::Panic),
    ("Unhandled C++ exception:", RestartCause::Panic),
    ("Stack overflow detected", RestartCause::Panic),
    ("panicked at ", RestartCause::Panic),
    (">>> ZEPHYR FATAL ERROR", RestartCause::Panic),
    ("ASSERTION FAIL [", RestartCause::Panic),
];

/// What `text`, a record's text or a line without head, tells.
pub fn event(text: &str) -> Option<Event> {
    let text = text.trim_start();
    if let Some(cause) = esp_rom(text).or_else(|| esp8266_rom(text)) {
        return Some(Event::Reset(cause));
    }
    let crash = CRASHES.iter().find(|(begin, _)| text.starts_with(begin));
    if let Some((_, cause)) = crash {
        let is_watchdog = *cause == RestartCause::Panic && text.contains("wdt timeout");
        return Some(Event::Crash(if is_watchdog {
            RestartCause::Watchdog
        } else {
            *cause
        }));
    }
    let newlib = text.starts_with("assertion \"") && text.contains("\" failed: file \"");
    let rust = text.starts_with("thread '") && text.contains("' panicked at ");
    (newlib || rust).then_some(Event::Crash(RestartCause::Panic))
}

/// `rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)`. The low-power core's
/// `rst:0x14 (SW_RST), wakeup:` has numbers of its own and is no reset of the chip. The same number
/// says other things on other chips; the name decides.
fn esp_rom(text: &str) -> Option<RestartCause> {
    let (number, rest) = text.strip_prefix("rst:0x")?.split_once(" (")?;
    let (name, rest) = rest.split_once(')')?;
    let number = u8::from_str_radix(number, 16).ok()?;
    if rest.starts_with(", wakeup") {
        return None;
    }
    let has = |part: &str| name.contains(part);
    Some(if has("BROWN") || has("BOD") {
        RestartCause::Brownout
    } else if has("WDT") {
        RestartCause::Watchdog
    } else if has("POWERON") {
        RestartCause::PowerOn
    } else if has("SLEEP") || has("DSLEEP") {
        RestartCause::DeepSleep
    } else if has("USB_UART") || has("USB_JTAG") || has("EXT_CPU") || has("JTAG") {
        RestartCause::External
    } else if has("SW_") || has("SW_CPU") {
        RestartCause::Software
    } else {
        match number {
            1 => RestartCause::PowerOn,
            3 | 12 => RestartCause::Software,
            _ => RestartCause::Unknown,
        }
    })
}

/// `ets Jan  8 2013,rst cause:4, boot mode:(3,6)`
fn esp8266_rom(text: &str) -> Option<RestartCause> {
    let (_, rest) = text.strip_prefix("ets Jan ")?.split_once("rst cause:")?;
    let (number, _) = rest.split_once(',')?;
    Some(match number {
        "1" => RestartCause::PowerOn,
        "2" => RestartCause::External,
        "3" => RestartCause::Software,
        "4" => RestartCause::Watchdog,
        _ => RestartCause::Unknown,
    })
}
