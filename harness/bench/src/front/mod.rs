//! The broker's front beside mosquitto: the same client, the same certificates, loopback.

mod client;
mod mosquitto;
pub mod ours;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup};
use crate::table::{Measured, Row, Target};
use client::Client;
use mosquitto::Mosquitto;
use ours::Brokers;

/// Every broker is measured so often, in turn.
const ROUNDS: usize = 5;
const MESSAGES: usize = 20_000;
const CONNECTS: usize = 300;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Messages,
    ConnectsInTurn,
    ConnectsAtOnce,
}

impl Work {
    const ALL: [Self; 3] = [Self::Messages, Self::ConnectsInTurn, Self::ConnectsAtOnce];

    fn name(self) -> &'static str {
        match self {
            Self::Messages => "QoS 1 messages, window 50, 128 B",
            Self::ConnectsInTurn => "connects, one after the other",
            Self::ConnectsAtOnce => "connects, 50 at once",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Messages => Unit::PerSecond("messages"),
            Self::ConnectsInTurn | Self::ConnectsAtOnce => Unit::PerSecond("connects"),
        }
    }

    async fn take(self, client: &Client) -> Outcome<f64> {
        match self {
            Self::Messages => client.messages(MESSAGES).await,
            Self::ConnectsInTurn => client.connects(CONNECTS, 1).await,
            Self::ConnectsAtOnce => client.connects(CONNECTS, 50).await,
        }
    }
}

/// Rates over mutual TLS.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let folder = setup.folder()?;
    let brokers = Brokers::start(setup, &folder)?;
    let every = Client::new(brokers.every, &folder)?;
    let none = Client::new(brokers.none, &folder)?;
    let mosquitto = Mosquitto::start(&folder).map_err(|error| error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for work in Work::ALL {
        let mut rates: [Result<Vec<f64>, String>; 3] = [const { Ok(Vec::new()) }; 3];
        for _ in 0..ROUNDS {
            let peer = match &mosquitto {
                Ok(mosquitto) => Client::new(mosquitto.port, &folder).map_err(|e| e.to_string()),
                Err(error) => Err(error.clone()),
            };
            let clients = [Ok(every.clone()), Ok(none.clone()), peer];
            for (rates, client) in std::iter::zip(&mut rates, clients) {
                let rate = client.and_then(|client| {
                    let rate = runtime.block_on(work.take(&client));
                    rate.map_err(|error| error.to_string())
                });
                match (&mut *rates, rate) {
                    (Ok(rates), Ok(rate)) => rates.push(rate),
                    (Ok(_), Err(error)) => *rates = Err(error),
                    (Err(_), _) => {}
                }
            }
        }
        let [every, none, peer] =
            rates.map(|rates| -> Measured { Figure::of(rates?, work.unit()) });
        for (how, ours) in [("every packet traced", every), ("packets not traced", none)] {
            rows.push(
                Row::new(format!("front: {}, {how}", work.name()), ours)
                    .target(Target::LikePeer)
                    .peer("mosquitto", peer.clone())
                    .note(
                        "mutual TLS 1.3 with P-256 certificates, no resumption, loopback; each \
                         broker in a process of its own, measured in turn by the same client \
                         (messages: one publishes, one receives and acknowledges)",
                    ),
            );
        }
    }
    Ok(rows)
}
