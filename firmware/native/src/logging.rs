//! The device's log, sent over the tether.

use std::cell::RefCell;
use std::rc::Rc;

use airlink::tether::FromDevice;
use log::{LevelFilter, Log, Metadata, Record};

use crate::Tether;
use crate::time::now_us;

/// The firmware's own crates.
const FIRMWARE: [&str; 6] = [
    "device",
    "native",
    "virtual_parts",
    "factory",
    "proto",
    "airlink",
];
/// Bytes of one text; what is longer is cut off, as by a device's line buffer.
const LONGEST_TEXT: usize = 8 * 1024;

thread_local! {
    static TETHER: RefCell<Option<Rc<Tether>>> = const { RefCell::new(None) };
}

struct TetherLog;

/// Sends the log of this thread over `tether`.
pub fn log_to(tether: &Rc<Tether>) {
    TETHER.set(Some(tether.clone()));
    // Another logger can only be there in a test.
    if log::set_logger(&TetherLog).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// Writes what is queued on the tether.
pub fn flush() {
    with_tether(|tether| {
        // A closed tether ends the process at its next turn.
        let _ = tether.flush();
    });
}

/// Logs a panic as an error, if the tether can still be used.
pub fn log_in_panic(text: &str) {
    with_tether(|tether| {
        if !tether.in_use() {
            send(tether, log::Level::Error, "panic", text.to_owned());
        }
    });
}

impl Log for TetherLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Debug
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || !is_firmware(record) {
            return;
        }
        with_tether(|tether| {
            let text = record.args().to_string();
            send(tether, record.level(), record.target(), text);
        });
    }

    fn flush(&self) {
        flush();
    }
}

/// Sent at once: who watches must not wait for the end of a long computation, and a device that
/// is killed in one has still said what it said.
fn send(tether: &Tether, level: log::Level, tag: &str, mut text: String) {
    text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    tether.send(&FromDevice::Log {
        level: level as u8,
        tag: tag.to_owned(),
        text,
        device_ms: now_us() / 1000,
    });
    // A closed tether ends the process at its next turn.
    let _ = tether.flush();
}

/// Firmware names the component that logs. Libraries in the same binary log under their modules'
/// names, and no device prints that.
fn is_firmware(record: &Record<'_>) -> bool {
    let module = record.module_path().unwrap_or_default();
    let own = module
        .split("::")
        .next()
        .is_some_and(|name| FIRMWARE.contains(&name));
    own || record.target() != module
}

fn with_tether(act: impl FnOnce(&Tether)) {
    // Fails only while the thread is being taken down.
    let _ = TETHER.try_with(|tether| {
        if let Ok(tether) = tether.try_borrow()
            && let Some(tether) = &*tether
        {
            act(tether);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_not_heard() {
        let heard = |target, module| {
            let record = Record::builder()
                .target(target)
                .module_path(Some(module))
                .build();
            is_firmware(&record)
        };
        assert!(heard("wifi_prov_mgr", "device::provisioning::service"));
        assert!(heard("device::boot", "device::boot"));
        assert!(heard("app", "another_firmware"));
        assert!(!heard("rustls::client::hs", "rustls::client::hs"));
        assert!(!heard("devices::other", "devices::other"));
    }
}
