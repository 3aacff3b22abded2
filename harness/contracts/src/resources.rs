//! What a device holds of its board: after many rounds of the same it is what it was after a few.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, flag, is_boot, number, since_boot};
use crate::{Contract, Found, Moment, Sight, Watch};

/// From what a device does for the first time until all is there that it needs for that, the longest of its buffers
/// among it.
const WARM: Duration = Duration::from_secs(60);
/// What an allocator may keep for later.
const MEMORY_KIB: u64 = 128;
/// Sockets that come and go.
const FILES: u64 = 4;
/// From what a phone says to what is written for it.
const WRITES_WITHIN: Duration = Duration::from_secs(5);
/// From what is written for a phone to the end of what it has asked.
const EXCHANGE_ENDS: Duration = Duration::from_secs(1);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "board-holds-no-more-and-more",
        needs: &[],
        says: "a device holds no more memory, threads and files than it did a minute after it did something new: started, \
               spoke with a phone, had an address, had a session",
        source: "house: a leak ends every device that runs for long",
        reads: since_boot![
            (Source::Board, "resources"),
            (Source::Provisioning, "exchange"),
            (Source::Provisioning, "attribute_exchange"),
            (Source::Air, "leased"),
            (Source::Mqtt, "session_opened"),
        ],
        watch: |_| Some(Box::<Holds>::default()),
    },
    Contract {
        id: "storage-is-written-only-when-told",
        needs: &[Sight::Phones],
        says: "a device writes to its storage only when a phone has spoken to it",
        source: "house: flash wears out; ESP-IDF wifi_provisioning writes credentials at apply and at reset",
        reads: since_boot![
            (Source::Board, "resources"),
            (Source::Provisioning, "exchange"),
            (Source::Provisioning, "attribute_exchange"),
        ],
        watch: |_| Some(Box::<Writes>::default()),
    },
];

/// What each device was seen to write, and when a phone spoke to it.
#[derive(Default)]
struct Writes(BTreeMap<String, Writing>);

struct Writing {
    /// When it was looked at last.
    looked: LabTime,
    /// When a phone has spoken to it last since it was started.
    spoke: Option<LabTime>,
    /// Something was written, and no phone had spoken: the exchange that it belongs to may not have ended yet.
    written: Option<(LabTime, u64)>,
}

impl Watch for Writes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        // Where it was not seen to start, a phone may have spoken to it before.
        let begun = Writing {
            looked: event.at(),
            spoke: (!is_boot(event)).then(|| event.at()),
            written: None,
        };
        if is_boot(event) {
            self.0.insert(name.to_owned(), begun);
            return;
        }
        let writing = self.0.entry(name.to_owned()).or_insert(begun);
        if event.source == Source::Provisioning {
            writing.spoke = Some(event.at());
            if writing.written.take().is_some() {
                found.held();
            }
            return;
        }
        let may_write = writing
            .spoke
            .is_some_and(|at| at + WRITES_WITHIN >= writing.looked);
        if !may_write && flag(event, "/storage_written") {
            writing.written.get_or_insert((event.at(), event.seq));
        } else if !may_write {
            found.held();
        }
        writing.looked = event.at();
    }

    fn due(&self) -> Option<LabTime> {
        let written = self.0.values().filter_map(|writing| writing.written);
        written.map(|(at, _)| at + EXCHANGE_ENDS).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        for writing in self.0.values_mut() {
            if let Some((_, seq)) = writing.written.take_if(|(at, _)| *at + EXCHANGE_ENDS < now) {
                found.broken("wrote to its storage of its own accord", [seq]);
            }
        }
    }
}

/// Since when each device runs, and what it held once it was warm.
#[derive(Default)]
struct Holds(BTreeMap<String, Run>);

/// From a start of a device on.
struct Run {
    /// When it did something new last.
    since: LabTime,
    /// Kinds of what it has done.
    done: BTreeSet<Cow<'static, str>>,
    /// Memory, threads and files, and by which event.
    warm: Option<([u64; 3], u64)>,
}

impl Watch for Holds {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        if event.kind != "resources" {
            if let Some(run) = self.0.get_mut(device(event))
                && run.done.insert(event.kind.clone())
            {
                (run.since, run.warm) = (event.at(), None);
            }
            return;
        }
        let held = ["/memory_kib", "/threads", "/files"]
            .map(|place| number(event, place).unwrap_or_default());
        let begun = Run {
            since: event.at(),
            done: BTreeSet::new(),
            warm: None,
        };
        let Run { since, warm, .. } = self.0.entry(device(event).to_owned()).or_insert(begun);
        if *since + WARM > event.at() {
            return;
        }
        let Some(([memory, threads, files], seq)) = *warm else {
            *warm = Some((held, event.seq));
            return;
        };
        let [more_memory, more_threads, more_files] = held;
        found.check(
            more_memory <= memory + MEMORY_KIB && more_threads <= threads && more_files <= files + FILES,
            || {
                let minutes = (event.at() - *since).as_secs() / 60;
                format!(
                    "held {memory} KiB, {threads} threads and {files} files once it was warm, and {more_memory}, \
                     {more_threads} and {more_files} after {minutes} minutes"
                )
            },
            [seq, event.seq],
        );
    }
}
