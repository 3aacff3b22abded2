//! What exists on one air, behind one lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trace::Trace;

use super::access_point::AccessPoint;
use super::frame::Mac;
use super::names::Names;
use super::radio::Radio;
use super::segment::Segment;

/// What all clones of an [`super::Air`] share.
pub(super) struct AirInner {
    trace: Trace,
    pub(super) names: Arc<Names>,
    world: Mutex<AirState>,
    /// Counts SoftAPs that were started, for those who wait for one.
    changes: watch::Sender<u64>,
    /// What is still to happen; dropped with the air.
    tasks: Mutex<JoinSet<()>>,
}

/// Access points by role, radios by device; in the order of their names, so that every run does
/// the same.
#[derive(Default)]
pub(super) struct AirState {
    pub(super) access_points: BTreeMap<String, AccessPoint>,
    pub(super) radios: BTreeMap<String, Radio>,
    /// Hardware addresses by phone and network: phones of today have another one for each network,
    /// and keep it.
    phone_macs: BTreeMap<(String, String), Mac>,
    next_mac: u16,
}

impl AirInner {
    pub(super) fn new(trace: Trace) -> Self {
        Self {
            trace,
            names: Arc::default(),
            world: Mutex::default(),
            changes: watch::Sender::new(0),
            tasks: Mutex::default(),
        }
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(super) fn clock(&self) -> &Clock {
        self.trace.clock()
    }

    /// The lock may be held while a segment, a stack or a queue is locked, never the other way.
    pub(super) fn world(&self) -> MutexGuard<'_, AirState> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something after `delay` of lab time, unless the air is gone by then.
    pub(super) fn after(
        self: &Arc<Self>,
        delay: Duration,
        action: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) {
        let sleep = self.clock().sleep(delay);
        let weak = Arc::downgrade(self);
        self.spawn(async move {
            sleep.await;
            if let Some(air) = weak.upgrade() {
                air.clock().touch();
                action(&air);
            }
        });
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Puts an access point into the world, in the place of the one that has that role.
    pub(super) fn install(self: &Arc<Self>, role: &str, start: impl FnOnce(Mac) -> AccessPoint) {
        let mut world = self.world();
        if let Some(old) = world.access_points.remove(role) {
            old.segment.unplug_stations();
            self.lose_stations(&mut world, role);
        }
        let access_point = start(world.new_mac());
        world.access_points.insert(role.to_owned(), access_point);
    }

    /// Says that there is a new SoftAP.
    pub(super) fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Tells of SoftAPs that are started after this call.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl AirState {
    /// The radio of `device`, which is there as soon as it is asked for.
    pub(super) fn radio(&mut self, device: &str) -> &mut Radio {
        self.radios.entry(device.to_owned()).or_default()
    }

    /// The strongest access point with that SSID that is on, whether it hides it or not: a station
    /// that joins asks for it by name.
    pub(super) fn strongest(&self, ssid: &[u8]) -> Option<(&str, &AccessPoint)> {
        self.access_points
            .iter()
            .filter(|(_, ap)| ap.is_heard() && ap.settings.ssid == ssid)
            .max_by_key(|(_, ap)| ap.settings.rssi)
            .map(|(role, ap)| (role.as_str(), ap))
    }

    /// The access points that a scan finds on a channel, 0 for any, strongest first. Those that hide
    /// their names answer no probe for any network, and stations leave out beacons without a name
    /// (ESP-IDF's `show_hidden` is off).
    pub(super) fn heard(&self, channel: u8) -> Vec<airlink::AccessPoint> {
        let mut heard: Vec<_> = self
            .access_points
            .values()
            .filter(|ap| ap.is_heard() && !ap.settings.hidden)
            .filter(|ap| channel == 0 || ap.settings.channel == channel)
            .map(AccessPoint::heard)
            .collect();
        heard.sort_by_key(|ap| std::cmp::Reverse(ap.rssi));
        heard
    }

    /// The hardware address that a phone has on a network.
    pub(super) fn phone_mac(&mut self, phone: &str, network: &str, segment: &Segment) -> Mac {
        let key = (phone.to_owned(), network.to_owned());
        if let Some(mac) = self.phone_macs.get(&key) {
            // Unless it is there twice.
            if segment.owner_of(*mac).is_none() {
                return *mac;
            }
        }
        let mac = self.new_mac();
        self.phone_macs.entry(key).or_insert(mac);
        mac
    }

    /// A hardware address that is unique in the world; locally administered.
    pub(super) fn new_mac(&mut self) -> Mac {
        self.next_mac += 1;
        let [high, low] = self.next_mac.to_be_bytes();
        [0x02, b'A', b'I', b'R', high, low]
    }
}

/// An SSID as it is spelled.
pub(super) fn text(ssid: &[u8]) -> String {
    trace::Ssid::from(ssid).to_string()
}
