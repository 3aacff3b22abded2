//! Logs as users send them: the stage and the first cause of each, against what its author knew.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use diagnose::{Cause, Certainty, Diagnosis, Incident, Log};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    /// A stage's name, or `none`.
    stage: String,
    /// Another stage that the log allows as well.
    or: Option<String>,
    /// Rules of which the first cause must be one.
    #[serde(default)]
    cause: Vec<String>,
}

#[test]
fn field_logs_get_their_stage_and_cause() {
    for folder in folders() {
        check(&folder);
    }
}

/// Every set of logs: a folder with its `expected.toml`.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expected.toml").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

/// Nine of ten must be right, and no wrong one may be called likely or certain.
fn check(folder: &Path) {
    let expected = expectations(folder);
    let mut wrong = String::new();
    let mut right = 0;
    let mut confident = 0;
    for (name, expected) in &expected {
        let incident = Incident::of(
            logs_of(folder, name)
                .iter()
                .map(|path| read(path))
                .collect(),
        );
        let first = incident.cause.as_ref().map(|named| &named.cause);
        if is_right(first, expected) {
            right += 1;
            continue;
        }
        if first.is_some_and(|cause| cause.certainty >= Certainty::Likely) {
            confident += 1;
        }
        let said = first.map_or("none".to_owned(), |cause| {
            format!("{} {} ({:?})", cause.stage, cause.id, cause.certainty)
        });
        let _ = writeln!(
            wrong,
            "{name}: {} {:?} expected, {said} said",
            expected.stage, expected.cause
        );
    }
    let all = expected.len();
    println!(
        "{}: {right} of {all} right, {confident} wrong with confidence\n{wrong}",
        folder.display()
    );
    assert_eq!(
        confident,
        0,
        "wrong with confidence in {}:\n{wrong}",
        folder.display()
    );
    assert!(
        right * 10 >= all * 9,
        "{right} of {all} right in {}:\n{wrong}",
        folder.display()
    );
}

/// The logs of one incident: `name.log`, and `name.broker.log` and the like.
fn logs_of(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .filter(|path| incident_of(path) == name)
        .collect();
    logs.sort();
    logs
}

/// The incident that a log is of: its file's name up to the first point.
fn incident_of(path: &Path) -> &str {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.split_once('.').unwrap().0
}

/// What is expected of each incident; every log has an entry and every entry a log.
fn expectations(folder: &Path) -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(folder.join("expected.toml")).unwrap();
    let expected: BTreeMap<String, Expected> = toml::from_str(&text).unwrap();
    let mut logs: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| incident_of(&path).to_owned())
        .collect();
    logs.sort();
    logs.dedup();
    assert_eq!(logs, expected.keys().cloned().collect::<Vec<_>>());
    expected
}

fn read(path: &Path) -> Diagnosis {
    let bytes = std::fs::read(path).unwrap();
    let mut log = Log::new("field");
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        log.line(line.strip_suffix(b"\n").unwrap_or(line));
    }
    if !bytes.ends_with(b"\n") {
        log.cut();
    }
    log.end()
}

fn is_right(first: Option<&Cause>, expected: &Expected) -> bool {
    match first {
        None => expected.stage == "none",
        Some(cause) => {
            let stage = cause.stage.name();
            let is_stage = stage == expected.stage || expected.or.as_deref() == Some(stage);
            is_stage && expected.cause.contains(&cause.id)
        }
    }
}

/// Lines that name a trouble without having it: settings, counters and plans.
const SETTINGS: [&str; 208] = [
    "I (3) app: DHCP: static IP off, default gateway 192.168.1.1",
    "E (717) nvs_cfg: key 'tz' missing (ESP_ERR_NVS_NOT_FOUND)",
    "I (718) app: %CMNG: 16842753,0, rssi -45",
    "waiting for connection... status 2",
    "E (5912) nvs: nvs_open_from_partition: namespace 'history' not found",
    "I (3) app: address in use counter 0",
    "I (3) app: invalid packets dropped 0",
    "I (3) app: packet too large limit 1024",
    "[10:12:01][D][http_request:050]: HTTP Request; URL: http://x; Code: 200; Duration: 40 ms",
    "I (3) app: DHCP: lease 86400 s, ip lost handler set",
    "I (9) mqtt: broker reason codes: 0 ok",
    "I (9) app: publish acknowledged",
    "I (4) main: private key matches certificate",
    "I (5) app: status 404 page registered",
    "I (5) app: server port: 443, error count: 400",
    "I (412) app: connection timeout: 5000 ms, keepalive 120 s",
    "I (413) app: connect timeout set to 10 s",
    "I (414) mqtt: keep alive timeout = 60",
    "I (415) app: errors so far: dns 0, dhcp 0, tls 0",
    "I (416) wifi:set rx beacon pti, rx_bcn_pti: 14, bcn_timeout: 14, mt_pti: 25000, mt_time: 10000",
    "I (417) app: last reset reason: 1",
    "I (418) app: retry on failure: yes, handshake timeout 20 s",
    "I (419) wifi:BcnInt:102400, DTIM:2",
    "W (420) phy_init: saving new calibration data because of checksum failure, mode(0)",
    "E (633) esp_core_dump_flash: No core dump partition found!",
    "I (640) nvs: 0 errors, 112 free entries",
    "I (641) wifi:[ADDBA]RX DELBA, reason:39, delete tid:0, initiator:1(originator)",
    "W (642) wifi:<ba-add>idx:1 (ifx:0, 02:11:22:33:44:55), tid:3, ssn:0, winSize:64",
    "I (643) httpd: bind ok, port 80 already free",
    "I (644) app: brownout detector enabled at level 7",
    "I (645) app: task watchdog timeout 5 s",
    "W (646) wifi:Password length matches WPA2 standards, authmode threshold changes from OPEN to WPA2",
    "I (647) esp_image: segment 5: paddr=0001d624 vaddr=40080400 size=029f4h ( 10740) load",
    "I (648) app: sntp: server pool.example, timeout 15 s",
    "I (649) app: no error",
    "I (650) app: free heap 183240, largest block 110580, alloc failures 0",
    "I (651) mqtt: max reconnect attempts 5, code 4 means bad password",
    "D (652) HTTP_CLIENT: Connection reset count 0",
    "I (653) app: rollback state 5",
    "I (654) app: battery state: 4",
    "I (655) app: sensor status 5",
    "I (656) main: exit code 4",
    "I (657) ota: no update found, version 1.0.4 is current",
    "I (658) app: DNS server 192.168.1.1, backup 8.8.8.8",
    "I (659) app: certificate expires on 2030-01-01",
    "I (660) app: disconnected from debugger",
    "I (661) ota: certificate bundle loaded, 130 entries",
    "I (662) app: retry policy: on fail retry 3",
    "I (663) app: firmware built Thu Jan  4 2024",
    "I (664) ble: device bound to account 17",
    "I (665) app: waiting for host name",
    "[12:21:58][C][mqtt:101]:   Client ID: shed, keepalive 15s, reboot timeout: 900s",
    "I (666) app: reset reason 15",
    "I (667) app: Reset reason: 5",
    "I (668) main: wake-up reason: 2",
    "I (669) ble: disconnected, reason 5",
    "I (670) NimBLE: disconnect; reason=531",
    "I (671) ota: rollback to previous image is supported",
    "I (672) app: rate limit 10 per second",
    "I (673) ota: image size 1048576, not enough space check ok",
    "I (674) app: device already paired with app",
    "D (675) app: Sending PUBLISH to topic up/x",
    "I (676) wm: config portal timeout in 180 seconds",
    "I (677) app: motor throttled to 30 %",
    "I (678) mqtt connect state: 2",
    "I (900) modbus: slave 5 response timeout, status code: 4",
    "W (901) rs485: poll failed, retry 1",
    "E (903) bme280: init failed, state: -4",
    "W (904) NimBLE: ble_gattc_disc failed; rc=5",
    "I (907) BT_SDP: UUID 0x1101 registered",
    "I (908) BT_SDP: UUID 0x1105 registered",
    "E (910) dht: Checksum failed!",
    "I (913) web: using self-signed certificate for https",
    "I (914) wifi: flags: 0x8",
    "D (915) wpa: SSL: Received packet(len=124) - Flags 0x01",
    "W (918) app: MQTT protocol version 4",
    "W (920) web: login: wrong password for user admin",
    "I (923) app: no credentials found, starting access point",
    "W (924) app: Wi-Fi credentials not found",
    "I (925) app: NVS key boot_count not found, using default",
    "[    41][E][Preferences.cpp:50] begin(): nvs_open failed: NOT_FOUND",
    "I (927) wifi:bcn_timeout,ap_probe_send_start",
    "W (928) httpd_uri: httpd_uri: URI '/generate_204' not found",
    "I (929) httpd: HTTP server shutting down",
    "I (933) wifi:station: aa:bb:cc:dd:ee:ff leave, AID = 1, reason = 15",
    "I (935) app: oauth access token expired, refreshing",
    "I (939) app: motor failed, state 5",
    "I (941) ntp: generate request",
    "I (943) app: lookup table error correction on",
    "E (955) camera: Camera probe failed with error 0x105(ESP_ERR_NOT_FOUND)",
    "I (957) can: id 0x8006 received",
    "I (969) lora: packet too large for SF12, splitting",
    "W (970) serial: invalid packet from MCU, dropped",
    "D (972) HTTP_CLIENT: content_length = 404",
    "I (981) app: subscribe to topic failed/alarm ok",
    "I (993) dns_server: listening, NXDOMAIN for unknown names",
    "I (1005) matter: commissioning window closed",
    "I (1008) mcu: firmware image crc mismatch, resend",
    "I (932) esp_netif_lwip: DHCP server started on interface WIFI_AP_DEF with IP: 192.168.4.1",
    "I (1010) BT_HCI: CC evt: op=0x2008, status=0x0",
    "I (1011) BLE_INIT: memory released, 60 KiB",
    "I (1012) bluetooth: free heap 183240, alloc failures 0",
    "E (1013) lcd: failed to add device to the bus",
    "I (1014) esp_https_server: server certificate read, 1188 bytes",
    "I (1015) wifi:mode : sta (24:0a:c4:00:00:01)",
    "I (1016) app: last claim 3 days ago",
    "14:30:16.749 MQT: tele/shed/STATE = {\"Wifi\":{\"LinkCount\":1,\"Downtime\":\"0T00:00:03\"}}",
    "I (812) app: vbat drop since last wake 0.02 V",
    "W (900) pwr: supply dip counter 0",
    "I (1112) ap: station auth failed reason=15",
    "W (1049) web: client 192.168.1.7 TLS handshake failed -0x7780",
    "[err] HAL_Kv_Get failed, key: ROUTER_BSSID",
    "I (1082) app: flash write error rate 0.0",
    "W: rtc lost power, time from modem 2026-02-01 10:20:03",
    "I (5) tls: handshake took: 4210 ms",
    "I (5) app: no lease file, starting fresh",
    "I (5) app: last reset: ESP_RST_PANIC",
    "I (5) app: reset reason: ESP_RST_TASK_WDT",
    "D (5) jwt: exp: 300000000",
    "I (5) app: rssi -87",
    "W (5) svc: rx overflow 0",
    "I (5) app: unconfigured, waiting for setup",
    "I (5) home: claim response: {\"ok\":true,\"code\":200}",
    "I (5) app: OOM handler installed",
    "I (5) nvs: keys found, 12 entries",
    "I (5) app: secure element present",
    "I (5) app: crypto auth: ok",
    "I (5) wifimgr: connect timeout is 1500 ms",
    "I (5) app: 0x8008 written to register",
    "I (5) app: http client: keep-alive, max redirects 5",
    "I (5) mqtt: max packet 4096",
    "I (5) app: se=42 ttl=3600",
    "I (5) rtc: VL bit clear",
    "D (5) EAP: certificate loaded, flags 0",
    "I (5) app: boot:0x33 saved",
    "I (5) app: partition table has www at 0x310000",
    "I (5) app: releasing device from deep sleep",
    "I (5) owner: no conflict",
    "I (5) app: sem ip fixo, usando DHCP",
    "[wifi] sin IP fija",
    "I (5) app: frame dropped 0, crc errors 0",
    "I (5) cam: frame dropped, buffer full",
    "I (5) app: camera: bad frame length, no config",
    "I (5) app: Session ok, group key handshake done",
    "I (5) wifi: roaming to 02:00:00:00:00:01",
    "W (5) sd: f_mount failed, no card",
    "I (5) app: bind ok",
    "I (9) app: heartbeat timeout 30 s",
    "W (9) modem: rssi -95",
    "I (9) tls: session ticket expired, full handshake",
    "I (5) ble: adv rc=0",
    "I (5) http: 200, content 4210",
    "E (5) camera: Failed to get the frame on time!",
    "[E][sensor] CRC error in frame",
    "I (5) app: PIN_OR_KEY check",
    "I (5) app: iat 1712668961 exp 1712672561",
    "W (5) zeit: 2019-01-01 ist der Startwert",
    "I (5) mqtt: MQTT_EVENT_SUBSCRIBED, msg_id=31288",
    "D (5) mqtt: SUBACK for packet id 135",
    "I (5) esp-tls-mbedtls: Certificate verified.",
    "*wm:[2] Connection result: WL_NO_SSID_AVAIL",
    "I (5) wifi: 5 GHz is not supported",
    "I (5) app: ap depot on channel 6, 20 MHz only",
    "I (5) app: message size 233, max payload 65535",
    "I (5) app: claim response: {\"response\":\"SUCCESS\"}",
    "I (5) ws: offers Sec-WebSocket-Protocol: mqtt",
    "I (5) dhcps: softAPConfig ok",
    "I (5) web: listening on localhost:80",
    "I (5) mqtt: broker localhost:1883",
    "I (5) app: signal strength -91 dBm",
    "I (5) dns: query 10.0.0.1 'a.example'",
    "setup hotspot LAMP-7 is up",
    "I (5) portal: page opened 0 times",
    "I (5) wifi: WIFI_PROV_CRED_SUCCESS",
    "I (5) app: 3 of 8 sockets are open",
    "INFO net timedatectl NTP=yes NTPSynchronized=yes",
    "I (5) settings: 28 keys saved, offset -28",
    "[I/WLAN.mgnt] sta associated mac:6a:2e:90:bf:13:d7",
    "I (5) rtc: read OSF=0",
    "I (5) app: config ok: ssid=YARD-NET broker=10.1.0.4:1883",
    "I (5) api: reply {\"code\":0,\"owner\":\"me\"}",
    "D (5) cloud: <- {\"status\":2,\"products\":[]}",
    "I (5) tls: no CA cert set, skipping verification",
    "I (5) modem: registration state: 1, SIM: ready, service: LTE",
    "I (5) app: 0x1109 entries read",
    "W (5) json: name truncated to 32 letters",
    "I (5) app: 192.168.4.1 serves 192.168.4.2",
    "I (5) web: low heap threshold 20000, closing idle clients",
    "I (5) bind: answer code=200 owner confirmed",
    "I (5) own: response {\"result\":\"ok\",\"account\":\"17\"}",
    "I (5) dns: server 0.0.0.0 unset, using the router",
    "I (5) dns: dns0 192.168.50.254 dns1 0.0.0.0",
    "I (5) modem: under-voltage warning level 3300 mV",
    "I (5) pwr: battery 3598 mV",
    "I (5) modem: +CEREG: 0,2",
    "I (5) lora: DevEUI 0011223344556677 loaded",
    "I (5) dhcp: message type 1 sent",
    "I (5) claim: POST https://api.example/v1/claim",
    "I (5) app: location services are enabled",
    "I (5) tls: heap needed for a session 41 KiB",
    "I (5) bind: token fetched, expires in 300 s",
    "I (5) web: certificate valid for 398 days",
    "I (5) nvs: init ok, 12 keys",
    "I (5) ble: location services are enabled, scan starts",
    "I (5) app: network status: 2",
    "I (5) net: socket is not bound",
    "W (5) kv: get wifi_station_password failed with 1102, no credentials",
    "[C][wifi:146]:   DNS1: 192.168.1.1 DNS2: 0.0.0.0",
];

#[test]
fn settings_and_counters_are_no_causes() {
    let mut wrong = String::new();
    for line in SETTINGS {
        let mut log = Log::new("settings");
        log.line(line.as_bytes());
        for cause in log.end().causes {
            let _ = writeln!(wrong, "{line}: {} ({:?})", cause.id, cause.certainty);
        }
    }
    assert_eq!(wrong, "");
}
