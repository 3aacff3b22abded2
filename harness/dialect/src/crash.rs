//! What firmware and operating systems print when they end by themselves.

use trace::RestartCause;

use crate::Head;

/// How the line begins with which a crash is told.
const CRASHES: [(&str, RestartCause); 29] = [
    // ESP-IDF (esp_system/panic.c and around it).
    ("Guru Meditation Error", RestartCause::Panic),
    ("abort() was called at PC", RestartCause::Panic),
    ("assert failed:", RestartCause::Panic),
    ("***ERROR*** A stack overflow in task", RestartCause::Panic),
    ("Stack smashing protect failure!", RestartCause::Panic),
    ("CORRUPT HEAP:", RestartCause::Panic),
    ("Mem alloc fail. size 0x", RestartCause::Panic),
    ("ESP_ERROR_CHECK failed:", RestartCause::Panic),
    ("Brownout detector was triggered", RestartCause::Brownout),
    // ESP8266: the Arduino core, NONOS, RTOS SDK.
    (
        "--------------- CUT HERE FOR EXCEPTION DECODER",
        RestartCause::Panic,
    ),
    ("Soft WDT reset", RestartCause::Watchdog),
    ("Exception (", RestartCause::Panic),
    ("Fatal exception ", RestartCause::Panic),
    ("Fatal exception(", RestartCause::Panic),
    ("Unhandled C++ exception:", RestartCause::Panic),
    ("Abort called", RestartCause::Panic),
    ("Stack overflow detected", RestartCause::Panic),
    ("Generic Reset", RestartCause::Unknown),
    // Rust: std, esp-backtrace, esp-hal.
    (
        "====================== PANIC ======================",
        RestartCause::Panic,
    ),
    ("panicked at ", RestartCause::Panic),
    ("!! A panic occured in '", RestartCause::Panic),
    ("Exception occured '", RestartCause::Panic),
    ("Exception occurred on ", RestartCause::Panic),
    ("[ProCpu] Exception '", RestartCause::Panic),
    ("[AppCpu] Exception '", RestartCause::Panic),
    ("[ProCpu] Stack overflow detected", RestartCause::Panic),
    ("[AppCpu] Stack overflow detected", RestartCause::Panic),
    // Zephyr.
    (">>> ZEPHYR FATAL ERROR", RestartCause::Panic),
    ("ASSERTION FAIL [", RestartCause::Panic),
];

/// Lines whose middle tells, too: how they begin, and what they hold behind that.
const HOLDING: [(&str, &str); 6] = [
    ("assertion \"", "\" failed: file \""),
    ("thread '", " panicked at "),
    ("***** ", " FAULT *****"),
    ("***** ", " ERROR *****"),
    ("Task stack [", "] stack from ["),
    ("Panic ", ": Assertion '"),
];

/// Why the firmware ends, if `text` says that it does.
pub(crate) fn cause(text: &str) -> Option<RestartCause> {
    if let Some((_, cause)) = CRASHES.iter().find(|(begin, _)| text.starts_with(begin)) {
        let is_watchdog = *cause == RestartCause::Panic && text.contains("wdt timeout");
        return Some(match is_watchdog {
            true => RestartCause::Watchdog,
            false => *cause,
        });
    }
    let holds = |(begin, middle): &(&str, &str)| {
        text.strip_prefix(begin)
            .is_some_and(|rest| rest.contains(middle))
    };
    HOLDING.iter().any(holds).then_some(RestartCause::Panic)
}

/// The same of a record. An application may write about crashes; these are the system's own.
pub(crate) fn cause_in(head: &Head<'_>) -> Option<RestartCause> {
    // Without the panic that the watchdog may be configured to, it only tells of itself.
    if head.tag == Some("task_wdt") && head.text.trim_end() == "Aborting." {
        return Some(RestartCause::Watchdog);
    }
    let is_system = match head.dialect {
        crate::Dialect::Zephyr => head
            .tag
            .is_none_or(|tag| tag == "os" || tag.starts_with("os.")),
        crate::Dialect::ZephyrMinimal => true,
        crate::Dialect::EspIdf => head.tag == Some("BOD"),
        _ => false,
    };
    is_system.then(|| cause(head.text.trim_start())).flatten()
}

/// Rows that belong to a crash, by how they begin.
const ROWS: [&str; 31] = [
    "Backtrace:",
    "Stack memory:",
    "ELF file SHA256:",
    "Rebooting...",
    "Rebooting in ",
    "CPU halted.",
    "Entering gdb stub now.",
    "Setting breakpoint at 0x",
    "Panic handler entered multiple times.",
    "Re-entered core dump!",
    "Debug exception reason:",
    "Cache disabled but cached memory region accessed",
    "Detected in task \"",
    "Stack pointer:",
    "Stack bounds:",
    "Memory dump at 0x",
    "file: \"",
    "func: ",
    "expression: ",
    "epc1=0x",
    ">>>stack>>>",
    "<<<stack<<<",
    "ctx: ",
    "last failed alloc call:",
    "No backtrace available - make sure to force frame-pointers",
    "STACKDUMP: ",
    "Illegal use of the ",
    "Faulting instruction address (r15/pc):",
    "Current thread: 0x",
    "Halting system",
    "Backtrace ended abruptly",
];

/// Whether `text` is a row of what is printed after a crash: registers, stack, backtrace.
pub(crate) fn is_row(text: &str) -> bool {
    ROWS.iter().any(|begin| text.starts_with(begin))
        || is_core(text)
        || is_registers(text)
        || is_stack(text)
}

/// `Core  0 register dump:`, `Core  0 was running in ISR context:`
fn is_core(text: &str) -> bool {
    let number = text.strip_prefix("Core ").map(str::trim_start);
    let rest = number.and_then(|rest| rest.split_once(' '));
    rest.is_some_and(|(number, rest)| {
        number.bytes().all(|byte| byte.is_ascii_digit())
            && (rest.starts_with("register dump:") || rest.starts_with("was running in ISR"))
    })
}

/// `PC      : 0x400d1234  PS      : 0x00060030`, and Zephyr's `r0/a1:  0x00000000`.
fn is_registers(text: &str) -> bool {
    let Some((name, rest)) = text.split_once(':') else {
        return false;
    };
    let name = name.trim_end();
    let is_name = (1..=12).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_[]".contains(&byte));
    let value = rest.trim_start().strip_prefix("0x");
    is_name && value.is_some_and(|value| is_word(value.get(..8).unwrap_or_default()))
}

/// `3fc8f4c0: 0x00000000 0x..`, and the ESP8266's `3ffffdf0:  00000000 3ffe8544`.
fn is_stack(text: &str) -> bool {
    let Some((address, rest)) = text.split_once(": ") else {
        return text.len() == 10 && text.strip_prefix("0x").is_some_and(is_word);
    };
    let first = rest.split_ascii_whitespace().next().unwrap_or_default();
    let address = address.strip_prefix("0x").unwrap_or(address);
    address == "sp" && is_word(first)
        || is_word(address) && is_word(first.strip_prefix("0x").unwrap_or(first))
}

/// Eight hexadecimal digits.
fn is_word(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
