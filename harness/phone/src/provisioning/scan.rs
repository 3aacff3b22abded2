//! The device's own look at the access points around it: `prov-scan`.

use std::time::Duration;

use proto::endpoint;
use proto::wifi_config::WifiAuthMode;
use proto::wifi_scan::{
    CmdScanResult, CmdScanStart, CmdScanStatus, Payload, RespScanStatus, WifiScanPayload,
    WifiScanResult,
};

use super::client::ProvisioningClient;
use super::error::ProvisioningError;
use super::exchange::{other_message, success};
use super::summary;

/// More than any device keeps (ESP-IDF: 255 at most).
const MOST: u32 = 256;
/// From one question whether a scan is over to the next.
const GLANCE: Duration = Duration::from_millis(500);

/// How a device scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanSettings {
    /// Whether the device answers the start only when it is done. If not, it is asked.
    pub blocking: bool,
    /// Whether it only listens.
    pub passive: bool,
    /// Channels between two pauses; 0 for no pauses. By the transport if left out.
    pub group_channels: Option<u32>,
    /// Time on each channel.
    pub period: Duration,
    /// How long a scan that does not block may take, in lab time.
    pub patience: Duration,
}

/// As Espressif's own client has it.
impl Default for ScanSettings {
    fn default() -> Self {
        Self {
            blocking: true,
            passive: false,
            group_channels: None,
            period: Duration::from_millis(120),
            patience: Duration::from_secs(30),
        }
    }
}

/// What a scan came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Scanned {
    /// How many access points the device announced.
    pub announced: u32,
    /// Those that it delivered, the strongest first.
    pub found: Vec<WifiScanResult>,
}

impl Scanned {
    /// How many access points were announced and not delivered.
    pub fn missing(&self) -> u32 {
        let delivered = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        self.announced.saturating_sub(delivered)
    }

    /// The access points, if the device delivered as many as it announced.
    pub fn complete(self) -> Result<Vec<WifiScanResult>, ProvisioningError> {
        match self.missing() {
            0 => Ok(self.found),
            _ => Err(ProvisioningError::ScanIncomplete {
                announced: self.announced,
                delivered: self.found.len(),
            }),
        }
    }
}

/// How an access point authenticates, by the name that ESP-IDF's messages have for it
/// (`WPA2_PSK`); a number that they do not name as `mode N`.
pub fn auth_mode_name(mode: i32) -> String {
    let name = match WifiAuthMode::try_from(mode) {
        Ok(WifiAuthMode::Open) => "Open",
        Ok(WifiAuthMode::Wep) => "WEP",
        Ok(WifiAuthMode::WpaPsk) => "WPA_PSK",
        Ok(WifiAuthMode::Wpa2Psk) => "WPA2_PSK",
        Ok(WifiAuthMode::WpaWpa2Psk) => "WPA_WPA2_PSK",
        Ok(WifiAuthMode::Wpa2Enterprise) => "WPA2_ENTERPRISE",
        Ok(WifiAuthMode::Wpa3Psk) => "WPA3_PSK",
        Ok(WifiAuthMode::Wpa2Wpa3Psk) => "WPA2_WPA3_PSK",
        // Devices pass their driver's number through.
        Err(_) => return format!("mode {mode}"),
    };
    name.to_owned()
}

impl ProvisioningClient {
    /// Has the device scan for access points: all channels, actively, until it is done.
    pub async fn scan(&mut self) -> Result<Scanned, ProvisioningError> {
        self.scan_as(&ScanSettings::default()).await
    }

    /// Has the device scan for access points. The strongest comes first.
    pub async fn scan_as(&mut self, settings: &ScanSettings) -> Result<Scanned, ProvisioningError> {
        self.scan_start(settings).await?;
        let clock = self.trace.clock().clone();
        let began = clock.now();
        let status = loop {
            let status = self.scan_status().await?;
            if status.scan_finished {
                break status;
            }
            let after = clock.now().since(began);
            if after > settings.patience {
                return Err(ProvisioningError::EndlessScan { after });
            }
            clock.sleep(GLANCE).await;
        };
        self.scan_results(status.result_count).await
    }

    /// Has the device begin to scan.
    pub async fn scan_start(&mut self, settings: &ScanSettings) -> Result<(), ProvisioningError> {
        let command = "scan_start";
        let group = self.transport.kind().scan_group();
        let start = CmdScanStart {
            blocking: settings.blocking,
            passive: settings.passive,
            group_channels: settings.group_channels.unwrap_or(group),
            period_ms: u32::try_from(settings.period.as_millis()).unwrap_or(u32::MAX),
        };
        match self
            .scan_call(command, Payload::CmdScanStart(start))
            .await?
        {
            Payload::RespScanStart(_) => Ok(()),
            _ => Err(other_message(command)),
        }
    }

    /// Asks whether the scan is over, and how much was found so far.
    pub async fn scan_status(&mut self) -> Result<RespScanStatus, ProvisioningError> {
        let command = "scan_status";
        let status = Payload::CmdScanStatus(CmdScanStatus {});
        match self.scan_call(command, status).await? {
            Payload::RespScanStatus(status) => Ok(status),
            _ => Err(other_message(command)),
        }
    }

    /// Fetches the first `count` results, as many at a time as the transport can carry.
    pub async fn scan_results(&mut self, count: u32) -> Result<Scanned, ProvisioningError> {
        let announced = count;
        let total = count.min(MOST);
        let slice = self.transport.kind().scan_slice();
        let mut found = Vec::new();
        let mut start_index = 0;
        while start_index < total {
            let count = (total - start_index).min(slice);
            found.extend(self.scan_result(start_index, count).await?);
            start_index += count;
        }
        Ok(Scanned { announced, found })
    }

    /// Fetches `count` results, from the `start_index`-th on.
    pub async fn scan_result(
        &mut self,
        start_index: u32,
        count: u32,
    ) -> Result<Vec<WifiScanResult>, ProvisioningError> {
        let command = "scan_result";
        let range = Payload::CmdScanResult(CmdScanResult { start_index, count });
        match self.scan_call(command, range).await? {
            Payload::RespScanResult(answer) => Ok(answer.entries),
            _ => Err(other_message(command)),
        }
    }

    async fn scan_call(
        &mut self,
        command: &'static str,
        request: Payload,
    ) -> Result<Payload, ProvisioningError> {
        let request = WifiScanPayload::from(request);
        let answer = self
            .message(endpoint::SCAN, &request, summary::scan)
            .await?;
        success(command, answer.status)?;
        match answer.payload {
            Some(payload) if answer.msg == request.msg + 1 => Ok(payload),
            _ => Err(other_message(command)),
        }
    }
}
