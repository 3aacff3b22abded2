//! The station: joins an access point, gets an address, and comes back after every loss.

use core::future::pending;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::{ConfigV4, Ipv4Cidr, Stack, StaticConfigV4};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer, with_timeout};

use crate::backoff::Backoff;
use crate::board::{AccessPoint, Radio};
use crate::bugs::{self, Bug};
use crate::credentials::Credentials;
use crate::network::{AddressGuard, Nudge};

/// First and longest delay before joining again, in ms.
const REJOIN_MS: (u32, u32) = (1_000, 30_000);
/// A radio that has not answered by then is asked anew.
const JOIN_LIMIT: Duration = Duration::from_secs(20);
/// How often a missing address is warned of.
const ADDRESS_LIMIT: Duration = Duration::from_secs(30);
/// From declining an address until another one is asked for (RFC 2131 §3.1.5).
const DECLINED: Duration = Duration::from_secs(10);
/// ESP-IDF's `WIFI_REASON_ASSOC_LEAVE`: we left by ourselves.
const REASON_LEFT: u16 = 8;
/// ESP-IDF's `WIFI_REASON_CONNECTION_FAIL`.
const REASON_NO_ANSWER: u16 = 205;
/// More radio events than can be outstanding between two polls.
const EVENTS: usize = 8;

/// What the radio reports about the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StationReport {
    Joined(AccessPoint),
    Left { reason: u16 },
}

/// What others may want to know about the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is not joined, for a reason of ESP-IDF's `wifi_err_reason_t`.
    Left { reason: u16 },
    /// It has an address.
    GotAddress {
        address: Ipv4Cidr,
        access_point: AccessPoint,
    },
}

/// The station. One task runs it, others tell it what to do and what happened.
pub(crate) struct Station<'r, R> {
    radio: &'r R,
    stack: Stack<'static>,
    guard: &'static AddressGuard,
    nudge: &'r Nudge,
    wanted: Signal<NoopRawMutex, Option<Credentials>>,
    reports: Channel<NoopRawMutex, StationReport, EVENTS>,
}

impl<'r, R: Radio> Station<'r, R> {
    pub(crate) fn new(
        radio: &'r R,
        stack: Stack<'static>,
        guard: &'static AddressGuard,
        nudge: &'r Nudge,
    ) -> Self {
        Self {
            radio,
            stack,
            guard,
            nudge,
            wanted: Signal::new(),
            reports: Channel::new(),
        }
    }

    /// Joins this access point from now on, instead of any other.
    pub(crate) fn connect(&self, credentials: Credentials) {
        self.wanted.signal(Some(credentials));
    }

    /// Leaves, and joins no access point until [`Self::connect`].
    pub(crate) fn disconnect(&self) {
        self.wanted.signal(None);
    }

    /// Takes a report of the radio.
    pub(crate) fn reported(&self, report: StationReport) {
        if self.reports.try_send(report).is_err() {
            log::warn!(target: "wifi", "a radio event was lost");
        }
    }

    /// Works for ever.
    pub(crate) async fn run(&self, news: &impl Fn(News)) -> ! {
        let mut wanted = self.wanted.wait().await;
        loop {
            let stay = async {
                match &wanted {
                    Some(credentials) => self.stay_joined(credentials, news).await,
                    None => pending().await,
                }
            };
            let Either::First(other) = select(self.wanted.wait(), stay).await;
            wanted = other;
            self.radio.leave().await;
            self.configure(ConfigV4::None);
        }
    }

    async fn stay_joined(&self, wanted: &Credentials, news: &impl Fn(News)) -> ! {
        let mut backoff = Backoff::new(REJOIN_MS.0, REJOIN_MS.1);
        loop {
            self.reports.clear();
            self.radio.join(&wanted.ssid, &wanted.passphrase).await;
            let reason = match with_timeout(JOIN_LIMIT, self.joined()).await {
                Ok(Ok(access_point)) => self.use_network(access_point, &mut backoff, news).await,
                Ok(Err(reason)) => reason,
                Err(_) => {
                    self.radio.leave().await;
                    REASON_NO_ANSWER
                }
            };
            self.configure(ConfigV4::None);
            log::info!(target: "app", "Disconnected. Connecting to the AP again...");
            news(News::Left { reason });
            Timer::after_millis(backoff.delay().into()).await;
        }
    }

    fn configure(&self, config: ConfigV4) {
        self.guard.forget();
        self.stack.set_config_v4(config);
        self.nudge.nudge();
    }

    /// Whether joining succeeded.
    async fn joined(&self) -> Result<AccessPoint, u16> {
        loop {
            match self.reports.receive().await {
                StationReport::Joined(access_point) => return Ok(access_point),
                StationReport::Left {
                    reason: REASON_LEFT,
                } => {}
                StationReport::Left { reason } => return Err(reason),
            }
        }
    }

    /// The reason for which the station left in the end.
    async fn left(&self) -> u16 {
        loop {
            if let StationReport::Left { reason } = self.reports.receive().await {
                return reason;
            }
        }
    }

    /// From joined to left; returns the reason.
    async fn use_network(
        &self,
        access_point: AccessPoint,
        backoff: &mut Backoff,
        news: &impl Fn(News),
    ) -> u16 {
        self.configure(ConfigV4::Dhcp(Default::default()));
        loop {
            let up = self.stack.wait_config_up();
            match select3(self.left(), up, Timer::after(ADDRESS_LIMIT)).await {
                Either3::First(reason) => return reason,
                Either3::Second(()) => {}
                Either3::Third(()) => {
                    let seconds = ADDRESS_LIMIT.as_secs();
                    log::warn!(target: "esp_netif_handlers", "no address from DHCP in {seconds} s, still asking");
                    continue;
                }
            }
            let Some(config) = self.stack.config_v4() else {
                continue;
            };
            backoff.reset();
            announce(&config);
            news(News::GotAddress {
                address: config.address,
                access_point: access_point.clone(),
            });
            self.guard.watch(config.address.address());
            self.nudge.nudge();
            let down = self.stack.wait_config_down();
            match select3(self.left(), down, self.guard.conflict()).await {
                Either3::First(reason) => return reason,
                Either3::Second(()) if bugs::is(Bug::AddressOutlivesLease) => {
                    self.configure(ConfigV4::Static(config));
                    return self.left().await;
                }
                Either3::Second(()) => {
                    self.guard.forget();
                    log::warn!(target: "esp_netif_handlers", "sta ip lost, asking again");
                }
                Either3::Third(()) => {
                    let address = config.address.address();
                    log::error!(
                        target: "esp_netif_handlers",
                        "another host has {address}, which is declined"
                    );
                    // Any number will do: no answer comes.
                    self.guard.decline(u32::from(address));
                    self.stack.set_config_v4(ConfigV4::None);
                    self.nudge.nudge();
                    let wait = Timer::after(DECLINED);
                    if let Either::First(reason) = select(self.left(), wait).await {
                        return reason;
                    }
                    self.configure(ConfigV4::Dhcp(Default::default()));
                }
            }
        }
    }
}

fn announce(config: &StaticConfigV4) {
    let address = config.address.address();
    let mask = config.address.netmask();
    let gateway = config.gateway.unwrap_or(core::net::Ipv4Addr::UNSPECIFIED);
    log::info!(target: "esp_netif_handlers", "sta ip: {address}, mask: {mask}, gw: {gateway}");
    if bugs::is(Bug::PanicOnGotIp) {
        panic!("the address was not expected");
    }
    log::info!(target: "app", "Connected with IP Address:{address}");
}

/// Waits until a moment in ms since boot, or for ever.
pub(crate) async fn until(moment: Option<u64>) {
    match moment {
        Some(ms) => Timer::at(embassy_time::Instant::from_millis(ms)).await,
        None => pending().await,
    }
}
