//! The logs of a device, its broker and its network, read together.

use diagnose::{Certainty, Diagnosis, Log};

fn read(text: &str) -> Diagnosis {
    let mut log = Log::new("example");
    for line in text.trim().lines() {
        log.line(line.as_bytes());
    }
    log.end()
}

#[test]
fn device_and_broker_together_name_the_cause_that_one_of_them_sees() {
    let device = read(
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (6012) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780",
    );
    let broker = read(
        "1700000001: New connection from 192.168.1.20:50112 on port 8883.
1700000001: OpenSSL Error[0]: error:140890C7:SSL routines:tls_process_client_certificate:peer did not return a certificate",
    );
    let incident = diagnose::Incident::of(vec![device, broker]);
    let named = incident.cause.clone().expect("a cause");
    assert_eq!(
        (named.log, named.cause.id.as_str()),
        (1, "broker-client-sent-none")
    );
    let text = diagnose::to_text(&incident);
    assert!(
        text.starts_with("together  the client sent no certificate"),
        "{text}"
    );
}

#[test]
fn what_a_broker_says_of_other_clients_is_left_out() {
    let device = read(
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (6012) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780",
    );
    let broker = read(
        "1700000001: New connection from 192.168.1.77:40022 on port 8883.
1700000001: OpenSSL Error[0]: error:0A00010B:SSL routines::wrong version number
1700000002: New connection from 192.168.1.20:50112 on port 8883.
1700000002: OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed
1700000003: New connection from 192.168.1.78:50113 on port 8883.
1700000003: New client connected from 192.168.1.78:50113 as other (p2, c1, k60).",
    );
    let incident = diagnose::Incident::of(vec![device, broker]);
    let named = incident.cause.expect("a cause");
    assert_eq!(named.cause.id, "broker-client-cert-refused");
}

#[test]
fn a_name_that_a_filter_blocks_is_the_cause_if_the_device_wants_it() {
    let device =
        "I (3310) esp_netif_handlers: sta ip: 192.168.1.44, mask: 255.255.255.0, gw: 192.168.1.1
I (3490) app: connecting to mqtts://in.vendor.example:8883
E (3502) esp-tls: [sock=54] delayed connect error: Connection reset by peer";
    let filter = "dnsmasq[702]: query[A] in.vendor.example from 192.168.1.44
dnsmasq[702]: gravity blocked in.vendor.example is 0.0.0.0";
    let named = |filter: &str| {
        let incident = diagnose::Incident::of(vec![read(device), read(filter)]);
        incident.cause.map(|named| named.cause.id)
    };
    assert_eq!(named(filter).as_deref(), Some("name-blocked"));
    let others = filter.replace("in.vendor.example", "ads.example");
    assert_eq!(named(&others).as_deref(), Some("connection-refused"));
}

#[test]
fn what_a_network_tells_of_other_stations_is_no_cause_of_a_device_that_is_past_it() {
    let device =
        "I (3012) wifi:connected with home, aid = 1, channel 6, BW20, bssid = 02:00:00:00:00:01
I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
W (7012) mqtt_client: Connection refused, not authorized";
    let named = |network: &str| {
        let incident = diagnose::Incident::of(vec![read(device), read(network)]);
        incident.cause.map(|named| named.cause.id)
    };
    for network in [
        "wlan0: STA 02:00:00:00:00:02 IEEE 802.11: associated (aid 1)
wlan0: AP-STA-POSSIBLE-PSK-MISMATCH 02:00:00:00:00:02",
        "dnsmasq-dhcp[811]: DHCPDISCOVER(br0) 02:00:00:00:00:02 no address available",
    ] {
        assert_eq!(named(network).as_deref(), Some("bad-credentials"));
    }
}

#[test]
fn a_try_that_failed_once_is_only_possible_beside_a_broker_that_lets_the_device_in() {
    let device =
        "I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (5012) esp-tls: [sock=54] delayed connect error: Connection refused";
    let broker = "1700000000: New connection from 192.168.1.20:50113 on port 1883.
1700000000: New client connected from 192.168.1.20:50113 as dev (p2, c1, k60).
1700000000: Sending CONNACK to dev (0, 0)";
    let certainty = |broker: &str| {
        let incident = diagnose::Incident::of(vec![read(device), read(broker)]);
        incident.cause.map(|named| named.cause.certainty)
    };
    assert_eq!(certainty(broker), Some(Certainty::Possible));
    let of_another = broker.replace("192.168.1.20", "192.168.1.21");
    assert_eq!(certainty(&of_another), Some(Certainty::Certain));
}

#[test]
fn a_clock_that_is_behind_comes_before_its_echo_at_the_broker() {
    let device = "I (25601) app: datum 01.01.1970 01:00:25
E (27560) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700";
    let broker = "1700000000: New connection from 192.168.1.20:50113 on port 8883.
1700000000: OpenSSL Error[0]: error:0A000416:SSL routines::sslv3 alert certificate unknown";
    let incident = diagnose::Incident::of(vec![read(device), read(broker)]);
    let cause = incident.cause.map(|named| named.cause.id);
    assert_eq!(cause.as_deref(), Some("clock-behind"));
}

#[test]
fn a_device_s_own_reason_says_more_than_an_alert_that_tells_none() {
    let device = "E (5030) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700
I (5032) esp-tls-mbedtls: verification info:   ! The certificate validity starts in the future";
    let broker = "1700000000: New connection from 192.168.1.20:50113 on port 8883.
1700000000: OpenSSL Error[0]: error:0A000416:SSL routines::sslv3 alert certificate unknown";
    let incident = diagnose::Incident::of(vec![read(device), read(broker)]);
    let cause = incident.cause.map(|named| named.cause.id);
    assert_eq!(cause.as_deref(), Some("server-not-yet-valid"));
}

#[test]
fn a_client_that_is_not_the_device_s_is_no_trouble_of_a_healthy_device() {
    let device =
        "I (1390) esp_netif_handlers: sta ip: 192.168.77.12, mask: 255.255.255.0, gw: 192.168.77.1
I (1480) app: MQTT_EVENT_CONNECTED
I (1550) app: MQTT_EVENT_PUBLISHED, msg_id=1";
    let broker =
        "1700000000: New client connected from 192.168.77.12:50104 as moor-a (p2, c1, k30).
1700000001: Client moor-a disconnected.
1700000090: Client watch-gui has exceeded timeout, disconnecting.";
    let cause = |broker: &str| {
        let incident = diagnose::Incident::of(vec![read(device), read(broker)]);
        incident.cause.map(|named| named.cause.id)
    };
    assert_eq!(cause(broker), None);
    let own = broker.replace("watch-gui", "moor-a");
    assert_eq!(cause(&own).as_deref(), Some("broker-timeout"));
}

#[test]
fn what_a_broker_says_of_clients_of_other_identifiers_is_left_out() {
    let device =
        "04:51:54 [paho] Sending CONNECT (u1, p1, wr0, wq0, wf0, c0, k60) client_id=b'press4'
04:51:54 [paho] Received CONNACK (1, 0)";
    let broker = "2024-02-11T04:52:11+01:00 [warning] msg: authorization_permission_denied, peername: 10.20.4.90:51220, clientid: grafana, topic: $SYS/#
2024-02-11T04:52:14+01:00 [error] msg: frame_parse_error, peername: 10.20.4.14:37932, clientid: press4, reason: #{cause => frame_too_large, limit => 1048576}
2024-02-11T04:52:16+01:00 [error] msg: frame_parse_error, peername: 10.20.4.14:37934, clientid: press4, reason: #{cause => frame_too_large, limit => 1048576}
2024-02-11T04:52:18+01:00 [error] msg: frame_parse_error, peername: 10.20.4.14:37936, clientid: press4, reason: #{cause => frame_too_large, limit => 1048576}";
    let named = |device: &str| {
        let incident = diagnose::Incident::of(vec![read(device), read(broker)]);
        incident.cause.map(|named| named.cause.id)
    };
    assert_eq!(named(device).as_deref(), Some("broker-packet-refused"));
    let unnamed = device.replace(" client_id=b'press4'", "");
    assert_eq!(named(&unnamed).as_deref(), Some("broker-refuses-topic"));
}

#[test]
fn a_scan_of_the_broker_s_port_is_no_trouble_of_a_healthy_device() {
    let device =
        "I (1390) esp_netif_handlers: sta ip: 192.168.77.12, mask: 255.255.255.0, gw: 192.168.77.1
I (1480) app: MQTT_EVENT_CONNECTED";
    let broker =
        "1700000000: New client connected from 192.168.77.12:50104 as moor-a (p2, c1, k30).
1700000001: New connection from 192.168.77.23:61822 on port 8883.
1700000001: OpenSSL Error[0]: error:0A00010B:SSL routines::wrong version number";
    let incident = diagnose::Incident::of(vec![read(device), read(broker)]);
    assert_eq!(incident.cause, None);
    let incident = diagnose::Incident::of(vec![read(broker)]);
    let cause = incident.cause.map(|named| named.cause.id);
    assert_eq!(cause.as_deref(), Some("broker-plain-client"));
}
