//! What a device owes to a time server.

use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// RFC 4330 §10: no client asks more often than this.
const SHORTEST_POLL: Duration = Duration::from_secs(15);

const READS: &[(Source, &str)] =
    since_boot![(Source::Sntp, "answered"), (Source::Sntp, "kept_silent"),];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "time-asked-once",
        needs: &[Sight::Clock],
        says: "a device that was told the time does not ask again within fifteen seconds",
        source: "RFC 4330 §10, best practice 1",
        reads: READS,
        watch: |_| Some(Box::new(NotSoonAfter::new(was_told, "told"))),
    },
    Contract {
        id: "time-refusal-heeded",
        needs: &[Sight::Clock],
        says: "a device that the time server sends away does not ask again within fifteen seconds",
        source: "RFC 4330 §8, §10, best practice 1",
        reads: READS,
        watch: |_| Some(Box::new(NotSoonAfter::new(was_sent_away, "sent away"))),
    },
    Contract {
        id: "time-asked-slowly",
        needs: &[Sight::Clock],
        says: "a device that is not answered waits before it asks for the time again",
        source: "RFC 4330 §10, best practices 2 and 5",
        reads: READS,
        watch: |facts| {
            let retry = facts.sntp.as_ref()?.retry;
            Some(Box::new(AfterSilence { retry, last: None }))
        },
    },
    Contract {
        id: "time-asked-as-sntp-has-it",
        needs: &[],
        says: "what a device sends to the time server is a question in version 3 or 4 of NTP",
        source: "RFC 4330 §4, §5; RFC 5905 §7.3",
        reads: &[
            (Source::Sntp, "answered"),
            (Source::Sntp, "kept_silent"),
            (Source::Sntp, "garbage"),
        ],
        watch: |_| Some(Box::new(Sound)),
    },
    Contract {
        id: "tls-waits-for-the-time",
        needs: &[Sight::Broker],
        says: "a device that verifies dates begins TLS only once it was told the time",
        source: "RFC 5280 §4.1.2.5; ESP-IDF mbedTLS: MBEDTLS_HAVE_TIME_DATE",
        reads: &[
            (Source::Sntp, "answered"),
            (Source::Tls, "handshake"),
            (Source::Board, "power"),
        ],
        watch: |facts| {
            facts.sntp.as_ref()?;
            facts.cloud.as_ref()?.checks_dates.then_some(())?;
            Some(Box::<TimeFirst>::default())
        },
    },
];

struct Sound;

impl Watch for Sound {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind == "garbage" {
            let reason = text(event, "/reason").unwrap_or("it is no question");
            found.broken(reason, [event.seq]);
            return;
        }
        let Some(version) = number(event, "/version") else {
            return;
        };
        found.check(
            matches!(version, 3 | 4),
            || format!("asked in version {version}"),
            [event.seq],
        );
    }
}

/// How far apart the two copies of a datagram arrive that the air has doubled.
const DOUBLED_WITHIN: Duration = Duration::from_millis(100);

/// Nothing is asked again too soon after an event. The time server sees no names; with several devices
/// nothing is claimed.
struct NotSoonAfter {
    /// Whether it is such an event.
    is: fn(&Event) -> bool,
    /// What happened in it, for messages.
    what: &'static str,
    /// The last event, if it was one.
    last: Option<(LabTime, u64)>,
    devices: Vec<String>,
}

impl NotSoonAfter {
    fn new(is: fn(&Event) -> bool, what: &'static str) -> Self {
        Self {
            is,
            what,
            last: None,
            devices: Vec::new(),
        }
    }
}

impl Watch for NotSoonAfter {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        if is_boot(event) {
            self.last = None;
            if let Some(device) = &event.device
                && !self.devices.contains(device)
            {
                self.devices.push(device.clone());
            }
            return;
        }
        if let Some((last, _)) = self.last
            && moment.calm_since.is_none()
            && event.at() <= last + DOUBLED_WITHIN
        {
            // Poor air makes two datagrams of one.
            return;
        }
        if self.devices.len() > 1 {
            return;
        }
        if let Some((at, seq)) = self.last {
            let (waited, what) = (event.at() - at, self.what);
            found.check(
                waited >= SHORTEST_POLL,
                || format!("asked again {waited:.1?} after it was {what}"),
                [seq, event.seq],
            );
        }
        if (self.is)(event) {
            self.last = Some((event.at(), event.seq));
        }
    }
}

/// Whether a client was told the time, be it wrong.
fn was_told(event: &Event) -> bool {
    event.kind == "answered"
        && text(event, "/kiss_of_death").is_none()
        && text(event, "/unusable").is_none()
}

/// Whether a client was sent away.
fn was_sent_away(event: &Event) -> bool {
    text(event, "/kiss_of_death").is_some()
}

struct AfterSilence {
    retry: Duration,
    last: Option<(LabTime, u64)>,
}

impl Watch for AfterSilence {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) || event.kind == "answered" {
            self.last = None;
            return;
        }
        if let Some((at, seq)) = self.last {
            let waited = event.at() - at;
            // The lab's clock and the device's are not one.
            found.check(
                waited >= self.retry * 9 / 10,
                || {
                    format!(
                        "asked again after {waited:.1?}; {:.1?} is the least",
                        self.retry
                    )
                },
                [seq, event.seq],
            );
        }
        self.last = Some((event.at(), event.seq));
    }
}

/// Whether the time was told since the power came. The time server sees no names; with several devices
/// nothing is claimed.
#[derive(Default)]
struct TimeFirst {
    told: bool,
    devices: Vec<String>,
}

impl Watch for TimeFirst {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match &*event.kind {
            // A chip's clock goes on through a restart.
            "power" => {
                self.told = false;
                let name = device(event);
                if !self.devices.iter().any(|known| known == name) {
                    self.devices.push(name.to_owned());
                }
            }
            "answered" => self.told |= was_told(event),
            _ if self.devices.len() == 1 => found.check(
                self.told,
                || "began TLS, and was not told the time".into(),
                [event.seq],
            ),
            _ => {}
        }
    }
}
