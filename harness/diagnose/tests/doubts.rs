//! What makes a cause less sure: what changed before it, a more basic trouble, words that are no library's.

use diagnose::{Cause, Certainty, Log};

fn first(text: &str) -> Cause {
    let mut log = Log::new("example");
    for line in text.trim().lines() {
        log.line(line.as_bytes());
    }
    log.end().causes.swap_remove(0)
}

#[test]
fn a_gateway_that_is_another_than_when_it_worked_is_the_cause_of_names_that_are_not_found() {
    let log = |network: &str, address: &str| {
        let (own, gateway) = (format!("{address}.103"), format!("{address}.1"));
        first(&format!(
            "I (3) net: ssid=Hall
I (4) net: addr 192.168.178.61/24 gw 192.168.178.1
I (5) app: MQTT_EVENT_CONNECTED
I (6) net: ssid={network}
I (7) net: addr {own}/24 gw {gateway}
E (8) esp-tls: couldn't get hostname for :host.lan: getaddrinfo() returns 202
E (9) esp-tls: couldn't get hostname for :host.lan: getaddrinfo() returns 202"
        ))
    };
    let rogue = log("Hall", "192.168.0");
    assert_eq!(rogue.id, "other-dhcp-server");
    assert_eq!(rogue.certainty, Certainty::Likely);
    assert_eq!(rogue.evidence.len(), 2);
    assert_eq!(log("Hall", "192.168.178").id, "name-not-resolved");
    assert_eq!(log("Home", "192.168.0").id, "name-not-resolved");
}

#[test]
fn a_name_that_stands_for_another_network_than_before_is_the_cause_of_a_wrong_certificate() {
    let log = |address: &str| {
        first(&format!(
            "I (5314) app: mq.vendor.example = 198.51.100.87
I (6122) app: MQTT_EVENT_CONNECTED
I (9010) app: mq.vendor.example = {address}
E (9391) esp-tls: The certificate Common Name (CN) does not match with the expected CN
E (9991) esp-tls: The certificate Common Name (CN) does not match with the expected CN"
        ))
    };
    assert_eq!(log("203.0.113.45").id, "name-elsewhere");
    assert_eq!(log("198.51.100.87").id, "server-wrong-name");
    assert_eq!(log("198.51.7.7").id, "server-wrong-name");
}

#[test]
fn a_refusal_is_only_possible_where_the_heap_has_fallen_or_the_name_has_moved() {
    let refused =
        "E (9012) esp-tls: [sock=54] delayed connect error: Connection refused\n".repeat(2);
    let certainty = |before: &str| first(&format!("{before}\n{refused}")).certainty;
    assert_eq!(certainty("I (1) app: free heap 171240"), Certainty::Certain);
    let falls = "I (1) app: free heap 171240\nI (2) app: free heap 39240";
    assert_eq!(certainty(falls), Certainty::Possible);
    let moves = "I (1) app: mq.vendor.example -> 198.51.100.87\nI (2) app: mq.vendor.example -> 203.0.113.45";
    assert_eq!(certainty(moves), Certainty::Possible);
}

#[test]
fn what_comes_behind_a_trouble_of_storage_is_less_sure() {
    let settings = "E (9) esp-tls-mbedtls: mbedtls_pk_parse_keyfile returned -0x3D00\n".repeat(2);
    assert_eq!(first(&settings).certainty, Certainty::Certain);
    let behind = first(&format!(
        "W (1) app: config in nvs, using defaults\n{settings}"
    ));
    assert_eq!(behind.id, "tls-settings");
    assert_eq!(behind.certainty, Certainty::Likely);
}

#[test]
fn what_a_reader_has_written_between_the_lines_of_a_device_makes_nothing_likely() {
    let remark = "The app only says \"wrong proof of possession\", but we have checked it twice";
    let own = "I (31022) app: BLE transport: Connected!";
    assert_eq!(
        first(&format!("{own}\n{remark}")).certainty,
        Certainty::Possible
    );
    let said =
        format!("{own}\nE (9) security2: Security version mismatch. Closing connection\n{remark}");
    assert_eq!(first(&said).id, "wrong-security");
}

#[test]
fn an_http_client_of_arduino_says_refused_whatever_the_reason() {
    let says = "[910239] http -1  connection refused\n".repeat(2);
    assert_eq!(first(&says).id, "no-connection");
}

#[test]
fn a_guess_of_the_firmware_makes_nothing_likely() {
    let guess = "[net] 30 s nothing -> wrong wifi password?";
    assert_eq!(first(guess).certainty, Certainty::Possible);
    let told = format!("state: 3 -> 0 (1b10)\n{guess}\n{guess}");
    assert_eq!(first(&told).id, "association-mode");
}

#[test]
fn what_a_browser_asks_every_server_for_is_no_trouble_of_a_device() {
    for asks in [
        "W (40210) httpd_uri: httpd_uri: URI '/favicon.ico' not found",
        "[web] GET /favicon.ico -> 404",
        "[web] /apple-touch-icon.png nicht gefunden",
    ] {
        let mut log = Log::new("example");
        log.line(asks.as_bytes());
        assert_eq!(log.end().causes, [], "{asks}");
    }
    let asks = "W (40210) httpd_uri: httpd_uri: URI '/data' not found";
    assert_eq!(first(asks).id, "server-not-found");
}

#[test]
fn what_strangers_do_at_a_gateway_s_own_broker_is_no_cause() {
    let scan = "May 04 02:01:31 gw mosquitto[911]: 1714780891: OpenSSL Error[0]: error:0A00010B:SSL routines::wrong version number\n";
    let own = "May 04 02:00:05 gw warmte[940]: mq: verbonden rc=0\n";
    let read = |text: &str| {
        let mut log = Log::new("example");
        text.lines().for_each(|line| log.line(line.as_bytes()));
        log.end()
    };
    let starts =
        "May 04 02:00:01 gw mosquitto[911]: 1714780801: mosquitto version 2.0.18 starting\n";
    let journal = format!("{starts}{own}{scan}");
    assert_eq!(read(&journal).causes, []);
    let again = format!("{journal}{scan}{scan}");
    assert_eq!(read(&again).causes[0].id, "broker-plain-client");
    // What a broker's lines tell is not read as a device's.
    assert_eq!(read(&again).causes.len(), 1);
}

#[test]
fn a_trouble_behind_which_the_device_goes_online_is_over() {
    for up in [
        "[paho] Received CONNACK (1, 0)",
        "mq: up, flushing backlog",
        "broker: angemeldet als dev7",
        "conectado al broker",
        "MQTT 登录成功",
        "Connected with result code 0",
    ] {
        let mut log = Log::new("example");
        log.line(b"mq: [Errno -3] Temporary failure in name resolution");
        log.line(up.as_bytes());
        assert_eq!(log.end().causes, [], "{up}");
    }
}

#[test]
fn what_another_device_or_network_shows_ends_no_trouble_of_this_one() {
    let trouble = "I (15) app: not set up\nE (20718) security1: Key mismatch. Close connection";
    let well = "I (21044) app: secure session established\nI (29770) app: MQTT_EVENT_CONNECTED";
    for heading in [
        "-- another plug on the same table --",
        "# taken home, other wlan:",
        "(same sketch, other board, same server:)",
        "=== with the hotspot of a phone it works ===",
    ] {
        let log = format!("{trouble}\n{heading}\n{well}");
        assert_eq!(first(&log).id, "wrong-pop", "{heading}");
    }
}

#[test]
fn what_a_tool_reaches_from_a_laptop_ends_no_trouble_of_the_device() {
    let log = "E (5012) esp-tls: [sock=54] delayed connect error: Connection refused
E (9012) esp-tls: [sock=54] delayed connect error: Connection refused
$ openssl s_client -connect mq.vendor.example:8883
CONNECTED(00000005)
mqtt connected";
    assert_eq!(first(log).id, "connection-refused");
}

#[test]
fn a_weak_signal_comes_before_a_wrong_passphrase() {
    let log = |signal: i32| {
        first(&format!(
            "I (9000) app: wifi join, rssi: {signal}
W (9541) app: disconnected, reason 15
I (19000) app: wifi join, rssi: {signal}
W (19541) app: disconnected, reason 15"
        ))
    };
    assert_eq!(log(-58).id, "wrong-passphrase");
    let weak = log(-84);
    assert_eq!(weak.id, "join-on-weak-signal");
    assert_eq!(weak.certainty, Certainty::Possible);
}

#[test]
fn a_leak_that_ends_an_attempt_is_told_though_the_next_one_is_well() {
    let falls = [48212, 44876, 41540, 38204, 21560, 4212]
        .map(|free| format!("I (9) sys: heap {free}"))
        .join("\n");
    let start = "ets Jun  8 2016 00:22:57";
    let ends = "E (9) esp-tls-mbedtls: mbedtls_ssl_setup returned -0x7F00";
    let log = format!("{start}\n{falls}\n{ends}\n{start}\nI (4780) mqtt: connected");
    assert_eq!(first(&log).id, "heap-leaks");
}

#[test]
fn a_failure_that_no_rule_knows_is_possible_if_the_log_ends_in_it() {
    let log = |behind: &str| {
        let mut log = Log::new("example");
        let fails = "E (9) shop: telemetry: error 71 from the cloud's gate\n".repeat(3);
        let text = format!("I (4) app: start\n{fails}{behind}");
        text.lines().for_each(|line| log.line(line.as_bytes()));
        log.end().causes
    };
    let unnamed = &log("I (12) app: sleep")[0];
    assert_eq!(unnamed.id, "unnamed-trouble");
    assert_eq!(unnamed.stage, diagnose::Stage::Cloud);
    assert_eq!(unnamed.certainty, Certainty::Possible);
    assert_eq!(unnamed.evidence[0].count, 3);
    assert_eq!(log("I (12) app: MQTT_EVENT_CONNECTED"), []);
    assert_eq!(log(&"I (12) app: door shut\n".repeat(9)), []);
}

#[test]
fn a_log_that_ends_in_a_failure_or_an_attempt_of_its_own_words_gets_the_stage_that_they_name() {
    let last = |text: &str| {
        let mut log = Log::new("example");
        text.lines().for_each(|line| log.line(line.as_bytes()));
        log.end()
            .causes
            .first()
            .map(|cause| (cause.stage, cause.certainty))
    };
    let stage = |text: &str| last(text).map(|(stage, _)| stage);
    let start = "I (4) app: start\n";
    let fails = format!("{start}4.1 WARN ask A hub.example by dns: Failed\n4.2 ERROR up: NoHost");
    assert_eq!(
        last(&fails),
        Some((diagnose::Stage::Dns, Certainty::Possible))
    );
    let over = format!("{fails}\nI (9) app: MQTT_EVENT_CONNECTED");
    assert_eq!(stage(&over), None);
    let refused = format!("{start}E (9) ble_mesh: invalid confirmation value");
    assert_eq!(stage(&refused), Some(diagnose::Stage::Session));
    let attempt = format!(
        "{start}{}",
        "I (9) app: asking for a dhcp lease\n".repeat(4)
    );
    assert_eq!(stage(&attempt), Some(diagnose::Stage::Dhcp));
    // It waits for a phone as long as it likes.
    let waits = format!(
        "{start}{}",
        "I (9) app: waiting for provisioning\n".repeat(4)
    );
    assert_eq!(stage(&waits), None);
    let unset = format!("{start}E (9) cfg: nvs room_name: ESP_ERR_NVS_NOT_FOUND");
    assert_eq!(stage(&unset), None);
}

#[test]
fn a_trouble_that_is_over_each_time_and_comes_back_to_the_end_is_possible() {
    let turn = "E (9) esp-tls: [sock=54] delayed connect error: Connection reset by peer
I (12) app: MQTT_EVENT_CONNECTED
I (14) app: door shut
I (15) app: door open\n";
    let read = |text: String| {
        let mut log = Log::new("example");
        text.lines().for_each(|line| log.line(line.as_bytes()));
        log.end().causes
    };
    let back = &read(turn.repeat(4))[0];
    assert_eq!(back.certainty, Certainty::Possible);
    assert_eq!(read(turn.repeat(2)), []);
    let over = "I (14) app: door shut\n".repeat(9);
    assert_eq!(read(turn.repeat(4) + &over), []);
}

#[test]
fn a_failure_before_the_cause_that_no_rule_knows_takes_a_step_off_it_and_is_named() {
    let refused =
        "E (9012) esp-tls: [sock=54] delayed connect error: Connection refused\n".repeat(2);
    let behind = |before: &str| first(&format!("{before}\n{refused}"));
    let failed = "E (812) keys: slot 3 unreadable, error 71";
    let cause = behind(failed);
    assert_eq!(cause.id, "connection-refused");
    assert_eq!(cause.certainty, Certainty::Likely);
    let tells = |tell: &String| tell.contains("line 1, `E (812) keys");
    assert!(cause.would_tell.iter().any(tells), "{cause:?}");
    for harmless in [
        "I (812) keys: slot 3 read",
        "E (812) modbus: slave 4: error 71",
        "E (812) keys: slot 3 unreadable, error 71, using defaults",
        "E (812) app: publish failed, error 71",
    ] {
        assert_eq!(behind(harmless).certainty, Certainty::Certain, "{harmless}");
    }
    let over = format!("{failed}\nI (1480) app: MQTT_EVENT_CONNECTED");
    let tells = |tell: &String| tell.contains("keys");
    assert!(!behind(&over).would_tell.iter().any(tells));
}

#[test]
fn a_server_that_is_not_reached_without_an_address_is_only_likely() {
    let joined = "I (3012) wifi:connected with home, aid = 1, channel 6";
    let fails = "E (9) esp-tls: couldn't get hostname for :x.example: getaddrinfo() returns 202\n";
    let certainty = |before: &str| first(&format!("{before}\n{}", fails.repeat(2))).certainty;
    assert_eq!(certainty(joined), Certainty::Likely);
    let address =
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1";
    let has_one = format!("{joined}\n{address}");
    assert_eq!(certainty(&has_one), Certainty::Certain);
}

#[test]
fn what_was_well_before_has_another_reason_than_a_wrong_setting() {
    let lost = "W (9) app: disconnected, reason 201\n".repeat(2);
    let joined = "I (3) wifi:connected with home, aid = 1, channel 6\n";
    assert_eq!(first(&lost).certainty, Certainty::Certain);
    assert_eq!(
        first(&format!("{joined}{lost}")).certainty,
        Certainty::Likely
    );
}

#[test]
fn why_a_chip_was_reset_before_the_log_began_is_no_cause_of_what_comes_behind() {
    let start = "ets Jun  8 2016 00:22:57
rst:0x8 (TG1WDT_SYS_RESET),boot:0x17 (SPI_FAST_FLASH_BOOT)";
    assert_eq!(first(start).certainty, Certainty::Likely);
    let behind =
        format!("{start}\nI (830) wifi_prov_mgr: Provisioning started with service name : LAMP");
    assert_eq!(first(&behind).certainty, Certainty::Possible);
    let behind = format!("{behind}\nW (9541) app: disconnected, reason 15");
    assert_eq!(first(&behind).id, "wrong-passphrase");
}

#[test]
fn what_came_again_and_again_counts_more_than_a_client_that_is_lost_at_the_end() {
    let turn = |port: u64| {
        format!(
            "1714470022: New connection from 10.8.0.58:{port} on port 1883.
1714470022: Client valve already connected, closing old connection.
1714470022: New client connected from 10.8.0.58:{port} as valve (p2, c1, k60).\n"
        )
    };
    let turns: String = (49155..49159).map(turn).collect();
    let lost = "1714470103: Client other closed its connection.";
    assert_eq!(first(&format!("{turns}{lost}")).id, "broker-taken-over");
    assert_eq!(
        first(&format!("{}{lost}", turn(49155))).id,
        "broker-client-lost"
    );
}

#[test]
fn a_broker_s_journal_behind_what_a_device_is_refused_for_leaves_the_log_the_device_s() {
    let refused = "07:02:10 MQTT: Connect FAILED to 192.168.1.5:1883, rc 5. Retry in 10 seconds\n";
    let journal = "Mar 02 06:02:10 home mosquitto[417]: 1709359330: New connection from 192.168.1.13 on port 1883.
Mar 02 06:02:10 home mosquitto[417]: 1709359330: Socket error on client <unknown>, disconnecting.";
    assert_eq!(first(&format!("{refused}{journal}")).id, "bad-credentials");
    assert_eq!(first(journal).id, "broker-client-hung-up");
}

#[test]
fn what_could_not_be_saved_is_missing_after_a_restart() {
    let log = |before: &str| {
        first(&format!(
            "ets Jun  8 2016 00:22:57
I (530) app: start
{before}
ets Jun  8 2016 00:22:57
W (3751) mqtt_client: Connection refused, not authorized
W (13751) mqtt_client: Connection refused, not authorized"
        ))
    };
    assert_eq!(
        log("I (812) keys: saved to nvs").certainty,
        Certainty::Certain
    );
    let lost = log("E (812) keys: flash write of slot 3: 71");
    assert_eq!(lost.id, "bad-credentials");
    assert_eq!(lost.certainty, Certainty::Likely);
    assert!(lost.would_tell.iter().any(|tell| tell.contains("slot 3")));
    let unset = log("E (812) keys: nvs slot: ESP_ERR_NVS_NOT_FOUND");
    assert_eq!(unset.certainty, Certainty::Certain);
}

#[test]
fn a_port_that_is_taken_is_less_sure_to_be_of_a_page_where_the_way_for_a_phone_fails_behind_it() {
    let taken = "E (964) httpd: httpd_server_init: error in bind (112)";
    assert_eq!(first(taken).certainty, Certainty::Certain);
    let way = format!("{taken}\nE (965) protocomm_ws: failed to open the way for the phone");
    assert_eq!(first(&way).certainty, Certainty::Likely);
}

#[test]
fn a_name_with_a_blank_is_the_cause_whatever_the_words_of_the_firmware_are() {
    let scan = "air: 1 'Hall 5' c01 -47";
    for (log, certainty) in [
        (
            format!(
                "{scan}\nphone hands over network \"Hall 5 \"\nair: searching \"Hall 5 \"\nair: nothing (1/2)\nair: nothing (2/2)\nsetup: J31"
            ),
            Certainty::Likely,
        ),
        (
            format!(
                "{scan}\nstored ssid: Hall 5 (7)\nair: nothing (1/2)\nair: nothing (2/2)\nsetup: J31"
            ),
            Certainty::Likely,
        ),
        (
            format!("{scan}\njoin <Hall 5 >\nair: nothing\nair: nothing\nsetup: J31"),
            Certainty::Likely,
        ),
        (
            "join [Hall ]\nair: nothing\nair: nothing\nsetup: J31".to_owned(),
            Certainty::Possible,
        ),
    ] {
        let first = first(&log);
        assert_eq!(first.id, "name-with-blank", "{log}");
        assert_eq!(first.certainty, certainty, "{log}");
    }
    for well in [
        format!("{scan}\nphone hands over network \"Hall 5\"\nair: nothing"),
        "air: 1 'Hall 5 ' c01 -47\nphone hands over network \"Hall 5 \"\nair: nothing".to_owned(),
        format!(
            "{scan}\nphone hands over network \"Hall 5 \"\nI (9) wifi:connected with Hall 5, aid = 1\nI (99) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1"
        ),
    ] {
        assert_ne!(
            first_id(&well).as_deref(),
            Some("name-with-blank"),
            "{well}"
        );
    }
}

#[test]
fn a_phone_that_leaves_again_and_again_is_told_whatever_the_words_of_the_firmware_are() {
    let log = |times: usize, opens: &str, comes: &str, goes: &str| {
        format!(
            "{opens}\n{}",
            format!("{comes}\nasks for a page\n{goes}\n").repeat(times)
        )
    };
    let (opens, comes, goes) = (
        "wlan: own network LAMP-7 open",
        "+ client 0a:1b:2c:3d:4e:5f came",
        "- client 0a:1b:2c:3d:4e:5f went",
    );
    let often = first(&log(3, opens, comes, goes));
    assert_eq!(
        (often.id.as_str(), often.certainty),
        ("phone-leaves-network", Certainty::Likely)
    );
    assert_eq!(
        first(&log(2, opens, comes, goes)).certainty,
        Certainty::Possible
    );
    assert_eq!(first_id(&log(1, opens, comes, goes)), None);
    let joined = "I (9) wifi:connected with Hall, aid = 1\nI (9) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1";
    assert_eq!(
        first_id(&format!("{}{joined}", log(3, opens, comes, goes))),
        None
    );
}

#[test]
fn a_connection_that_fails_while_a_weak_network_is_lost_again_and_again_follows_from_that() {
    let log = |signal: i32, lost: usize| {
        let lost = "W (9) wifi: Reason: 200 - BEACON_TIMEOUT\nI (10) esp_netif_handlers: sta ip: 192.168.1.83, mask: 255.255.255.0, gw: 192.168.1.1\n".repeat(lost);
        first_id(&format!(
            "I (5) wifi:connected with Hall, aid = 1\nI (6) esp_netif_handlers: sta ip: 192.168.1.83, mask: 255.255.255.0, gw: 192.168.1.1\nI (7) app: rssi {signal}\n{lost}I (11) app: rssi {signal}\nE (12) esp-tls: [sock=54] connect timed out\nE (13) esp-tls: [sock=54] connect timed out"
        ))
    };
    assert_eq!(log(-91, 2).as_deref(), Some("signal-too-weak"));
    for (signal, lost) in [(-91, 0), (-70, 2)] {
        assert_ne!(log(signal, lost).as_deref(), Some("signal-too-weak"));
    }
}

#[test]
fn a_registration_that_the_cloud_refuses_is_no_device_behind_a_gateway() {
    let refused = "I (6) esp_netif_handlers: sta ip: 192.168.1.9, mask: 255.255.255.0, gw: 192.168.1.1\n[err] perform_dynamic_register(233): Dynamic Register Response Code: 6288\n[err] IOT_Ioctl(233): Dynamic Register Failed";
    assert_eq!(first_id(refused).as_deref(), Some("provision-refused"));
    let behind = "I (6) esp_netif_handlers: sta ip: 192.168.1.9, mask: 255.255.255.0, gw: 192.168.1.1\n[err] app: subdev register fail, code 6288";
    assert_eq!(first_id(behind).as_deref(), Some("sub-device-refused"));
}

fn first_id(text: &str) -> Option<String> {
    let mut log = Log::new("example");
    for line in text.trim().lines() {
        log.line(line.as_bytes());
    }
    log.end().causes.into_iter().next().map(|cause| cause.id)
}
