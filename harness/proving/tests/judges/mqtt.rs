//! mosquitto's clients at the broker, over mutual TLS.

use std::process::Command;

use cloud::{Cause, ConnectionClosed, End, Handshake, SessionOpened, WillPublished};
use serde_json::{Value, json};
use trace::Source;

use crate::peer::{Running, is_there, run};
use crate::up::Up;

const PUBLISH: &str = "mosquitto_pub";
const SUBSCRIBE: &str = "mosquitto_sub";
/// Anything to publish.
const MESSAGE: [&str; 4] = ["-t", "topic", "-m", "message"];

/// A broker with a good certificate, if mosquitto's clients are there.
fn up() -> Option<Up> {
    let there = is_there(PUBLISH, "mosquitto-clients") && is_there(SUBSCRIBE, "mosquitto-clients");
    there.then(|| Up::start("broker.yaml", "shows=server]", &[]))
}

/// A client that trusts the world's authority and shows no certificate.
fn stranger(up: &Up, program: &str, arguments: &[&str]) -> Command {
    let (host, port) = up
        .endpoint("/cloud/broker/address")
        .rsplit_once(':')
        .unwrap();
    let mut command = Command::new(program);
    command
        .args(["-h", host, "-p", port, "--cafile"])
        .arg(up.endpoint("/cloud/broker/authority"))
        .args(arguments);
    command
}

/// One that shows the certificate at `identity` of endpoints.json.
fn client_as(up: &Up, identity: &str, program: &str, arguments: &[&str]) -> Command {
    let file = |field: &str| up.endpoint(&format!("{identity}/{field}"));
    let mut command = stranger(up, program, arguments);
    command
        .args(["--cert", file("certificate")])
        .args(["--key", file("key")]);
    command
}

/// One that may come in.
fn client(up: &Up, program: &str, arguments: &[&str]) -> Command {
    client_as(up, "/cloud/broker/client", program, arguments)
}

/// A subscriber with this client id, once its subscription holds.
fn subscriber(up: &Up, id: &str, arguments: &[&str]) -> Running {
    let mut command = client(up, SUBSCRIBE, arguments);
    let running = Running::start(command.args(["-i", id]));
    see_packet(up, "suback", |data| data["client"] == id);
    running
}

fn see_packet(up: &Up, kind: &str, is: impl Fn(&Value) -> bool) -> Value {
    up.see(kind, |event| {
        let seen = event.source == Source::Mqtt && event.kind == kind && is(&event.data);
        seen.then(|| event.data.clone())
    })
}

/// Kinds of the packets of one client, in their order, with an arrow for the direction.
fn packets(up: &Up, id: &str) -> Vec<String> {
    let mut packets = Vec::new();
    for event in up.events() {
        let data = &event.data;
        let whose = data.get("client").or_else(|| data.get("client_id"));
        if event.source != Source::Mqtt || whose.is_none_or(|whose| whose != id) {
            continue;
        }
        match data.get("direction").and_then(Value::as_str) {
            Some("in") => packets.push(format!("> {}", event.kind)),
            Some(_) => packets.push(format!("< {}", event.kind)),
            None => {}
        }
    }
    packets
}

fn refused_handshake(up: &Up) -> Handshake {
    up.see_payload("a handshake that failed", |handshake: &Handshake| {
        !handshake.ok
    })
}

/// A message arrives with the version and quality of service that both clients ask for.
fn arrives(version: &str, protocol: &str) {
    let Some(up) = up() else { return };
    for (quality, sent) in [
        (
            0,
            &["> connect", "< connack", "> publish", "> disconnect"][..],
        ),
        (
            1,
            &[
                "> connect",
                "< connack",
                "> publish",
                "< puback",
                "> disconnect",
            ],
        ),
        (
            2,
            &[
                "> connect",
                "< connack",
                "> publish",
                "< pubrec",
                "> pubrel",
                "< pubcomp",
                "> disconnect",
            ],
        ),
    ] {
        let (from, to) = (format!("pub-{quality}"), format!("sub-{quality}"));
        let (topic, quality) = (format!("judge/{quality}/ü"), quality.to_string());
        let text = format!("Grüße, {quality}");
        let both = ["-V", version, "-q", &quality, "-t"];
        let mut arguments = both.to_vec();
        arguments.extend([topic.as_str(), "-C", "1", "-F", "%q %r %t %p"]);
        let subscriber = subscriber(&up, &to, &arguments);
        let mut arguments = both.to_vec();
        arguments.extend([topic.as_str(), "-i", &from, "-m", &text]);
        run(&mut client(&up, PUBLISH, &arguments)).well();
        let said = subscriber.end().well();
        assert_eq!(said.text(), format!("{quality} 0 {topic} {text}\n"));

        see_packet(&up, "disconnect", |data| data["client"] == *from);
        assert_eq!(packets(&up, &from), sent);
        let published = see_packet(&up, "publish", |data| data["client"] == *from);
        assert_eq!(published["topic"], *topic);
        assert_eq!(published["qos"].to_string(), quality);
        assert_eq!(published["payload"], *text);
        let session = up.see_payload("the session", |session: &SessionOpened| {
            session.client == from
        });
        assert_eq!(session.protocol, protocol);
        assert_eq!(session.common_name.as_deref(), Some("up"));
    }
    up.end();
}

#[test]
fn messages_arrive_by_mqtt_3_1() {
    arrives("mqttv31", "3.1");
}

#[test]
fn messages_arrive_by_mqtt_3_1_1() {
    arrives("mqttv311", "3.1.1");
}

#[test]
fn messages_arrive_by_mqtt_5() {
    arrives("mqttv5", "5");
}

#[test]
fn a_retained_message_is_kept_until_it_is_cleared() {
    let Some(up) = up() else { return };
    let publish = |arguments: &[&str]| run(&mut client(&up, PUBLISH, arguments)).well();
    publish(&["-q", "1", "-r", "-t", "kept/a", "-m", "first"]);
    publish(&["-q", "1", "-r", "-t", "kept/a", "-m", "second"]);
    publish(&["-q", "1", "-r", "-t", "kept/b", "-m", "cleared"]);
    publish(&["-q", "1", "-r", "-t", "kept/b", "-n"]);
    publish(&["-q", "1", "-t", "kept/c", "-m", "not retained"]);
    let late = subscriber(
        &up,
        "late",
        &["-t", "kept/#", "-v", "-C", "2", "-F", "%r %t %p"],
    );
    // What is not retained comes later, so whatever was retained has come by then.
    publish(&["-q", "1", "-t", "kept/end", "-m", "live"]);
    let said = late.end().well();
    assert_eq!(said.text(), "1 kept/a second\n0 kept/end live\n");
    up.end();
}

#[test]
fn a_session_outlives_its_connection_if_asked_to() {
    let Some(up) = up() else { return };
    let keeper = ["-c", "-i", "keeper", "-q", "1", "-t", "for/keeper"];
    let mut arguments = keeper.to_vec();
    arguments.push("-E");
    run(&mut client(&up, SUBSCRIBE, &arguments)).well();
    up.see_payload("the keeper's leave", |closed: &ConnectionClosed| {
        closed.client.as_deref() == Some("keeper")
    });
    let message = ["-q", "1", "-t", "for/keeper", "-m", "while you were away"];
    run(&mut client(&up, PUBLISH, &message)).well();
    let mut arguments = keeper.to_vec();
    arguments.extend(["-C", "1"]);
    let said = run(&mut client(&up, SUBSCRIBE, &arguments)).well();
    assert_eq!(said.text(), "while you were away\n");
    up.see_payload("the session's return", |session: &SessionOpened| {
        session.client == "keeper" && session.session_present
    });
    up.end();
}

#[test]
fn the_last_will_of_a_client_that_dies_is_published_and_no_other() {
    let Some(up) = up() else { return };
    let heir = subscriber(&up, "heir", &["-t", "will/#", "-v", "-q", "1", "-C", "2"]);
    let will = |topic| {
        [
            "--will-topic",
            topic,
            "--will-payload",
            "gone",
            "--will-qos",
            "1",
        ]
    };
    // It leaves in order, with DISCONNECT.
    let mut arguments = vec!["-i", "orderly", "-t", "will/not", "-m", "I have left"];
    arguments.extend(will("will/orderly"));
    run(&mut client(&up, PUBLISH, &arguments)).well();
    let mut arguments = vec!["-t", "whatever"];
    arguments.extend(will("will/dying"));
    let mut dying = subscriber(&up, "dying", &arguments);
    dying.kill();
    let said = heir.end().well();
    assert_eq!(said.text(), "will/not I have left\nwill/dying gone\n");
    let will = up.see_payload("the will", |_: &WillPublished| true);
    assert_eq!(
        (will.client.as_str(), will.topic.as_str()),
        ("dying", "will/dying")
    );
    let closed = up.see_payload("its end", |closed: &ConnectionClosed| {
        closed.client.as_deref() == Some("dying")
    });
    assert_eq!(closed.end, End::Lost);
    up.end();
}

#[test]
fn a_client_without_certificate_is_refused() {
    let Some(up) = up() else { return };
    let command = stranger(&up, PUBLISH, &MESSAGE);
    let handshake = refused(&up, command, Cause::NoClientCertificate);
    assert!(handshake.client_certificate.is_none());
    up.end();
}

#[test]
fn a_client_whose_certificate_has_ended_is_refused() {
    refused_with("expired", Cause::ClientCertificateExpired);
}

#[test]
fn a_client_of_another_authority_is_refused() {
    refused_with("other_authority", Cause::ClientCertificateUnknownIssuer);
}

fn refused_with(identity: &str, cause: Cause) {
    let Some(up) = up() else { return };
    let identity = format!("/cloud/broker/bad_clients/{identity}");
    let command = client_as(&up, &identity, PUBLISH, &MESSAGE);
    let handshake = refused(&up, command, cause);
    let shown = handshake.client_certificate.unwrap();
    assert_eq!(json!(shown.subject)["common_name"], "up");
    up.end();
}

/// mosquitto is told by an alert, which it reads or not, depending on how far its CONNECT has come.
fn refused(up: &Up, mut command: Command, cause: Cause) -> Handshake {
    run(&mut command).failed_with("Error: ");
    let handshake = refused_handshake(up);
    assert_eq!(handshake.cause, cause);
    assert!(handshake.alert_sent.is_some());
    let events = up.events();
    let came = events.iter().find(|event| event.is::<SessionOpened>());
    assert!(came.is_none(), "{came:?}");
    handshake
}

#[test]
fn a_client_that_trusts_another_authority_refuses_the_broker() {
    let Some(up) = up() else { return };
    let other = up.out().join("certs/other-ca.pem");
    let (host, port) = up
        .endpoint("/cloud/broker/address")
        .rsplit_once(':')
        .unwrap();
    let mut command = Command::new(PUBLISH);
    command
        .args(["-h", host, "-p", port, "--cafile"])
        .arg(other)
        .args(MESSAGE);
    run(&mut command).failed_with("A TLS error occurred");
    let handshake = refused_handshake(&up);
    assert_eq!(handshake.cause, Cause::ServerCertificateRefused);
    assert_eq!(handshake.alert_received.unwrap().name, "unknown_ca");
    up.end();
}
