//! The broker's front beside mosquitto: the same client, the same certificates, loopback.

mod client;
pub mod legacy;
mod mosquitto;
pub mod ours;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row, Target};
use client::{Client, QoS};
use mosquitto::{Mosquitto, Writes};
use ours::{Brokers, Kind};

const MESSAGES: usize = 20_000;
const CONNECTS: usize = 300;
/// What a mosquitto is called that does least.
const SILENT: &str = "mosquitto";
/// What one is called that does what a broker does that traces.
const LOGGING: &str = "mosquitto that logs each packet";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Acknowledged,
    Unacknowledged,
    AcknowledgedByFive,
    UnacknowledgedByFive,
    ConnectsInTurn,
    ConnectsAtOnce,
}

impl Work {
    const ALL: [Self; 6] = [
        Self::Acknowledged,
        Self::Unacknowledged,
        Self::AcknowledgedByFive,
        Self::UnacknowledgedByFive,
        Self::ConnectsInTurn,
        Self::ConnectsAtOnce,
    ];

    /// Every broker is measured so often, in turn. A stream that stops, or loses a message, in any
    /// of the rounds leaves no figure.
    fn rounds(self) -> usize {
        match self {
            Self::Acknowledged | Self::AcknowledgedByFive => 20,
            Self::Unacknowledged
            | Self::UnacknowledgedByFive
            | Self::ConnectsInTurn
            | Self::ConnectsAtOnce => 5,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "QoS 1 messages, window 50, 128 B",
            Self::Unacknowledged => "QoS 0 messages, 128 B",
            Self::AcknowledgedByFive => "QoS 1 messages by MQTT 5, window 50, 128 B",
            Self::UnacknowledgedByFive => "QoS 0 messages by MQTT 5, 128 B",
            Self::ConnectsInTurn => "connects, one after the other",
            Self::ConnectsAtOnce => "connects, 50 at once",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Acknowledged
            | Self::Unacknowledged
            | Self::AcknowledgedByFive
            | Self::UnacknowledgedByFive => Unit::PerSecond("messages"),
            Self::ConnectsInTurn | Self::ConnectsAtOnce => Unit::PerSecond("connects"),
        }
    }

    async fn take(self, client: &Client) -> Outcome<f64> {
        match self {
            Self::Acknowledged => client.messages(QoS::One, MESSAGES).await,
            Self::Unacknowledged => client.messages(QoS::Zero, MESSAGES).await,
            Self::AcknowledgedByFive => {
                let client = client.clone().by_five();
                client.messages(QoS::One, MESSAGES).await
            }
            Self::UnacknowledgedByFive => {
                let client = client.clone().by_five();
                client.messages(QoS::Zero, MESSAGES).await
            }
            Self::ConnectsInTurn => client.connects(CONNECTS, 1).await,
            Self::ConnectsAtOnce => client.connects(CONNECTS, 50).await,
        }
    }
}

/// Rates over mutual TLS.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let folder = setup.folder()?;
    let brokers = Brokers::start(setup, &folder, Kind::Today)?;
    let every = Client::new(brokers.every, &folder)?;
    let none = Client::new(brokers.none, &folder)?;
    let [silent, logging] = [Writes::Nothing, Writes::EveryPacket]
        .map(|writes| Mosquitto::start(&folder, writes).map_err(|error| error.to_string()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for work in Work::ALL {
        let mut rates: [Result<Vec<f64>, String>; 4] = [const { Ok(Vec::new()) }; 4];
        for round in 1..=work.rounds() {
            let [silent, logging] = [&silent, &logging].map(|mosquitto| match mosquitto {
                Ok(mosquitto) => Client::new(mosquitto.port, &folder).map_err(|e| e.to_string()),
                Err(error) => Err(error.clone()),
            });
            let clients = [Ok(every.clone()), Ok(none.clone()), silent, logging];
            for (rates, client) in std::iter::zip(&mut rates, clients) {
                let rate = client.and_then(|client| {
                    let rate = runtime.block_on(work.take(&client));
                    rate.map_err(|error| format!("round {round}: {error}"))
                });
                match (&mut *rates, rate) {
                    (Ok(rates), Ok(rate)) => rates.push(rate),
                    (Ok(_), Err(error)) => *rates = Err(error),
                    (Err(_), _) => {}
                }
            }
        }
        let [every, none, silent, logging] =
            rates.map(|rates| -> Measured { Figure::of(rates?, work.unit()) });
        let silent = (SILENT, silent);
        for (how, ours, (name, peer)) in [
            ("every packet traced", every.clone(), silent.clone()),
            ("every packet traced", every, (LOGGING, logging)),
            ("packets not traced", none, silent),
        ] {
            rows.push(
                Row::new(format!("front: {}, {how}", work.name()), ours)
                    .target(Target::LikePeer)
                    .peer(name, peer)
                    .note(
                        "mutual TLS 1.3 with P-256 certificates, no resumption, loopback; each \
                         broker in a process of its own, measured in turn by the same client \
                         (messages: one publishes, one receives all, each once and in order, and \
                         acknowledges those of QoS 1); a traced packet is in our file with all that \
                         it holds, in mosquitto's log with its kind, topic and length",
                    ),
            );
        }
    }
    Ok(rows)
}
