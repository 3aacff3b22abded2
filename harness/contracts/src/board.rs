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
        id: "link-carries-no-garbage",
        needs: &[],
        says: "a device sends nothing that its link does not know",
        source: "house",
        reads: &[(Source::Board, "garbage"), (Source::Board, "power")],
        watch: |_| Some(Box::new(Garbage)),
    },
];

/// Highest time printed since the boot, and by which event.
#[derive(Default)]
struct Falls(BTreeMap<String, (u64, u64)>);

impl Watch for Falls {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        let Some(ms) = number(event, "/device_ms") else {
            return;
        };
        if let Some(&(last, seq)) = self.0.get(device(event)) {
            found.check(
                ms + CORES_APART_MS >= last,
                || format!("{last} ms, and {ms} ms after it"),
                [seq, event.seq],
            );
        }
        let entry = self.0.entry(device(event).to_owned()).or_default();
        if ms >= entry.0 {
            *entry = (ms, event.seq);
        }
    }
}

/// First line since the boot: device's time, lab's time, event.
#[derive(Default)]
struct Drift(BTreeMap<String, (u64, LabTime, u64)>);

impl Watch for Drift {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        let Some(ms) = number(event, "/device_ms") else {
            return;
        };
        let begun = (ms, event.at(), event.seq);
        let &mut (first_ms, first_at, first) =
            self.0.entry(device(event).to_owned()).or_insert(begun);
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
        self.0.insert(device(event).to_owned(), begun);
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
