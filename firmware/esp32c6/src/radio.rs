//! The radio: Espressif's drivers, by way of `esp-radio`.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem::transmute;
use core::task::Poll;

use device::board::{AccessPoint, Mode, RadioEvent};
use embassy_futures::poll_once;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use esp_hal::peripherals::WIFI;
use esp_hal::time::Duration;
use esp_radio::wifi::ap::{AccessPointConfig, AccessPointInfo};
use esp_radio::wifi::event::{EventInfo, EventSubscriber, MessageResult};
use esp_radio::wifi::scan::{ScanConfig, ScanTypeConfig};
use esp_radio::wifi::sta::{ScanMethod, StationConfig};
use esp_radio::wifi::{
    AuthenticationMethod, AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig,
    Password, Ssid, WifiController, WifiError,
};
use esp_wifi_sys_esp32c6::include::{
    esp_wifi_set_mode, esp_wifi_stop, wifi_mode_t_WIFI_MODE_NULL, wifi_mode_t_WIFI_MODE_STA,
};

const TAG: &str = "wifi";
/// ESP-IDF's `WIFI_REASON_CONNECTION_FAIL`.
const REASON_NOT_STARTED: u16 = 205;
/// Access points that one scan tells of.
const MAX_FOUND: usize = 64;
/// How long a channel is listened to (ESP-IDF 5.5, `wifi_scan_time_t`: what it does by default).
const ACTIVE: (Duration, Duration) = (Duration::from_millis(0), Duration::from_millis(120));
const PASSIVE: Duration = Duration::from_millis(360);
/// More results of our own than can be outstanding between two polls.
const RESULTS: usize = 4;

/// The ESP32-C6's radio.
pub struct Radio {
    controller: Mutex<NoopRawMutex, WifiController<'static>>,
    events: RefCell<EventSubscriber<'static>>,
    /// What the driver has no event for.
    results: Channel<NoopRawMutex, RadioEvent, RESULTS>,
    station: RefCell<StationConfig>,
    /// None while there is no SoftAP.
    soft_ap: RefCell<Option<AccessPointConfig>>,
}

impl Radio {
    /// The radio, as a station that joins nothing yet.
    pub fn new(peripheral: WIFI<'static>) -> Result<Self, WifiError> {
        let controller = WifiController::new(peripheral, ControllerConfig::default())?;
        let events = controller.subscribe()?;
        // SAFETY: the subscriber refers to the driver's channel, which is static; the lifetime only
        // says that the controller must not go, and it stays beside it for ever.
        let events = unsafe { transmute::<EventSubscriber<'_>, EventSubscriber<'static>>(events) };
        Ok(Self {
            controller: Mutex::new(controller),
            events: RefCell::new(events),
            results: Channel::new(),
            station: RefCell::new(StationConfig::default()),
            soft_ap: RefCell::new(None),
        })
    }

    fn tell(&self, event: RadioEvent) {
        if self.results.try_send(event).is_err() {
            log::warn!(target: TAG, "a result was lost");
        }
    }

    /// Has the driver do what `station` and `soft_ap` say. It starts anew if a SoftAP comes.
    fn apply(&self, controller: &mut WifiController<'static>) -> Result<(), WifiError> {
        let station = self.station.borrow().clone();
        controller.set_config(&match self.soft_ap.borrow().clone() {
            Some(soft_ap) => Config::AccessPointStation(station, soft_ap),
            None => Config::Station(station),
        })
    }

    async fn try_join(&self, ssid: &[u8], passphrase: &str) -> Result<(), WifiError> {
        let station = StationConfig::default()
            .with_ssid(Ssid::try_from(ssid)?)
            .with_authentication(authentication(passphrase)?)
            // The strongest of those that have the name, as ESP-IDF's provisioning does.
            .with_scan_method(ScanMethod::AllChannels);
        let mut controller = self.controller.lock().await;
        self.station.replace(station);
        self.apply(&mut controller)?;
        // The first poll starts it; how it ends is an event.
        match poll_once(controller.connect_async()) {
            Poll::Ready(Err(ConnectionError::WifiError(error))) => Err(error),
            _ => Ok(()),
        }
    }

    async fn try_start_soft_ap(
        &self,
        ssid: &[u8],
        passphrase: &str,
        channel: u8,
        max_stations: u8,
    ) -> Result<(), WifiError> {
        let soft_ap = AccessPointConfig::default()
            .with_ssid(Ssid::try_from(ssid)?)
            .with_authentication(authentication(passphrase)?)
            .with_channel(channel)
            .with_max_connections(max_stations.into());
        let mut controller = self.controller.lock().await;
        self.soft_ap.replace(Some(soft_ap));
        self.apply(&mut controller)
    }

    async fn try_scan(&self, config: &ScanConfig) -> Result<Vec<AccessPoint>, WifiError> {
        let mut controller = self.controller.lock().await;
        let found = controller.scan_async(config).await?;
        Ok(found.iter().map(heard).collect())
    }

    /// What an event of the driver means.
    fn event_of(&self, event: EventInfo) -> Option<RadioEvent> {
        match event {
            EventInfo::StationConnected {
                ssid,
                bssid,
                channel,
                authmode,
                ..
            } => Some(RadioEvent::Joined(AccessPoint {
                ssid: ssid.as_str().as_bytes().to_vec(),
                bssid,
                channel,
                rssi: self.rssi(),
                auth: u8::try_from(authmode).unwrap_or(u8::MAX),
            })),
            EventInfo::StationDisconnected { reason, .. } => Some(RadioEvent::Left { reason }),
            EventInfo::AccessPointStationConnected { mac, .. } => {
                Some(RadioEvent::StationJoined(mac))
            }
            EventInfo::AccessPointStationDisconnected { mac, .. } => {
                Some(RadioEvent::StationLeft(mac))
            }
            _ => None,
        }
    }

    /// dBm, or 0 while a scan keeps the driver busy.
    fn rssi(&self) -> i8 {
        let controller = self.controller.try_lock().ok();
        controller
            .and_then(|controller| controller.rssi().ok())
            .and_then(|rssi| i8::try_from(rssi).ok())
            .unwrap_or_default()
    }
}

impl device::board::Radio for Radio {
    async fn set_mode(&self, mode: Mode) {
        match mode {
            Mode::Off => {
                let _controller = self.controller.lock().await;
                self.soft_ap.replace(None);
                // SAFETY: the driver is up as long as there is a controller, which is locked.
                unsafe {
                    check("stop", esp_wifi_stop());
                    check("switch off", esp_wifi_set_mode(wifi_mode_t_WIFI_MODE_NULL));
                }
            }
            Mode::Station => {
                self.stop_soft_ap().await;
                let mut controller = self.controller.lock().await;
                if let Err(error) = self.apply(&mut controller) {
                    log::error!(target: TAG, "no station: {error}");
                }
            }
            // The station is there; the SoftAP comes once it has a name.
            Mode::SoftAp | Mode::Both => {}
        }
    }

    async fn join(&self, ssid: &[u8], passphrase: &str) {
        if let Err(error) = self.try_join(ssid, passphrase).await {
            log::error!(target: TAG, "cannot join: {error}");
            self.tell(RadioEvent::Left {
                reason: REASON_NOT_STARTED,
            });
        }
    }

    async fn leave(&self) {
        let mut controller = self.controller.lock().await;
        // The first poll starts it; a station that has joined nothing has nothing to leave.
        let _ = poll_once(controller.disconnect_async());
    }

    async fn scan(&self, channel: u8, passive: bool) {
        let kind = if passive {
            ScanTypeConfig::Passive(PASSIVE)
        } else {
            let (min, max) = ACTIVE;
            ScanTypeConfig::Active { min, max }
        };
        let mut config = ScanConfig::default()
            .with_scan_type(kind)
            .with_max(MAX_FOUND);
        if channel != 0 {
            config = config.with_channel(channel);
        }
        let found = self.try_scan(&config).await.unwrap_or_else(|error| {
            log::error!(target: TAG, "cannot scan: {error}");
            Vec::new()
        });
        self.tell(RadioEvent::ScanDone(found));
    }

    async fn start_soft_ap(&self, ssid: &[u8], passphrase: &str, channel: u8, max_stations: u8) {
        let started = self.try_start_soft_ap(ssid, passphrase, channel, max_stations);
        if let Err(error) = started.await {
            log::error!(target: TAG, "no SoftAP: {error}");
        }
    }

    async fn stop_soft_ap(&self) {
        let _controller = self.controller.lock().await;
        if self.soft_ap.take().is_some() {
            // Not by `set_config`, which would stop the station too.
            // SAFETY: the driver is up as long as there is a controller, which is locked.
            check("stop the SoftAP", unsafe {
                esp_wifi_set_mode(wifi_mode_t_WIFI_MODE_STA)
            });
        }
    }

    async fn event(&self) -> RadioEvent {
        // Only the firmware's one listener calls this.
        let mut events = self.events.borrow_mut();
        loop {
            let event = match select(self.results.receive(), events.next_event()).await {
                Either::First(result) => return result,
                Either::Second(event) => event,
            };
            match event {
                MessageResult::Message(event) => {
                    if let Some(event) = self.event_of(event) {
                        return event;
                    }
                }
                MessageResult::Lagged(missed) => {
                    log::warn!(target: TAG, "{missed} radio events were lost");
                }
            }
        }
    }
}

fn authentication(passphrase: &str) -> Result<AuthenticationMethodConfig, WifiError> {
    Ok(if passphrase.is_empty() {
        AuthenticationMethodConfig::Open
    } else {
        AuthenticationMethodConfig::Wpa2Personal(Password::try_from(passphrase)?)
    })
}

fn check(what: &str, code: i32) {
    if code != 0 {
        log::error!(target: TAG, "the driver does not {what}: {code:#x}");
    }
}

/// A name that is no UTF-8 is cut off where it ceases to be: `esp-radio` shows no more of it.
fn heard(access_point: &AccessPointInfo) -> AccessPoint {
    AccessPoint {
        ssid: access_point.ssid.as_str().as_bytes().to_vec(),
        bssid: access_point.bssid,
        channel: access_point.channel,
        rssi: access_point.signal_strength,
        auth: access_point.auth_method.map_or(0, wifi_auth_mode),
    }
}

/// ESP-IDF's `wifi_auth_mode_t` (5.5, `esp_wifi_types_generic.h`).
fn wifi_auth_mode(method: AuthenticationMethod) -> u8 {
    use AuthenticationMethod as Method;
    match method {
        Method::None => 0,
        Method::Wep => 1,
        Method::Wpa => 2,
        Method::Wpa2Personal => 3,
        Method::WpaWpa2Personal => 4,
        Method::Wpa2Enterprise => 5,
        Method::Wpa3Personal | Method::Wpa3ExtPsk | Method::Wpa3ExtPskMixed => 6,
        Method::Wpa2Wpa3Personal => 7,
        Method::WapiPersonal => 8,
        Method::Owe => 9,
        Method::Wpa3EntSuiteB192Bit => 10,
        Method::Dpp => 13,
        Method::Wpa3Enterprise => 14,
        Method::Wpa2Wpa3Enterprise => 15,
        Method::WpaEnterprise => 16,
        // WIFI_AUTH_MAX: not known here.
        _ => 17,
    }
}
