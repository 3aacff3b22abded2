//! The state of one controller's link layer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use capture::{Direction, Interface};
use clock::LabTime;
use tokio::sync::Notify;

use super::h4::{Packet, Side};

/// Events that may wait for a host; reports on top of them are lost, data waits in the air.
pub(super) const ROOM: usize = 32;
/// Without `LE Set Event Mask` (Core 5.4 Vol 4 Part E §7.8.1).
const LE_EVENT_MASK: u64 = 0x1F;
/// Without `Set Event Mask` (§7.3.1). LE events are not among them.
const EVENT_MASK: u64 = 0x0000_1FFF_FFFF_FFFF;
/// The event that carries the LE ones.
const LE_META: u8 = 0x3E;

/// Which controller.
pub(super) type RadioId = u32;

/// A device address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address {
    /// 0 public, 1 random.
    pub(super) kind: u8,
    /// Least significant byte first, as HCI has it.
    pub(super) bytes: [u8; 6],
}

/// One controller.
pub(super) struct Radio {
    pub(super) name: String,
    pub(super) public: [u8; 6],
    pub(super) random: Option<[u8; 6]>,
    pub(super) event_mask: u64,
    pub(super) le_event_mask: u64,
    pub(super) advertising: Advertising,
    pub(super) scanning: Scanning,
    pub(super) initiating: Option<Initiating>,
    pub(super) accept_list: BTreeSet<Address>,
    /// Octets of a link-layer packet that new connections begin with.
    pub(super) default_octets: u16,
    /// Connections by handle.
    pub(super) handles: BTreeMap<u16, u32>,
    /// Packets from the host that are on the air.
    pub(super) on_air: usize,
    /// What `LE Rand` continues from.
    pub(super) noise: u64,
    outbox: VecDeque<Vec<u8>>,
    pub(super) bell: Arc<Notify>,
    /// Where its HCI is captured.
    pub(super) capture: Option<Interface>,
}

/// What a controller advertises.
#[derive(Clone, Debug)]
pub(super) struct Advertising {
    /// Since when, if it does.
    pub(super) since: Option<LabTime>,
    /// When it was last on the air.
    pub(super) last: Option<LabTime>,
    pub(super) interval: Duration,
    /// 0 connectable, 1 and 4 directed, 2 scannable, 3 neither.
    pub(super) kind: u8,
    pub(super) own: u8,
    pub(super) peer: Address,
    pub(super) filter: u8,
    pub(super) data: Vec<u8>,
    pub(super) response: Vec<u8>,
}

/// How a controller scans.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanning {
    pub(super) on: bool,
    pub(super) active: bool,
    pub(super) own: u8,
    pub(super) filtered: bool,
    pub(super) without_duplicates: bool,
    /// Reports of this scan that the host has, by address and type.
    pub(super) reported: BTreeMap<(Address, u8), Vec<u8>>,
}

/// Whom a controller wants to connect to.
#[derive(Clone, Debug)]
pub(super) struct Initiating {
    /// None: every device on the accept list.
    pub(super) peer: Option<Address>,
    pub(super) own: u8,
    pub(super) parameters: Timing,
}

/// The timing of a connection, in HCI's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    /// 1.25 ms.
    pub(super) interval: u16,
    /// Connection events.
    pub(super) latency: u16,
    /// 10 ms.
    pub(super) supervision: u16,
}

impl Radio {
    pub(super) fn new(name: &str, public: [u8; 6], bell: Arc<Notify>) -> Self {
        let noise = public.iter().fold(0x9E37_79B9_7F4A_7C15, |noise, byte| {
            (noise ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self {
            name: name.to_owned(),
            public,
            random: None,
            event_mask: EVENT_MASK,
            le_event_mask: LE_EVENT_MASK,
            advertising: Advertising::default(),
            scanning: Scanning::default(),
            initiating: None,
            accept_list: BTreeSet::new(),
            default_octets: super::link::SHORTEST,
            handles: BTreeMap::new(),
            on_air: 0,
            noise,
            outbox: VecDeque::new(),
            bell,
            capture: None,
        }
    }

    /// Forgets everything but who it is.
    pub(super) fn reset(&mut self) {
        let (noise, capture) = (self.noise, self.capture.take());
        *self = Self::new(&self.name, self.public, self.bell.clone());
        (self.noise, self.capture) = (noise, capture);
    }

    /// The address of that type (0 public, 1 random), if it has one. The types 2 and 3 ask for a
    /// resolvable private address, which no host without a resolving list gets.
    pub(super) fn own_address(&self, kind: u8) -> Option<Address> {
        match kind & 1 {
            0 => Some(Address {
                kind: 0,
                bytes: self.public,
            }),
            _ => self.random.map(|bytes| Address { kind: 1, bytes }),
        }
    }

    /// The address that it advertises with, while it does.
    pub(super) fn advertised(&self) -> Option<Address> {
        self.advertising.since?;
        self.own_address(self.advertising.own)
    }

    /// Whether it listens to advertising.
    pub(super) fn listens(&self) -> bool {
        self.scanning.on || self.initiating.is_some()
    }

    /// Whether the host keeps up with what it is told.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.len() < ROOM
    }

    /// An event for the host, unless it does not want to know.
    pub(super) fn event(&mut self, code: u8, parameters: Vec<u8>) {
        let bit = u32::from(code).saturating_sub(1);
        // Bits above 63 stand on a second page, which holds nothing that happens here; command
        // complete, command status and completed packets cannot be masked (§7.3.1).
        let masked = !matches!(code, 0x0E | 0x0F | 0x13) && self.event_mask >> bit & 1 == 0;
        if !masked {
            self.send(&Packet::Event { code, parameters });
        }
    }

    /// An LE event for the host, unless it does not want to know. Whether it does.
    pub(super) fn le_event(&mut self, subevent: u8, parameters: &[u8]) -> bool {
        let wanted = self.le_event_mask >> (subevent - 1) & 1 == 1;
        if wanted {
            let mut all = vec![subevent];
            all.extend_from_slice(parameters);
            self.event(LE_META, all);
        }
        wanted
    }

    /// A packet for the host.
    pub(super) fn send(&mut self, packet: &Packet) {
        let bytes = packet.encode(Side::Controller);
        if let Some(interface) = &self.capture {
            interface.hci(Direction::Inbound, &bytes);
        }
        self.outbox.push_back(bytes);
        self.bell.notify_one();
    }

    /// What is for the host, as a stream.
    pub(super) fn take_outbox(&mut self) -> Vec<u8> {
        self.outbox.drain(..).flatten().collect()
    }

    /// The lowest handle that is free.
    pub(super) fn free_handle(&self) -> u16 {
        (1..)
            .find(|handle| !self.handles.contains_key(handle))
            .unwrap_or(0x0EFF)
    }
}

impl Advertising {
    /// When it is on the air next, if a scanner listens.
    pub(super) fn next(&self) -> Option<LabTime> {
        let since = self.since?;
        Some(self.last.map_or(since, |last| last + self.interval))
    }

    /// Leaves out the events that are over: a scanner that begins to listen `now` waits for the next one,
    /// as it would for a device that was on the air all the time.
    pub(super) fn catch_up(&mut self, now: LabTime) {
        let Some(next) = self.next().filter(|next| *next < now) else {
            return;
        };
        let interval = self.interval.as_micros().max(1);
        let missed = (now.since(next).as_micros() - 1) / interval;
        let missed = Duration::from_micros((missed * interval).min(u128::from(u64::MAX)) as u64);
        self.last = Some(next + missed);
    }

    pub(super) fn is_connectable(&self) -> bool {
        matches!(self.kind, 0 | 1 | 4)
    }

    pub(super) fn is_scannable(&self) -> bool {
        matches!(self.kind, 0 | 2)
    }

    pub(super) fn is_directed(&self) -> bool {
        matches!(self.kind, 1 | 4)
    }
}

impl Default for Advertising {
    fn default() -> Self {
        Self {
            since: None,
            last: None,
            interval: Duration::from_millis(1280),
            kind: 0,
            own: 0,
            peer: Address {
                kind: 0,
                bytes: [0; 6],
            },
            filter: 0,
            data: Vec::new(),
            response: Vec::new(),
        }
    }
}

impl Timing {
    /// Whether the supervision timeout leaves room for two connection events (Core 5.4 Vol 6 Part B
    /// §4.5.2), and everything is in range.
    pub(super) fn is_valid(self) -> bool {
        let events = (1 + u32::from(self.latency)) * u32::from(self.interval);
        (6..=3200).contains(&self.interval)
            && self.latency <= 499
            && (10..=3200).contains(&self.supervision)
            && u32::from(self.supervision) * 8 > events * 2
    }

    pub(super) fn supervision(self) -> Duration {
        Duration::from_millis(u64::from(self.supervision) * 10)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, last] = self.bytes;
        write!(f, "{last:02X}:{e:02X}:{d:02X}:{c:02X}:{b:02X}:{a:02X}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{self}/{}",
            if self.kind == 0 { "public" } else { "random" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertising_is_on_the_air_once_in_each_interval() {
        let mut advertising = Advertising {
            since: Some(LabTime::from_micros(5)),
            interval: Duration::from_micros(100),
            ..Advertising::default()
        };
        assert_eq!(advertising.next(), Some(LabTime::from_micros(5)));
        advertising.last = Some(LabTime::from_micros(7));
        assert_eq!(advertising.next(), Some(LabTime::from_micros(107)));
    }

    #[test]
    fn who_begins_to_listen_waits_for_the_next_advertising_event() {
        let at = LabTime::from_micros;
        let mut advertising = Advertising {
            since: Some(at(5)),
            interval: Duration::from_micros(100),
            ..Advertising::default()
        };
        for (now, next) in [
            (4, 5),
            (5, 5),
            (6, 105),
            (105, 105),
            (106, 205),
            (1000, 1005),
        ] {
            advertising.catch_up(at(now));
            assert_eq!(advertising.next(), Some(at(next)), "at {now}");
        }
    }

    #[test]
    fn a_supervision_timeout_shorter_than_two_events_is_refused() {
        let timing = |interval, latency, supervision| {
            Timing {
                interval,
                latency,
                supervision,
            }
            .is_valid()
        };
        assert!(timing(24, 0, 400));
        assert!(!timing(3200, 0, 800));
        assert!(timing(3200, 0, 801));
        assert!(!timing(24, 500, 3200));
        assert!(!timing(5, 0, 400));
    }

    #[test]
    fn an_address_is_written_most_significant_byte_first() {
        let address = Address {
            kind: 0,
            bytes: [1, 0xBC, 0x0A, 0xC4, 0x0A, 0x24],
        };
        assert_eq!(address.to_string(), "24:0A:C4:0A:BC:01");
    }
}
