//! Starts of a firmware that only its own lines tell of: no ROM has said so, or at a rate at which nothing
//! could be read.

use dialect::Dialect;

use super::record::Record;

/// A device whose clock shows less has started a moment ago.
const YOUNG_MS: u64 = 5_000;
/// From here on, a clock of 32 bits goes on at 0 without a restart.
const WRAP_MS: u64 = u32::MAX as u64 - 60_000;

/// What is known of a firmware's starts since the board was started.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// The start that was asked for was heard.
    heard: bool,
    /// The firmware has said something since its last start.
    ran: bool,
    /// What its clock showed last, in which format.
    last: Option<(Dialect, u64)>,
}

impl Starts {
    /// A ROM has told of a start, or the board was switched.
    pub fn begin(&mut self, heard: bool) {
        *self = Self {
            heard,
            ..Self::default()
        };
    }

    /// Takes a record. True if it tells of a start that was not asked for.
    pub fn hear(&mut self, record: &Record) -> bool {
        let young = record.line.device_ms.is_some_and(|ms| ms < YOUNG_MS);
        let again = self.ran && is_first(record) || self.is_fallen(record);
        let unasked = again && self.heard;
        if again || is_first(record) {
            self.begin(true);
        }
        self.heard |= young;
        self.ran |= record.dialect.is_some() && !is_first(record);
        if let (Some(dialect), Some(ms)) = (record.dialect, record.line.device_ms) {
            self.last = Some((dialect, ms));
        }
        unasked
    }

    /// Whether the device's clock has fallen to that of a device which has just started. AliOS wraps its
    /// clock after 1000 s; other formats tell no time since a start.
    fn is_fallen(&self, record: &Record) -> bool {
        let (Some((dialect, last)), Some(ms)) = (self.last, record.line.device_ms) else {
            return false;
        };
        let counts = matches!(
            dialect,
            Dialect::EspIdf | Dialect::Arduino | Dialect::Zephyr | Dialect::NuttX
        );
        counts
            && record.dialect == Some(dialect)
            && (YOUNG_MS..WRAP_MS).contains(&last)
            && ms < YOUNG_MS
    }
}

/// Whether a record is the first of a boot loader or of an operating system.
fn is_first(record: &Record) -> bool {
    let text = record.line.text.trim_start();
    match record.dialect {
        Some(Dialect::EspIdf) => record.line.tag == "boot" && text.starts_with("ESP-IDF "),
        Some(_) => false,
        None => text.starts_with("*** Booting "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::SerialLog;
    use crate::serial::Records;

    fn starts(log: &str) -> Vec<String> {
        let mut starts = Starts::default();
        let mut told = Vec::new();
        let mut records = Records::new(SerialLog::Auto);
        let mut give = |record: Record| {
            if matches!(record.event, Some(dialect::Event::Reset(_))) {
                starts.begin(true);
            } else if starts.hear(&record) {
                told.push(record.line.text);
            }
        };
        records.push(log.as_bytes(), &mut give);
        records.flush(&mut give);
        told
    }

    #[test]
    fn a_clock_that_falls_is_a_restart() {
        let log = "I (300) app: up\nI (9000) app: a\nI (310) app: again\nI (400) app: b\n";
        assert_eq!(starts(log), ["again"]);
        let log = "[   300][I][a.c:1] f(): up\n[ 70000][I][a.c:1] f(): a\n[   310][I][a.c:1] f(): again\n";
        assert_eq!(starts(log), ["again"]);
        let log = "[00:00:00.300,000] <inf> a: up\n[00:10:00.000,000] <inf> a: b\n[00:00:00.310,000] <inf> a: again\n";
        assert_eq!(starts(log), ["again"]);
    }

    #[test]
    fn a_first_line_that_comes_again_is_a_restart() {
        let boot = "I (27) boot: ESP-IDF v5.5 2nd stage bootloader\nI (31) boot: chip revision: v3.0\nI (300) app: up\n";
        assert_eq!(starts(&boot.repeat(3)).len(), 2);
        let zephyr = "*** Booting Zephyr OS build v4.4.0 ***\n<inf> app: up\n";
        assert_eq!(
            starts(&zephyr.repeat(2)),
            ["*** Booting Zephyr OS build v4.4.0 ***"]
        );
    }

    #[test]
    fn a_clock_that_falls_for_other_reasons_is_none() {
        for log in [
            // From the boot loader to the application.
            "I (27) boot: ESP-IDF v5.5 2nd stage bootloader\nI (900) boot: x\nI (12) cpu_start: Multicore app\n",
            // AliOS's clock wraps after 1000 s, one of 32 bits after 49 days.
            "[000300]<I> up\n[999990]<I> a\n[000010]<I> b\n",
            "I (300) app: up\nI (4294967290) app: a\nI (10) app: b\n",
            // A clock that shows the time of day.
            "I (00:00:01.000) app: up\nI (23:59:59.999) app: a\nI (00:00:00.001) app: b\n",
            // A ROM has told of it.
            "I (300) app: up\nI (9000) app: a\nrst:0x1 (POWERON),boot:0x8 (X)\nI (27) boot: ESP-IDF v5.5 2nd stage bootloader\nI (300) app: up\n",
            // The firmware ran before the board was started, which was asked for.
            "I (90000) app: old\nI (300) app: up\n",
        ] {
            assert_eq!(starts(log), Vec::<String>::new(), "{log}");
        }
    }
}
