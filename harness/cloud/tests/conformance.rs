//! What the suites of paho.mqtt.testing for MQTT 3.1.1 and 5 ask of a broker, as a table of ours, at
//! our broker and at mosquitto: a fact that mosquitto keeps is kept here.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

#[path = "conformance/both.rs"]
mod both;
#[path = "conformance/broken.rs"]
mod broken;
#[path = "conformance/five.rs"]
mod five;
mod support;

use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};

use cloud::{Broker, BrokerSettings, Devices, Limits};
use support::peer::pause;
use trace::Trace;

/// Longest keep-alive of either broker, in s.
const KEEP_ALIVE: u16 = 60;
/// Messages of QoS 2 that either broker takes without their release.
const RECEIVE: u16 = 20;

type Playing = Pin<Box<dyn Future<Output = ()>>>;

/// Where a fact is asked, by which level of the protocol; and a word that no other fact has in its
/// topics and client ids.
#[derive(Clone)]
struct Ask {
    broker: SocketAddr,
    level: u8,
    own: String,
}

impl Ask {
    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.own)
    }
}

/// A fact: its name, the lowest level that has it, how it is asked.
struct Fact {
    name: &'static str,
    from: u8,
    ask: fn(Ask) -> Playing,
}

macro_rules! facts {
    ($($from:literal $module:ident::$name:ident;)*) => {
        &[$(Fact {
            name: stringify!($name),
            from: $from,
            ask: |ask| Box::pin($module::$name(ask)),
        },)*]
    };
}

const FACTS: &[Fact] = facts! {
    4 both::messages_of_every_qos_come_to_their_sender;
    4 both::a_second_connect_ends_the_connection;
    4 both::another_protocol_is_refused;
    4 both::retained_messages_come_to_a_later_subscriber_and_can_be_deleted;
    4 both::a_will_comes_when_a_connection_breaks;
    4 both::a_will_does_not_come_after_disconnect;
    4 both::messages_wait_for_a_client_that_is_away;
    4 both::overlapping_subscriptions_give_the_best_qos;
    4 both::silence_ends_a_connection_and_its_will_comes;
    4 both::what_was_not_acknowledged_comes_again;
    4 both::wildcards_do_not_reach_topics_with_a_dollar;
    4 both::what_was_unsubscribed_does_not_come;
    4 both::another_connection_takes_over;
    4 both::an_empty_client_id_needs_a_clean_session_before_5;
    4 both::a_message_of_qos_2_that_is_sent_twice_comes_once;
    4 both::messages_come_in_order;
    4 both::a_retained_will_waits_for_later_subscribers;
    4 both::a_clean_session_forgets_what_was_subscribed;
    4 both::a_subscription_is_replaced_and_its_retained_message_comes_again;
    4 both::acknowledgements_of_nothing_do_no_harm;
    4 broken::a_packet_against_the_standard_ends_the_connection;
    4 broken::a_filter_against_the_standard_is_not_granted;
    4 broken::a_connection_begins_with_connect;
    4 broken::a_connect_against_the_standard_is_not_accepted;
    5 five::a_session_lasts_as_long_as_it_was_to;
    5 five::user_properties_go_through_at_every_qos;
    5 five::payload_format_and_content_type_go_through;
    5 five::a_message_that_has_expired_does_not_come;
    5 five::own_messages_can_be_left_out;
    5 five::retain_can_be_kept_as_published;
    5 five::retained_messages_come_as_the_subscription_wants;
    5 five::a_client_id_is_assigned;
    5 five::subscription_identifiers_come_with_messages;
    5 five::a_request_has_a_response_topic;
    5 five::topic_aliases_of_clients_hold_for_one_connection;
    5 five::alias_0_ends_the_connection;
    5 five::too_large_messages_do_not_come;
    5 five::the_longest_keep_alive_is_told;
    5 five::no_more_messages_come_than_the_receive_maximum;
    5 five::too_many_unreleased_messages_end_the_connection;
    5 five::a_will_can_be_delayed;
    5 five::a_delayed_will_comes_when_its_session_ends;
    5 five::a_session_that_goes_on_has_no_delayed_will;
    5 five::disconnect_with_will_sends_it;
    5 five::shared_subscriptions_share;
    5 five::unsuback_says_what_there_was;
    5 five::enhanced_authentication_is_refused;
    5 five::a_reset_session_expiry_ends_a_session_with_its_connection;
};

/// Where mosquitto 2.0.11 does otherwise, by the standard or against it.
const MOSQUITTO_DIFFERS: &[&str] = &[
    // It sends one message, at the QoS of whichever subscription it finds first.
    "overlapping_subscriptions_give_the_best_qos",
    // It drops what is too much and says nothing.
    "too_many_unreleased_messages_end_the_connection",
];

struct Mosquitto {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A mosquitto of this test's own, if it is installed. Where the judges must be there, that is a
/// failure.
async fn mosquitto() -> Option<Mosquitto> {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let file = folder.path().join("mosquitto.conf");
    let settings = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\nmax_keepalive {KEEP_ALIVE}\n\
         max_inflight_messages {RECEIVE}\n",
        address.port()
    );
    std::fs::write(&file, settings).unwrap();
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let process = Command::new("mosquitto")
        .env("PATH", path)
        .arg("-c")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(process) = process else {
        assert!(
            std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
            "mosquitto is not installed"
        );
        eprintln!("mosquitto is not asked, because it is not installed: apt-get install mosquitto");
        return None;
    };
    let mosquitto = Mosquitto {
        process,
        address,
        _folder: folder,
    };
    for _ in 0..100 {
        if std::net::TcpStream::connect(address).is_ok() {
            return Some(mosquitto);
        }
        pause(50).await;
    }
    panic!("mosquitto does not listen at {address}");
}

async fn ours() -> Broker {
    let settings = BrokerSettings {
        limits: Limits {
            keep_alive: Some(KEEP_ALIVE),
            receive: RECEIVE,
            ..Limits::default()
        },
        ..BrokerSettings::plain()
    };
    let trace = Trace::in_memory(clock::Clock::start(1.0));
    Broker::start(settings, trace, Devices::default())
        .await
        .unwrap()
}

/// Asks every fact at once; the names of those that a broker does not keep.
async fn asked(broker: SocketAddr) -> Vec<String> {
    let mut asked = Vec::new();
    for fact in FACTS {
        for level in [4, 5].into_iter().filter(|level| *level >= fact.from) {
            let ask = Ask {
                broker,
                level,
                own: format!("{}/{level}/", fact.name),
            };
            let name = format!("{} ({level})", fact.name);
            asked.push((name, tokio::task::spawn_local((fact.ask)(ask))));
        }
    }
    let mut failed = Vec::new();
    for (name, playing) in asked {
        if playing.await.is_err() {
            failed.push(name);
        }
    }
    failed
}

#[test]
fn what_the_suites_ask_is_kept_here_and_where_mosquitto_keeps_it() {
    support::run(async {
        tokio::task::LocalSet::new()
            .run_until(async {
                let broker = ours().await;
                let mosquitto = mosquitto().await;
                let there = async {
                    match &mosquitto {
                        Some(mosquitto) => asked(mosquitto.address).await,
                        None => Vec::new(),
                    }
                };
                let (here, there) = tokio::join!(asked(broker.address()), there);
                assert_eq!(here, Vec::<String>::new());
                // What we ask is what brokers do: mosquitto keeps it too, but for what is listed.
                let fact = |name: &String| name.split(' ').next().unwrap().to_owned();
                let differs = |name: &String| MOSQUITTO_DIFFERS.contains(&fact(name).as_str());
                let unlisted: Vec<_> = there.iter().filter(|name| !differs(name)).collect();
                assert_eq!(unlisted, Vec::<&String>::new(), "mosquitto does otherwise");
            })
            .await;
    });
}
