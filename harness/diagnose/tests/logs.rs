//! What a log tells in which more than one rule could speak: what is over, what follows, and how sure it is.

mod common;

use common::{first, read};
use diagnose::{Certainty, Kind, Log, Stage};

#[test]
fn what_follows_a_lost_access_point_is_no_problem_of_tls() {
    let diagnosis = read(
        "I (3012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01
I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
I (7012) app: MQTT_EVENT_CONNECTED
I (90012) wifi:bcn_timeout,ap_probe_send_start
E (96012) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x0050
W (96013) app: MQTT_EVENT_DISCONNECTED",
    );
    assert_eq!(diagnosis.causes[0].id, "beacon-lost");
    let followed: Vec<Stage> = diagnosis
        .consequences
        .iter()
        .map(|cause| cause.stage)
        .collect();
    assert!(followed.contains(&Stage::Tls), "{followed:?}");
}

#[test]
fn what_was_over_is_history() {
    let diagnosis = read(
        "W (5541) app: disconnected, reason 15
I (9012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01
I (9512) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (15012) esp-tls: couldn't get hostname for :broker.example: getaddrinfo() returns 202, addrinfo=0x0",
    );
    assert_eq!(diagnosis.causes[0].id, "name-not-resolved");
    assert!(
        diagnosis
            .history
            .iter()
            .any(|past| past.id == "wrong-passphrase" && past.recovered)
    );
    assert_eq!(diagnosis.last.reached, Some(Stage::Dhcp));
}

#[test]
fn an_earlier_crash_is_told_though_the_next_start_is_clean() {
    let diagnosis = read(
        "ets Jun  8 2016 00:22:57
rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
I (3012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01
Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.
ets Jun  8 2016 00:22:57
rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
I (30) boot: ESP-IDF v5.1 2nd stage bootloader",
    );
    assert_eq!(diagnosis.causes[0].id, "panic");
    assert_eq!(diagnosis.last.number, 1);
    assert!(
        diagnosis.notes[0].contains("attempt 2"),
        "{:?}",
        diagnosis.notes
    );
}

#[test]
fn silence_and_rubbish_are_said_to_be_that() {
    let nothing = read("hello\nworld");
    assert_eq!(nothing.causes, []);
    assert!(
        nothing.notes[0].contains("no line of the log"),
        "{:?}",
        nothing.notes
    );
    assert!(read("").notes[0].contains("empty"));
    let mut log = Log::new("garbled");
    for _ in 0..20 {
        log.line(b"\xf2\x9c\xe0\x00\x8c\xe3\xff\x1c\x93\x80x\xfe\x02\x90");
    }
    let garbled = log.end();
    assert_eq!(garbled.causes[0].id, "log-garbled");
}

#[test]
fn a_program_or_an_archive_is_said_to_be_that_and_not_searched_for_causes() {
    let mut log = Log::new("device.elf");
    log.line(b"\x7fELF\x02\x01\x01\0\0\0Bluetooth controller init failed, reason 201");
    let told = log.end();
    assert_eq!(told.causes.len(), 1, "{:?}", told.causes);
    assert_eq!(told.causes[0].id, "no-log");
    assert!(told.causes[0].cause.contains("a program (ELF)"));
}

#[test]
fn a_broker_s_log_is_read_from_its_side() {
    let broker = read(
        "1700000000: mosquitto version 2.0.11 starting
1700000001: New connection from 192.168.1.20:50112 on port 8883.
1700000001: OpenSSL Error[0]: error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
    );
    assert_eq!(broker.kind, Some(Kind::Broker));
    assert_eq!(broker.causes[0].id, "broker-untrusted-by-client");
    assert_eq!(
        first("E (6012) esp-tls-mbedtls: alert unknown ca, mbedtls_ssl_handshake returned -0x7780"),
        "client-refused"
    );
}

#[test]
fn a_server_that_refuses_was_reached() {
    let diagnosis = read(
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (5012) esp-tls: couldn't get hostname for :broker.example: getaddrinfo() returns 202, addrinfo=0x0
E (9012) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780",
    );
    assert_eq!(diagnosis.causes[0].id, "client-refused");
    assert_eq!(diagnosis.history[0].id, "name-not-resolved");
}

#[test]
fn late_beacons_are_a_hint_unless_something_follows_from_them() {
    let alone = read(
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
I (90012) wifi:bcn_timeout,ap_probe_send_start",
    );
    assert_eq!(alone.causes, [], "{:?}", alone.causes);
    assert_eq!(alone.hints[0].id, "beacon-lost");
}

#[test]
fn a_log_that_ends_where_the_station_starts_tells_no_cause_yet() {
    let ends = read(
        "ets Jun  8 2016 00:22:57
I (774) wifi:mode : sta (24:0a:c4:00:00:01)
I (774) wifi:enable tsf",
    );
    assert_eq!(ends.causes, [], "{:?}", ends.causes);
    assert_eq!(ends.hints[0].id, "never-joins");
    let tries = "ets Jun  8 2016 00:22:57
I (774) wifi:mode : sta (24:0a:c4:00:00:01)
I (3106) wifi:state: init -> auth (b0)";
    let early = read(tries);
    assert_eq!(early.causes, [], "{:?}", early.causes);
    assert_eq!(early.hints[0].id, "never-joins");
    let waits = format!("{tries}\nI (9106) app: no network yet");
    assert_eq!(first(&waits), "never-joins");
}

#[test]
fn what_was_not_waited_for_is_told_less_surely() {
    let joined = "ets Jun  8 2016 00:22:57
I (3012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01";
    let certainty = |text: &str| read(text).causes.first().map(|cause| cause.certainty);
    assert_eq!(certainty(joined), Some(Certainty::Possible));
    let waits = format!("{joined}\nI (33012) app: still here");
    assert_eq!(certainty(&waits), Some(Certainty::Likely));
    let mut cut = Log::new("cut");
    joined.lines().for_each(|line| cut.line(line.as_bytes()));
    cut.line(b"I (3020) wifi:pm sta");
    cut.cut();
    let cut = cut.end();
    assert_eq!(cut.causes, [], "{:?}", cut.causes);
    assert_eq!(cut.hints[0].id, "no-address");
}

#[test]
fn a_line_by_the_way_makes_nothing_likely() {
    for line in [
        "E (45) syslog: connection refused",
        "E (45) app: brownout detector was triggered, ignored",
        "# i think it is STATION_WRONG_PASSWORD again",
    ] {
        let diagnosis = read(line);
        assert_eq!(diagnosis.causes[0].certainty, Certainty::Possible, "{line}");
    }
    let twice = "E (45) syslog: connection refused\nE (46) app: connection refused";
    assert_eq!(read(twice).causes[0].certainty, Certainty::Certain);
}

#[test]
fn what_only_says_that_something_is_wrong_is_a_hint_once_messages_are_taken() {
    let refused =
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (5210) esp_https_ota: File not found(404)";
    assert_eq!(first(refused), "http-refused");
    let taken = format!("{refused}\nI (7012) app: MQTT_EVENT_CONNECTED");
    assert_eq!(read(&taken).causes[0].certainty, Certainty::Possible);
    let taken = format!("{taken}\nI (7112) app: MQTT_EVENT_PUBLISHED, msg_id=1");
    let diagnosis = read(&taken);
    assert_eq!(diagnosis.causes, [], "{:?}", diagnosis.causes);
    assert_eq!(diagnosis.hints[0].id, "http-refused");
}

#[test]
fn a_first_failure_in_the_last_line_of_a_long_log_is_only_possible() {
    let start: String = (0..14)
        .map(|line| format!("I ({line}00) app: step {line}\n"))
        .collect();
    let fails = format!("{start}W (5541) wifi: disconnected, reason 201");
    let certainty = |text: &str| read(text).causes[0].certainty;
    assert_eq!(certainty(&fails), Certainty::Possible);
    let again = format!("{fails}\nW (8541) wifi: disconnected, reason 201");
    assert_eq!(certainty(&again), Certainty::Certain);
}

#[test]
fn a_trouble_that_a_log_goes_on_from_without_a_word_is_only_possible() {
    let start =
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (5012) esp-tls: [sock=54] delayed connect error: Connection refused";
    let certainty = |text: &str| read(text).causes[0].certainty;
    assert_eq!(certainty(start), Certainty::Certain);
    let goes_on = format!("{start}{}", "\nI (5600) app: 20.1 degrees".repeat(6));
    assert_eq!(certainty(&goes_on), Certainty::Possible);
    let again = format!("{goes_on}\nE (9012) mqtt_client: Error transport connect");
    assert_eq!(certainty(&again), Certainty::Certain);
    let reset = "rst:0xf (BROWNOUT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)";
    let reset = format!("{reset}{}", "\nI (600) app: 20.1 degrees".repeat(6));
    assert_eq!(certainty(&reset), Certainty::Certain);
}

#[test]
fn a_page_that_was_served_before_is_no_way_further_than_the_cloud() {
    let diagnosis = read(
        "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
*wm:[2] Connection result: WL_NO_SSID_AVAIL
*wm:[2] HTTP server started
rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
I (3012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01
I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
I (7012) app: MQTT_EVENT_CONNECTED",
    );
    assert_eq!(diagnosis.causes, [], "{:?}", diagnosis.causes);
}

#[test]
fn a_crash_is_told_with_the_first_lines_of_the_start_behind_it() {
    let crash = "E (10315) task_wdt: Task watchdog got triggered. The following tasks did not reset the watchdog
rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)";
    assert_eq!(first(crash), "task-watchdog");
}

#[test]
fn an_address_for_one_station_is_none_for_another() {
    let no_address = "Apr 23 09:02:10 rtr dnsmasq-dhcp[812]: DHCPDISCOVER(br0) 02:00:00:00:00:01 no address available\n";
    let given = "Apr 23 09:02:16 rtr dnsmasq-dhcp[812]: DHCPACK(br0) 10.40.0.110 02:00:00:00:00:02";
    assert_eq!(first(&format!("{no_address}{given}")), "pool-empty");
    let given_later = given.replace("00:02", "00:01");
    assert_eq!(first(&format!("{no_address}{given_later}")), "");
}

#[test]
fn what_stands_in_a_log_for_comparison_ends_nothing() {
    let fails = "I (2120) esp_netif_handlers: sta ip: 10.77.2.19, mask: 255.255.0.0, gw: 10.77.0.1
W (7012) mqtt_client: Connection refused, not authorized\n";
    for compared in [
        "good one of same lot:\nI (4210) app: MQTT_EVENT_CONNECTED",
        "> I (4210) app: MQTT_EVENT_CONNECTED",
        "== good (14)\nI (4210) app: MQTT_EVENT_CONNECTED",
    ] {
        assert_eq!(first(&format!("{fails}{compared}")), "bad-credentials");
    }
    let recovers = format!("{fails}I (9210) app: MQTT_EVENT_CONNECTED");
    assert_eq!(first(&recovers), "");
}

#[test]
fn a_recording_that_was_ended_tells_nothing_of_what_may_have_come() {
    let joined = "ets Jun  8 2016 00:22:57
I (2610) wifi:state: auth -> assoc (0)
I (2633) wifi:state: assoc -> run (10)\n";
    assert_eq!(first(joined), "no-address");
    assert_eq!(first(&format!("{joined}--- exit")), "");
}

#[test]
fn words_of_failure_beside_those_of_success_prove_nothing() {
    let diagnosis = read(
        "[wifi] joined home in 2.1 s
[mqtt] waiting to be connected
[mqtt] not online
<inf> mqtt_simple: LTE Link Connected!
:ack 203
# ssid \"home\": the phone is connected to it",
    );
    assert_eq!(diagnosis.last.reached, Some(Stage::Join));
}

#[test]
fn a_log_that_ends_well_has_no_cause() {
    let good = read(
        "ets Jun  8 2016 00:22:57
rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
I (812) app: Starting provisioning
I (830) wifi_prov_mgr: Provisioning started with service name : PROV_C40ABC
I (9812) app: SoftAP transport: Connected!
I (9900) app: Secured session established!
I (9910) app: Received Wi-Fi credentials
I (13012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01
I (13910) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
I (14512) app: Notification of a time synchronization event
I (17012) app: MQTT_EVENT_CONNECTED
I (17112) app: MQTT_EVENT_PUBLISHED, msg_id=1",
    );
    assert_eq!(good.causes, [], "{:?}", good.causes);
    assert_eq!(good.last.reached, Some(Stage::Cloud));
}

#[test]
fn memory_does_not_grow_with_the_log() {
    let mut log = Log::new("long");
    for number in 0..50_000 {
        log.line(format!("W ({number}) app: disconnected, reason 15").as_bytes());
        log.line(b"ets Jun  8 2016 00:22:57");
    }
    let diagnosis = log.end();
    assert!(diagnosis.history.len() <= 64);
    assert_eq!(diagnosis.causes[0].id, "wrong-passphrase");
    assert_eq!(diagnosis.lines, 100_000);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_survived(lines in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..80), 0..20)) {
        let mut log = Log::new("any");
        for line in &lines {
            log.line(line);
        }
        let incident = diagnose::Incident::of(vec![log.end()]);
        diagnose::to_text(&incident);
    }
}
