//! A layer-2 segment: the switch inside an access point, real or the device's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use airlink::Packet;
use capture::{Direction, Interface, LinkType};
use clock::Clock;
use trace::Trace;

use super::frame::{self, Mac};
use super::queue::FrameQueue;

/// Frames that a delay may hold at once; what comes on top is lost.
const MAX_DELAYED: usize = 1024;
/// How long a frame stays behind that others overtake.
const OVERTAKEN_BY: Duration = Duration::from_millis(30);
const ETHERNET_HEADER: usize = 14;

/// What is wrong with a segment on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentFaults {
    /// Frames lost, of each thousand.
    pub drop_per_mille: u16,
    /// What decides which; the same seed loses the same frames.
    pub seed: u64,
    /// Frames that arrive twice, of each thousand.
    pub double_per_mille: u16,
    /// Frames that others overtake, of each thousand.
    pub reorder_per_mille: u16,
    /// Longest frame that arrives, in bytes behind its Ethernet header; 0 for any.
    pub longest: u16,
    /// How much later each frame arrives, in lab time.
    pub delay: Duration,
    /// Nothing arrives at all.
    pub cut: bool,
}

/// Who is behind a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Gateway,
    Device(String),
    Phone(String),
    /// Carries connections of the host, see [`super::Air::forward`].
    Forward,
    /// Stations outside of the lab, see [`super::Ethernet`].
    Ethernet,
}

/// How a port takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The access point itself, which isolation does not concern.
    Access,
    /// A client.
    Station,
    /// An Ethernet behind the access point, with stations of its own: no address is its only one.
    Trunk,
}

/// Where a port's frames go.
pub(super) enum Sink {
    /// To a network stack of the lab; closed when the port is unplugged.
    Stack(Arc<FrameQueue>),
    /// To an Ethernet outside of the lab, which stays when the port is unplugged.
    Ethernet(Arc<FrameQueue>),
    /// Over the link to a device.
    Radio(Arc<FrameQueue>, airlink::Port),
}

/// A switch; cheap to clone, all clones are the same.
#[derive(Clone)]
pub(super) struct Segment {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    state: Mutex<State>,
    capture: OnceLock<Interface>,
}

struct State {
    plugs: BTreeMap<u32, Plug>,
    next: u32,
    isolated: bool,
    faults: SegmentFaults,
    random: u64,
    delayed: usize,
}

struct Plug {
    place: Place,
    owner: Owner,
    mac: Option<Mac>,
    sink: Sink,
}

/// What became of a frame at the port where it entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way, or a fault took it.
    Taken,
    /// The port is not plugged any more.
    Unplugged,
    /// Its source is not the address that this port is known by.
    Spoofed { known: Mac },
    /// Its source is no address of a single station.
    NoSource,
}

impl Segment {
    pub(super) fn new(clock: Clock, isolated: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                clock,
                state: Mutex::new(State {
                    plugs: BTreeMap::new(),
                    next: 0,
                    isolated,
                    faults: SegmentFaults::default(),
                    random: 0,
                    delayed: 0,
                }),
                capture: OnceLock::new(),
            }),
        }
    }

    /// Has its frames captured as an interface of that name, if `trace` has a capture.
    pub(super) fn captured(&self, trace: &Trace, name: &str) {
        if let Some(capture) = trace.capture() {
            let interface = capture.interface(name, LinkType::Ethernet);
            // A segment is captured once, when it is made.
            let _ = self.inner.capture.set(interface);
        }
    }

    /// Connects a station. Without `mac` the port is known by the source of its first frame.
    pub(super) fn plug(&self, place: Place, owner: Owner, mac: Option<Mac>, sink: Sink) -> Port {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.plugs.insert(
            id,
            Plug {
                place,
                owner,
                mac,
                sink,
            },
        );
        Port {
            segment: self.clone(),
            id,
        }
    }

    /// Whether stations reach the access point only.
    pub(super) fn set_isolated(&self, isolated: bool) {
        self.state().isolated = isolated;
    }

    /// Replaces the faults.
    pub(super) fn set_faults(&self, faults: SegmentFaults) {
        let mut state = self.state();
        state.random = faults.seed;
        state.faults = faults;
    }

    /// Whether nothing is wrong with it on purpose.
    pub(super) fn is_sound(&self) -> bool {
        let faults = self.state().faults;
        // One that is broken in any way cannot be relied upon; the seed breaks nothing.
        SegmentFaults { seed: 0, ..faults } == SegmentFaults::default()
    }

    /// Who is known by `mac`.
    pub(super) fn owner_of(&self, mac: Mac) -> Option<Owner> {
        let state = self.state();
        let mut plugs = state.plugs.values();
        plugs
            .find(|plug| plug.mac == Some(mac))
            .map(|plug| plug.owner.clone())
    }

    /// Unplugs every station.
    pub(super) fn unplug_stations(&self) {
        let mut state = self.state();
        state.plugs.retain(|_, plug| {
            let stays = plug.place != Place::Station;
            if !stays {
                plug.sink.close();
            }
            stays
        });
    }

    fn send(&self, from: u32, bytes: Vec<u8>) -> Sent {
        self.inner.clock.touch();
        let Some(source) = frame::source(&bytes).filter(|mac| !frame::is_group(*mac)) else {
            return Sent::NoSource;
        };
        let mut state = self.state();
        let Some(plug) = state.plugs.get_mut(&from) else {
            return Sent::Unplugged;
        };
        if plug.place == Place::Trunk {
            if state.plugs.values().any(|plug| plug.mac == Some(source)) {
                return Sent::Spoofed { known: source };
            }
        } else {
            let known = *plug.mac.get_or_insert(source);
            if known != source {
                return Sent::Spoofed { known };
            }
        }
        let lost = state.loses_this(&bytes);
        if let Some(interface) = self.inner.capture.get() {
            let direction = state.direction(from);
            match lost {
                true => interface.remarkable(direction, &bytes, "lost on purpose"),
                false => interface.packet(direction, &bytes),
            }
        }
        if lost {
            return Sent::Taken;
        }
        let faults = state.faults;
        let times = 1 + usize::from(state.happens(faults.double_per_mille));
        let mut delay = faults.delay;
        if state.happens(faults.reorder_per_mille) {
            delay += OVERTAKEN_BY;
        }
        for _ in 0..times {
            if delay.is_zero() {
                state.deliver(from, &bytes);
            } else if state.delayed < MAX_DELAYED {
                state.delayed += 1;
                self.deliver_later(delay, from, bytes.clone());
            }
        }
        Sent::Taken
    }

    fn deliver_later(&self, delay: Duration, from: u32, bytes: Vec<u8>) {
        // Asked now, not when the task first runs, so that frames keep their order.
        let sleep = self.inner.clock.sleep(delay);
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            sleep.await;
            let Some(inner) = inner.upgrade() else { return };
            inner.clock.touch();
            let mut state = inner.state();
            state.delayed -= 1;
            state.deliver(from, &bytes);
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Hands a frame to everybody whom it concerns, in the order in which they were plugged.
    fn deliver(&mut self, from: u32, bytes: &[u8]) {
        let (Some(to), Some(sender)) = (frame::destination(bytes), self.plugs.get(&from)) else {
            return;
        };
        let between_stations = self.isolated && sender.place == Place::Station;
        let known = self.plugs.values().any(|plug| plug.mac == Some(to));
        for (id, plug) in &self.plugs {
            // A port without a frame yet may be the one who is not known.
            let concerns =
                frame::is_group(to) || plug.mac == Some(to) || (!known && plug.mac.is_none());
            let kept_apart = between_stations && plug.place == Place::Station;
            if *id != from && concerns && !kept_apart {
                plug.sink.take(bytes);
            }
        }
    }

    /// Which way a frame goes that enters at port `from`, as the devices see it.
    fn direction(&self, from: u32) -> Direction {
        match self.plugs.get(&from).map(|plug| &plug.owner) {
            Some(Owner::Device(_)) => Direction::Outbound,
            _ => Direction::Inbound,
        }
    }

    fn loses_this(&mut self, bytes: &[u8]) -> bool {
        let longest = usize::from(self.faults.longest);
        if self.faults.cut || (longest > 0 && bytes.len() > ETHERNET_HEADER + longest) {
            return true;
        }
        self.happens(self.faults.drop_per_mille)
    }

    /// Whether something happens that does so this often of a thousand times.
    fn happens(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && split_mix(&mut self.random) % 1000 < u64::from(per_mille)
    }
}

impl Sink {
    fn take(&self, bytes: &[u8]) {
        // A full queue loses the frame: a receiver that does not read in time misses it, as on any radio.
        match self {
            Self::Stack(queue) | Self::Ethernet(queue) => {
                queue.push(bytes.to_vec());
            }
            Self::Radio(queue, port) => {
                let packet = Packet {
                    port: *port,
                    frame: bytes.to_vec(),
                };
                queue.push(packet.encode());
            }
        }
    }

    fn close(&self) {
        if let Self::Stack(queue) = self {
            queue.close();
        }
    }
}

/// A place on a segment; unplugged when dropped.
pub(super) struct Port {
    segment: Segment,
    id: u32,
}

impl Port {
    /// Sends a frame into the segment.
    pub(super) fn send(&self, frame: Vec<u8>) -> Sent {
        self.segment.send(self.id, frame)
    }

    /// The address that this port is known by.
    pub(super) fn mac(&self) -> Option<Mac> {
        self.segment.state().plugs.get(&self.id)?.mac
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let plug = self.segment.state().plugs.remove(&self.id);
        if let Some(plug) = plug {
            plug.sink.close();
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same on every host.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
