//! What ROMs print when a chip starts: who it is, and why it was reset.

use trace::RestartCause;

/// A chip, as its ROM names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chip {
    /// ESP32.
    Esp32,
    /// ESP32-S2.
    Esp32S2,
    /// ESP32-S3.
    Esp32S3,
    /// ESP32-C2, whose ROM calls itself ESP8684.
    Esp32C2,
    /// ESP32-C3.
    Esp32C3,
    /// ESP32-C5.
    Esp32C5,
    /// ESP32-C6.
    Esp32C6,
    /// ESP32-C61.
    Esp32C61,
    /// ESP32-H2.
    Esp32H2,
    /// ESP32-P4.
    Esp32P4,
}

/// Names in the banner `ESP-ROM:esp32s3-20210327`. What follows differs between revisions.
const NAMES: [(&str, Chip); 9] = [
    ("esp32s2-", Chip::Esp32S2),
    ("esp32s3-", Chip::Esp32S3),
    ("esp8684-", Chip::Esp32C2),
    ("esp32c3-", Chip::Esp32C3),
    ("esp32c5-", Chip::Esp32C5),
    ("esp32c6-", Chip::Esp32C6),
    ("esp32c61-", Chip::Esp32C61),
    ("esp32h2-", Chip::Esp32H2),
    ("esp32p4-", Chip::Esp32P4),
];

/// The ESP32's ROM prints no name but the day on which it was built.
const ESP32_BUILDS: [&str; 2] = ["ets Jun  8 2016", "ets Jul 29 2019"];

/// What the names of reset reasons have in common, in the order in which it is looked for.
const REASONS: [(&str, RestartCause); 15] = [
    ("BROWN", RestartCause::Brownout),
    ("BOD", RestartCause::Brownout),
    ("WDT", RestartCause::Watchdog),
    ("POWERON", RestartCause::PowerOn),
    ("SLEEP", RestartCause::DeepSleep),
    ("PWR_DOWN", RestartCause::DeepSleep),
    ("USB_UART", RestartCause::External),
    ("JTAG", RestartCause::External),
    ("EXT_CPU", RestartCause::External),
    ("SDIO", RestartCause::External),
    ("GLITCH", RestartCause::Glitch),
    ("LOCKUP", RestartCause::Lockup),
    ("EFUSE", RestartCause::Unknown),
    ("INTRUSION", RestartCause::Unknown),
    ("SW_", RestartCause::Software),
];

impl Chip {
    /// The chip that a line of a ROM names.
    pub fn named_in(text: &str) -> Option<Self> {
        let text = text.trim_start();
        if let Some(name) = text.strip_prefix("ESP-ROM:") {
            let chip = NAMES.iter().find(|(begin, _)| name.starts_with(begin));
            return chip.map(|(_, chip)| *chip);
        }
        let is_esp32 = ESP32_BUILDS.iter().any(|build| text.starts_with(build));
        (is_esp32 && !text.contains("rst cause:")).then_some(Self::Esp32)
    }

    /// Why this chip was reset, by the number that its ROM prints (ESP-IDF 5.5,
    /// soc/*/include/soc/reset_reasons.h). The same number says other things on other chips.
    pub fn reason(self, number: u8) -> RestartCause {
        use Chip::{Esp32, Esp32C2, Esp32C3, Esp32C5, Esp32C61, Esp32H2, Esp32P4, Esp32S3};
        match (number, self) {
            (1, _) => RestartCause::PowerOn,
            (3 | 12, _) => RestartCause::Software,
            (5, _) => RestartCause::DeepSleep,
            (4 | 7 | 8 | 9 | 11 | 13 | 16 | 17 | 18, _) => RestartCause::Watchdog,
            (15, _) => RestartCause::Brownout,
            (6, _) | (14, Esp32) => RestartCause::External,
            // On a P4 of its supply, on the others of their clock.
            (19, _) => RestartCause::Glitch,
            (23, Esp32P4) => RestartCause::External,
            (23, Esp32S3 | Esp32C3 | Esp32H2) | (25, Esp32C5) => RestartCause::Glitch,
            (24, Esp32C2) | (21 | 22 | 24, _) => RestartCause::External,
            (25, Esp32C61) => RestartCause::Brownout,
            (26, _) => RestartCause::Lockup,
            (27, Esp32P4) => RestartCause::Glitch,
            _ => RestartCause::Unknown,
        }
    }
}

/// Why the chip was reset, if `text` is the line of its ROM that says so. The name decides; a number
/// that has an unknown name is looked up for the chip, if that is known.
pub(crate) fn cause(text: &str, chip: Option<Chip>) -> Option<RestartCause> {
    esp(text, chip).or_else(|| esp8266(text))
}

/// `rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)`. The P4's low-power core prints
/// `rst:0x14 (SW_RST), wakeup:0x40000` with numbers of its own, which is no reset of the chip.
fn esp(text: &str, chip: Option<Chip>) -> Option<RestartCause> {
    let (number, rest) = text.strip_prefix("rst:0x")?.split_once(" (")?;
    let (name, rest) = rest.split_once(')')?;
    let number = u8::from_str_radix(number, 16).ok()?;
    if rest.starts_with(", wakeup") {
        return None;
    }
    let named = REASONS.iter().find(|(part, _)| name.contains(part));
    Some(match (named, chip) {
        (Some((_, cause)), _) => *cause,
        (None, Some(chip)) => chip.reason(number),
        (None, None) => match number {
            1 => RestartCause::PowerOn,
            3 | 12 => RestartCause::Software,
            _ => RestartCause::Unknown,
        },
    })
}

/// ` ets Jan  8 2013,rst cause:4, boot mode:(3,6)`
fn esp8266(text: &str) -> Option<RestartCause> {
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
