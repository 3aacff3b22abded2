use clock::Clock;
use trace::mqtt::{Direction, End, Pingreq};
use trace::tls::Cause;
use trace::{Level, LogLine};

use super::*;

fn about(service: Service) -> Subject {
    Subject {
        services: [service].into(),
        device: Some("lamp".to_owned()),
    }
}

fn log(trace: &Trace, tag: &str, text: &str) {
    let line = LogLine {
        level: Level::Info,
        tag: tag.to_owned(),
        text: text.to_owned(),
        device_ms: None,
        place: None,
    };
    trace.emit(Some("lamp"), &line);
}

fn handshake(ok: bool, cause: Cause) -> Handshake {
    Handshake {
        connection: 1,
        peer: "10.0.0.2:4711".into(),
        ok,
        cause,
        reason: None,
        version: ok.then(|| "TLS 1.3".into()),
        offered: Vec::new(),
        cipher: None,
        server_name: None,
        max_fragment_asked: None,
        max_fragment_granted: None,
        shown: "server".into(),
        client_certificate: None,
        alert_sent: None,
        alert_received: None,
    }
}

#[tokio::test]
async fn what_the_broker_saw_stands_beside_what_the_device_says() {
    let trace = Trace::in_memory(Clock::start(1.0));
    let subject = about(Service::Broker);
    let told = || subject.beside_the_claim(&trace).expect("it is told");
    assert_eq!(told(), "the broker saw: no connection");
    log(&trace, "mqtt_client", "connected");
    log(&trace, "wifi", "got an address");
    trace.emit(None, &handshake(false, Cause::NoClientCertificate));
    assert_eq!(
        told(),
        "the device says: mqtt_client: connected; \
         the broker saw: TLS handshake failed (no-client-certificate)"
    );
    trace.emit(None, &handshake(true, Cause::None));
    let refused = ConnectRefused {
        connection: 1,
        client: "lamp-1".into(),
        code: 5,
        reason: "the signature is wrong".into(),
    };
    trace.emit(Some("plug"), &refused);
    assert!(!told().contains("refused"), "{}", told());
    trace.emit(Some("lamp"), &refused);
    assert_eq!(
        told(),
        "the device says: mqtt_client: connected; the broker saw: TLS 1.3 handshake with its \
         certificate `server` succeeded, CONNECT refused with code 5 (the signature is wrong)"
    );
    let ping = Pingreq {
        direction: Direction::In,
        ..Pingreq::default()
    };
    trace.emit(Some("lamp"), &ping);
    let closed = ConnectionClosed {
        connection: 1,
        client: None,
        end: End::KeepAlive,
        detail: None,
        code: None,
    };
    trace.emit(Some("lamp"), &closed);
    let ended = ", last packet PINGREQ, connection closed (keep-alive)";
    assert!(told().ends_with(ended), "{}", told());
}

#[tokio::test]
async fn what_the_cloud_saw_stands_beside_what_the_device_says() {
    let trace = Trace::in_memory(Clock::start(1.0));
    let subject = about(Service::Cloud);
    let told = || subject.beside_the_claim(&trace).expect("it is told");
    assert_eq!(told(), "the cloud saw: no token report");
    let malformed = ReportMalformed {
        product_key: "a1".into(),
        device_name: "lamp".into(),
        topic: "/sys".into(),
        reason: "no token".into(),
    };
    trace.emit(Some("lamp"), &malformed);
    assert_eq!(told(), "the cloud saw: a malformed token report (no token)");
    let bound = Bound {
        account: "alice".into(),
        product_key: "a1".into(),
        device_name: "lamp".into(),
        token: "0123".into(),
    };
    trace.emit(Some("lamp"), &bound);
    assert!(
        told().ends_with(", bound to the account alice"),
        "{}",
        told()
    );
}

#[tokio::test]
async fn what_time_was_answered_stands_beside_what_the_device_says() {
    let trace = Trace::in_memory(Clock::start(1.0));
    let subject = about(Service::TimeServer);
    let told = || subject.beside_the_claim(&trace).expect("it is told");
    assert_eq!(told(), "the time server saw: no request");
    let answered = TimeAnswered {
        peer: "10.0.0.2:123".into(),
        version: 4,
        unix_s: 1_700_000_000,
        offset_s: 60,
        kiss_of_death: None,
        unusable: None,
    };
    trace.emit(None, &answered);
    assert_eq!(
        told(),
        "the time server saw: a request, answered with Unix time 1700000000 (wrong by 60 s)"
    );
}

#[tokio::test]
async fn a_step_on_none_of_the_services_has_no_witness_beside_it() {
    let trace = Trace::in_memory(Clock::start(1.0));
    assert_eq!(Subject::default().beside_the_claim(&trace), None);
}
