//! What a board and its log owe.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// Two cores may print a little out of order (ESP-IDF logging, dual-core chips).
const CORES_APART_MS: u64 = 10;
/// Over less, the two clocks are not compared.
const SHORTEST_COMPARED: Duration = Duration::from_secs(30);

/// So long after a start lines of the run before may still come: a board is told to start anew before it does.
const EARLIER_WITHIN: Duration = Duration::from_secs(10);
/// What clocks and the way of a line may be apart.
const APART_MS: u64 = 1000;

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "device-time-never-falls",
        needs: &[],
        says: "the time that a device prints never goes back while it is not started anew",
        source: "ESP-IDF logging: esp_log_timestamp counts from the boot",
        reads: since_boot![(Source::Log, "line"),],
        watch: |_| Some(Box::<Falls>::default()),
    },
    Contract {
        id: "device-time-runs-true",
        needs: &[Sight::Clock],
        says: "over half a minute and more, the device's clock and the lab's agree within 2 %",
        source: "house: crystals are good to 0.01 %",
        reads: since_boot![(Source::Log, "line"),],
        watch: |_| Some(Box::<Drift>::default()),
    },
    Contract {
        id: "firmware-does-not-end",
        needs: &[],
        says: "firmware does not end by itself, and no panic, watchdog or lock-up starts it anew",
        source: "house: whatever anybody sends it, a device goes on; ESP-IDF esp_system: ESP_RST_PANIC, ESP_RST_WDT",
        reads: since_boot![],
        watch: |_| Some(Box::new(DoesNotEnd)),
    },
    Contract {
        id: "link-carries-no-garbage",
        needs: &[],
        says: "a device sends nothing that its link does not know",
        source: "house",
        reads: &[(Source::Board, "garbage"), (Source::Board, "power")],
        watch: |_| Some(Box::new(Garbage)),
    },
];

/// When each device was started, until a line of that run has come.
#[derive(Default)]
struct Starts(BTreeMap<String, LabTime>);

impl Starts {
    fn starts(&mut self, event: &Event) {
        self.0.insert(device(event).to_owned(), event.at());
    }

    /// Whether a line that shows so many milliseconds is of the run before: the one that has been told to begin
    /// cannot be so old.
    fn is_earlier(&mut self, event: &Event, ms: u64) -> bool {
        let Some(&at) = self.0.get(device(event)) else {
            return false;
        };
        let since = event.at() - at;
        let age = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let is_earlier = since < EARLIER_WITHIN && ms > age + APART_MS;
        if !is_earlier {
            self.0.remove(device(event));
        }
        is_earlier
    }
}

/// Highest time printed since the boot, and by which event.
#[derive(Default)]
struct Falls {
    highest: BTreeMap<String, (u64, u64)>,
    starts: Starts,
}

impl Watch for Falls {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.highest.remove(device(event));
            self.starts.starts(event);
            return;
        }
        let Some(ms) = number(event, "/device_ms") else {
            return;
        };
        if self.starts.is_earlier(event, ms) {
            return;
        }
        if let Some(&(last, seq)) = self.highest.get(device(event)) {
            found.check(
                ms + CORES_APART_MS >= last,
                || format!("{last} ms, and {ms} ms after it"),
                [seq, event.seq],
            );
        }
        let entry = self.highest.entry(device(event).to_owned()).or_default();
        if ms >= entry.0 {
            *entry = (ms, event.seq);
        }
    }
}

/// First line since the boot: device's time, lab's time, event.
#[derive(Default)]
struct Drift {
    first: BTreeMap<String, (u64, LabTime, u64)>,
    starts: Starts,
}

impl Watch for Drift {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.first.remove(device(event));
            self.starts.starts(event);
            return;
        }
        let Some(ms) = number(event, "/device_ms") else {
            return;
        };
        if self.starts.is_earlier(event, ms) {
            return;
        }
        let begun = (ms, event.at(), event.seq);
        let &mut (first_ms, first_at, first) =
            self.first.entry(device(event).to_owned()).or_insert(begun);
        let lab = event.at() - first_at;
        if lab < SHORTEST_COMPARED {
            return;
        }
        let printed = Duration::from_millis(ms.saturating_sub(first_ms));
        let apart = lab.abs_diff(printed);
        found.check(
            apart <= lab / 50,
            || format!("{lab:.1?} in the lab, {printed:.1?} by the device's clock"),
            [first, event.seq],
        );
        // The next stretch begins here, so that no error hides in a long run.
        self.first.insert(device(event).to_owned(), begun);
    }
}

/// Reasons for a start that no firmware means.
const UNMEANT: [&str; 3] = ["panic", "watchdog", "lockup"];

struct DoesNotEnd;

impl Watch for DoesNotEnd {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let cause = text(event, "/cause").unwrap_or_default();
        match &*event.kind {
            "exited" => {
                let how = text(event, "/panic").or(text(event, "/how"));
                let how = how.unwrap_or("nothing says why");
                found.broken(format!("the firmware ended: {how}"), [event.seq]);
            }
            "restarted" if UNMEANT.contains(&cause) => {
                found.broken(format!("the firmware began anew by a {cause}"), [event.seq]);
            }
            _ => found.held(),
        }
    }
}

struct Garbage;

impl Watch for Garbage {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind == "power" {
            found.held();
            return;
        }
        let problem = text(event, "/problem").unwrap_or("it could not be read");
        found.broken(problem, [event.seq]);
    }
}
