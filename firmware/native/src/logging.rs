//! The device's log, sent over the tether.

use std::cell::RefCell;
use std::rc::Rc;

use airlink::tether::FromDevice;
use log::{LevelFilter, Log, Metadata, Record};

use crate::Tether;
use crate::time::now_us;

/// The firmware's own crates. Others in the same binary may log too, but no device prints that.
const FIRMWARE: [&str; 5] = ["device", "native", "factory", "proto", "airlink"];
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
        if !self.enabled(record.metadata()) || !is_firmware(record.module_path()) {
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

fn is_firmware(module: Option<&str>) -> bool {
    let name = module.and_then(|path| path.split("::").next());
    name.is_some_and(|name| FIRMWARE.contains(&name))
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
    fn only_the_firmwares_own_crates_are_heard() {
        assert!(is_firmware(Some("device::provisioning::service")));
        assert!(is_firmware(Some("native")));
        assert!(!is_firmware(Some("rustls::client::hs")));
        assert!(!is_firmware(Some("devices::other")));
        assert!(!is_firmware(None));
    }
}
