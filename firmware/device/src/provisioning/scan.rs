//! The endpoint `prov-scan`: which access points the device hears (ESP-IDF 5.5
//! `wifi_provisioning/src/wifi_scan.c`, `manager.c`).

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::cmp::Reverse;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use proto::wifi_scan::{
    CmdScanResult, Payload, RespScanResult, RespScanStart, RespScanStatus, WifiScanMsgType,
    WifiScanPayload, WifiScanResult,
};
use proto::{Message, Status};

use super::handler::HandlerFailed;
use super::profile::Profile;
use crate::board::{AccessPoint, Radio};
use crate::bugs::{self, Bug};

/// Results kept.
const MAX_RESULTS: usize = 16;
/// Channels of a scan in groups.
const CHANNELS: core::ops::RangeInclusive<u8> = 1..=13;
/// Pause after each group, in which the SoftAP serves its phone; also how often a blocking start
/// looks for the end.
const PAUSE: Duration = Duration::from_millis(120);
/// A radio that has not answered by then heard nothing.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest time on a channel that a phone can ask for, in ms (ESP-IDF advises no more).
const MAX_PERIOD: u32 = 1_500;

/// What to scan.
#[derive(Clone, Copy, Debug)]
struct Order {
    passive: bool,
    /// Channels between two pauses; 0 for all channels at once.
    group: u8,
    /// Time on each channel, if it is longer than what the radio takes by itself.
    period: Duration,
}

/// Scans when told to, and keeps the results.
pub(crate) struct Scanner<'r, R> {
    radio: &'r R,
    order: Signal<NoopRawMutex, Order>,
    heard: Signal<NoopRawMutex, Vec<AccessPoint>>,
    /// Whether phones can say how long to stay on a channel; not where Bluetooth shares the radio.
    has_period: bool,
    profile: Profile,
    busy: Cell<bool>,
    found: RefCell<Vec<AccessPoint>>,
}

impl<'r, R: Radio> Scanner<'r, R> {
    pub(crate) fn new(radio: &'r R, has_period: bool, profile: Profile) -> Self {
        Self {
            radio,
            has_period,
            profile,
            order: Signal::new(),
            heard: Signal::new(),
            busy: Cell::new(false),
            found: RefCell::default(),
        }
    }

    /// What the radio told.
    pub(crate) fn heard(&self, access_points: Vec<AccessPoint>) {
        self.heard.signal(access_points);
    }

    /// Works for ever.
    pub(crate) async fn run(&self) -> ! {
        loop {
            let order = self.order.wait().await;
            self.found.borrow_mut().clear();
            if order.group == 0 {
                let channels = u32::from(*CHANNELS.end());
                self.scan(0, order.passive, order.period * channels).await;
            } else {
                for (done, channel) in (1_u8..).zip(CHANNELS) {
                    self.scan(channel, order.passive, order.period).await;
                    if done % order.group == 0 && !bugs::is(Bug::GroupPauseMissing) {
                        Timer::after(PAUSE).await;
                    }
                }
            }
            self.busy.set(false);
        }
    }

    /// Scans for `period` at least.
    async fn scan(&self, channel: u8, passive: bool, period: Duration) {
        let begun = Instant::now();
        self.heard.reset();
        self.radio.scan(channel, passive).await;
        if let Ok(heard) = with_timeout(LIMIT, self.heard.wait()).await {
            keep_strongest(&mut self.found.borrow_mut(), heard);
        }
        Timer::at(begun + period).await;
    }

    /// The response to a request. Scans are started only while credentials are awaited.
    pub(crate) async fn answer(
        &self,
        request: &[u8],
        allowed: bool,
    ) -> Result<Vec<u8>, HandlerFailed> {
        let request = WifiScanPayload::decode(request).map_err(|_| HandlerFailed)?;
        let kind = WifiScanMsgType::try_from(request.msg).map_err(|_| HandlerFailed)?;
        let (status, response) = match (kind, request.payload) {
            (WifiScanMsgType::CmdScanStart, Some(Payload::CmdScanStart(start))) => {
                let period_ms = match self.has_period {
                    true => start.period_ms.min(MAX_PERIOD),
                    false => 0,
                };
                let order = Order {
                    passive: start.passive && !bugs::is(Bug::PassiveScanIgnored),
                    // Cut to 8 bits, as ESP-IDF does.
                    group: start.group_channels as u8,
                    period: Duration::from_millis(period_ms.into()),
                };
                let status = self.start(order, start.blocking, allowed).await;
                (status, Payload::RespScanStart(RespScanStart {}))
            }
            (WifiScanMsgType::CmdScanStatus, _) => (
                Status::Success,
                Payload::RespScanStatus(RespScanStatus {
                    scan_finished: !self.busy.get(),
                    result_count: self.found.borrow().len() as u32,
                }),
            ),
            (WifiScanMsgType::CmdScanResult, Some(Payload::CmdScanResult(wanted))) => {
                if self.profile.guards_messages() && is_beyond_the_list(&wanted) {
                    return Err(HandlerFailed);
                }
                let (status, entries) = slice(&self.found.borrow(), &wanted);
                (status, Payload::RespScanResult(RespScanResult { entries }))
            }
            _ => return Err(HandlerFailed),
        };
        let response = WifiScanPayload {
            status: status.into(),
            ..WifiScanPayload::from(response)
        };
        Ok(response.encode_to_vec())
    }

    async fn start(&self, order: Order, blocking: bool, allowed: bool) -> Status {
        if !allowed {
            return Status::InternalError;
        }
        if !self.busy.replace(true) {
            self.order.signal(order);
        }
        let waits = blocking && !bugs::is(Bug::BlockingScanReturnsAtOnce);
        while waits && self.busy.get() {
            Timer::after(PAUSE).await;
        }
        Status::Success
    }
}

/// Adds what was heard, one entry for each access point, the strongest first.
fn keep_strongest(found: &mut Vec<AccessPoint>, heard: Vec<AccessPoint>) {
    for access_point in heard {
        found.retain(|known| known.bssid != access_point.bssid);
        found.push(access_point);
    }
    match bugs::is(Bug::ScanUnsorted) {
        true => found.sort_by_key(|access_point| access_point.channel),
        false => found.sort_by_key(|access_point| Reverse(access_point.rssi)),
    }
    found.truncate(MAX_RESULTS);
}

/// Whether results are wanted that can never be there, however many were found.
fn is_beyond_the_list(wanted: &CmdScanResult) -> bool {
    let end = u64::from(wanted.start_index) + u64::from(wanted.count);
    wanted.start_index as usize >= MAX_RESULTS || end > MAX_RESULTS as u64
}

/// The wanted part of the results; an error if it reaches beyond their end.
fn slice(found: &[AccessPoint], wanted: &CmdScanResult) -> (Status, Vec<WifiScanResult>) {
    let (start, count) = (wanted.start_index as usize, wanted.count as usize);
    let entries: Vec<_> = found
        .iter()
        .skip(start)
        .take(count)
        .map(|access_point| WifiScanResult {
            ssid: access_point.ssid.clone(),
            channel: access_point.channel.into(),
            rssi: access_point.rssi.into(),
            bssid: access_point.bssid.to_vec(),
            auth: access_point.auth.into(),
        })
        .collect();
    let status = if entries.len() == count || bugs::is(Bug::ScanOverrunAccepted) {
        Status::Success
    } else {
        Status::InternalError
    };
    (status, entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access_point(number: u8, rssi: i8) -> AccessPoint {
        AccessPoint {
            ssid: alloc::vec![number],
            bssid: [2, 0, 0, 0, 0, number],
            channel: 6,
            rssi,
            auth: 3,
        }
    }

    #[test]
    fn the_strongest_sixteen_are_kept_strongest_first() {
        let mut found = Vec::new();
        keep_strongest(
            &mut found,
            (0..10).map(|n| access_point(n, -90 + n as i8)).collect(),
        );
        keep_strongest(
            &mut found,
            (10..20).map(|n| access_point(n, -90 + n as i8)).collect(),
        );
        let levels: Vec<i8> = found.iter().map(|access_point| access_point.rssi).collect();
        assert_eq!(levels, (-86..=-71).rev().collect::<Vec<i8>>());
    }

    #[test]
    fn an_access_point_heard_twice_is_one_entry() {
        let mut found = Vec::new();
        keep_strongest(&mut found, alloc::vec![access_point(1, -40)]);
        keep_strongest(&mut found, alloc::vec![access_point(1, -60)]);
        assert_eq!(found, [access_point(1, -60)]);
    }

    #[test]
    fn results_beyond_the_end_are_an_error_with_those_that_exist() {
        let found = [access_point(1, -40), access_point(2, -50)];
        for (start_index, count, status, entries) in [
            (0, 2, Status::Success, 2),
            (1, 1, Status::Success, 1),
            (1, 2, Status::InternalError, 1),
            (7, 1, Status::InternalError, 0),
            (u32::MAX, u32::MAX, Status::InternalError, 0),
        ] {
            let answer = slice(&found, &CmdScanResult { start_index, count });
            assert_eq!((answer.0, answer.1.len()), (status, entries));
        }
    }

    #[test]
    fn the_list_ends_where_it_ends() {
        for (start_index, count, beyond) in [
            (0, 16, false),
            (15, 1, false),
            (15, 0, false),
            (16, 0, true),
            (0, 17, true),
            (9, 8, true),
            (1, u32::MAX, true),
            (u32::MAX, u32::MAX, true),
        ] {
            let wanted = CmdScanResult { start_index, count };
            assert_eq!(is_beyond_the_list(&wanted), beyond, "{wanted:?}");
        }
    }
}
