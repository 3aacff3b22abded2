//! Every rule with its examples, and the words of other firmware that it is told by.

mod common;

use common::{first, read};
use diagnose::examples;

#[test]
fn every_rule_is_the_cause_in_its_good_example_and_not_in_its_bad_one() {
    let mut wrong = Vec::new();
    for example in examples().iter().filter(|example| !example.milestone) {
        let diagnosis = read(example.log);
        let is_first = diagnosis
            .causes
            .first()
            .is_some_and(|cause| cause.id == example.of)
            || diagnosis.hints.iter().any(|hint| hint.id == example.of);
        if is_first != example.good {
            let causes: Vec<&str> = diagnosis
                .causes
                .iter()
                .map(|cause| cause.id.as_str())
                .collect();
            let word = if example.good { "good" } else { "bad" };
            wrong.push(format!("{} in its {word} example: {causes:?}", example.of));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_milestone_is_proved_by_its_example() {
    for example in examples().iter().filter(|example| example.milestone) {
        let diagnosis = read(example.log);
        let proved = diagnosis
            .last
            .proved
            .iter()
            .any(|milestone| milestone.what == example.of);
        assert!(proved, "{}: {:?}", example.of, diagnosis.last.proved);
    }
}

#[test]
fn every_rule_has_a_name_of_its_own() {
    let all = examples();
    let mut names: Vec<&str> = all
        .iter()
        .filter(|example| example.good && !example.milestone)
        .map(|example| example.of.as_str())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_firmware_that_ends_itself_is_told_by_the_call_that_failed() {
    let abort = |expression: &str| {
        first(&format!(
            "ESP_ERROR_CHECK failed: esp_err_t 0x103 (ESP_ERR_INVALID_STATE) at 0x40088c1c
file: \"./main/app.c\" line 71
func: app_main
expression: {expression}
abort() was called at PC 0x4037c0b3 on core 0"
        ))
    };
    for (expression, cause) in [
        ("esp_vfs_littlefs_register(&conf)", "storage-call-failed"),
        ("esp_wifi_start()", "wifi-call-failed"),
        ("esp_netif_init()", "firmware-order"),
        ("wifi_prov_mgr_init(config)", "provisioning-not-started"),
        ("nimble_port_init()", "bluetooth-not-started"),
        (
            "esp_eth_driver_install(&config, &eth)",
            "network-chip-unreachable",
        ),
        ("esp_crt_bundle_set(bundle, size)", "tls-settings"),
        ("esp_mqtt_client_start(client)", "mqtt-call-failed"),
        ("httpd_ssl_start(&server, &conf)", "server-not-started"),
        ("ret", "check-failed"),
    ] {
        assert_eq!(abort(expression), cause, "{expression}");
    }
}

#[test]
fn the_answer_to_a_command_is_the_one_that_comes_soon_behind_it() {
    let join = "AT+CWJAP=\"Workshop\",\"Valve40\"";
    assert_eq!(first(&format!("AT+CWQAP\nERROR\n{join}")), "");
    assert_eq!(
        first(&format!("{join}\nbusy p...\nERROR")),
        "modem-join-refused"
    );
    assert_eq!(first(&format!("{join}\nOK\nAT\nOK\nAT+X\nERROR")), "");
}

#[test]
fn why_a_chip_could_not_start_counts_more_than_the_watchdog_that_ended_it() {
    let start =
        "ets Jul 29 2019 12:21:46\nrst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)";
    let fails = format!("{start}\nflash read err, 1000\n{start}");
    assert_eq!(first(&fails), "no-bootable-image");
    assert_eq!(first(start), "task-watchdog");
}

#[test]
fn other_words_of_the_same_trouble_are_told_alike() {
    for (text, cause) in [
        (
            "[ERROR] Recieved rejected response from Fleet Provisioning CreateKeysAndCert API.",
            "provision-refused",
        ),
        (
            "[08:14:08][W][wifi:657]: WiFi connection failed, retrying",
            "join-failed",
        ),
        (
            "DHCP timeout !!\nStatic IP address: 192.168.0.10\nmqtt: DNS failed",
            "dhcp-fell-back",
        ),
        (
            "[hostByName] Host: in.vendor.example IP: 0.0.0.0",
            "name-is-nobody",
        ),
        (
            "E (717) cfg: ESP_ERR_NVS_NOT_FOUND for key 'tz'\nE (4377) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780",
            "client-refused",
        ),
        (
            "I (1) wifi:connected with home, aid = 1, channel 6\nW (24330) app: link up 20 s, still no lease\nE (34352) esp-tls: couldn't get hostname for :x.example:",
            "still-no-address",
        ),
        ("no laden-24  found, reconnect after 1s", "name-with-blank"),
        ("no laden-24\r found, reconnect after 1s", "name-with-blank"),
        (
            "[mqtt] connecting... failed, rc=-2 retry in 5 s\n[http] GET http://192.168.1.5:8123/api/ -> 401",
            "no-connection",
        ),
        (
            "WiFi verbunden 10.1.1.52\nMQTT: getrennt, reason 0 (TCP_DISCONNECTED)\nMQTT: verbunden, session=1",
            "",
        ),
        (
            "[  2900][D][WiFiGeneric.cpp:1040] _eventCallback(): Arduino Event: 4 - STA_CONNECTED\nBadge: keine IP, trenne",
            "dhcp-failed",
        ),
        ("BSSL:_connectSSL: OOM error\n[MQTT] rc=-2", "tls-no-memory"),
        (
            "E (3262) esp-tls: [sock=54] delayed connect error: Connection reset by peer\nE (3264) esp-tls: Failed to open new connection in specified timeout",
            "connection-refused",
        ),
        (
            "E (9) net: mqtt connect to 127.0.0.1:1883: errno 111\nE (10) net: mqtt connect to 127.0.0.1:1883: errno 111",
            "server-is-device",
        ),
        (
            "names: querying iot.vendor.example at 10.0.0.1\nnames: silent for 3 s",
            "name-server-silent",
        ),
        (
            "setup hotspot LAMP-7 is up\nclient aa:6b:1f:00:21:43 left after 8 s\nportal page never opened",
            "phone-leaves-network",
        ),
        (
            "I (3) wifi:connected with Barn, aid = 1, channel 6\nW (9) app: disconnected, reason 201, ssid='Barn2'\nW (9) app: disconnected, reason 201, ssid='Barn2'",
            "ap-not-found",
        ),
        (
            "WiFi connected\nSignal strength: -90 dB\nSignal strength: -91 dB\nWiFi lost connection, reason 201\nwifi reason 201",
            "signal-too-weak",
        ),
        (
            "  File \"/lib/umqtt/robust.py\", line 40, in subscribe\n  File \"/lib/umqtt/simple.py\", line 142, in subscribe\nAttributeError: 'NoneType' object has no attribute 'write'",
            "publish-unconnected",
        ),
        (
            "[inf] iotx_mc_connect(2768): mqtt connect success!\nreport token:{\"id\":\"0\"}\n[err] awss_report_token(203): token not confirmed by cloud, give up",
            "report-unanswered",
        ),
        (
            "[inf] iotx_mc_connect(2768): mqtt connect success!\nreport token:{\"id\":\"0\"}\nawss_report_token_reply\ntopic:/sys/device/info/notify\nuser: bind_state=BOUND",
            "",
        ),
    ] {
        assert_eq!(first(text), cause, "{text}");
    }
}

#[test]
fn an_app_that_says_no_reason_leaves_the_place_to_the_answer_that_never_came() {
    let report = "[inf] iotx_mc_connect(2768): mqtt connect success!
report token:{\"id\":\"0\"}
>>> app: device binding failed";
    assert_eq!(first(report), "reply-pending");
    assert_eq!(
        first("I (7000) app: MQTT_EVENT_CONNECTED\n>>> app: device binding failed"),
        "binding-failed"
    );
    assert_eq!(
        first("I (7000) app: MQTT_EVENT_CONNECTED\n>>> app: device binding failed (2064)"),
        "claim-refused"
    );
}

#[test]
fn troubles_are_told_in_the_words_of_other_firmware() {
    for (log, id) in [
        // A logger that writes objects of JSON.
        (
            r#"{"up":9,"l":"e","m":"mqtt","e":"connack","sp":0,"rc":5}"#,
            "bad-credentials",
        ),
        (
            r#"{"up":1,"l":"i","m":"rtc","e":"read","utc":"2000-01-01T00:00:09Z"}
{"up":2,"l":"d","m":"jwt","e":"sign","iat":946684828}
{"up":9,"l":"e","m":"mqtt","e":"connack","sp":0,"rc":5}"#,
            "clock-behind-token",
        ),
        // An access point that is full says so behind the association.
        (
            "I (3035) wifi:state: assoc -> run (10)
I (3117) wifi:state: run -> init (5a0)
W (3126) net: disc reason=5 rssi=-54",
            "ap-full",
        ),
        (
            "[W/WLAN.mgnt] F:rt_wlan_connect L:933 not find ap! ssid:Depot 5,info.ssid.len=7",
            "ap-not-found",
        ),
        (
            "Depot 5                  2c:91:ab:40:6e:1f  WPA2_AES_PSK   -47    1  144
[W/WLAN.mgnt] F:rt_wlan_connect L:933 not find ap! ssid:depot 5,info.ssid.len=7",
            "name-looks-alike",
        ),
        (
            "ap Hof 00:0d:b9:51:77:3a ch 13 rssi -91 auth 4
no Hof found, reconnect after 1s",
            "join-on-weak-signal",
        ),
        (
            "WARN  query A in.vendor.example: Failed
WARN  query A in.vendor.example: Failed",
            "name-not-resolved",
        ),
        (
            "MqttCommunicationException: Name does not resolve",
            "name-not-resolved",
        ),
        (
            "I (4032) web: metrics on 80
E (4062) httpd: httpd_server_init: error in creating ctrl socket (112)",
            "server-port-taken",
        ),
        ("<err> web: bind: -112", "server-port-taken"),
        ("<err> settings: settings_save_one evt/214: -28", "no-space"),
        (
            "INFO net timedatectl NTP=yes NTPSynchronized=no
ERROR uplink: certificate verify failed: certificate is not yet valid",
            "clock-not-set",
        ),
        (
            "<inf> [SNTP] The local time is unknown, starting with 1970-02-03",
            "clock-waits",
        ),
        (
            "<dbg> net_dhcpv4: dhcpv4_handle_reply: (rx_q[0]): state=selecting msg=ack",
            "dhcp-failed",
        ),
        (
            "<err> bt_mesh: prov_start: Invalid auth method: 0x02; action: 0x00",
            "session-failed",
        ),
        // What a time client looks for is not what the device's users miss.
        (
            "W (9) ntp_client: mDNS query failed for hub.local: ESP_ERR_NOT_FOUND
W (11) httpd_txrx: httpd_resp_send_err: 431 Request Header Fields Too Large",
            "server-request-too-long",
        ),
    ] {
        assert_eq!(first(log), id, "{log}");
    }
    let well = "I (1) rtc: VL=0 OSF=0
I (9) mqtt: connack rc=5";
    assert_eq!(first(well), "bad-credentials");
}
