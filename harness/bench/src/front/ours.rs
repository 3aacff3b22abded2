//! Our broker, in a process of its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clock::Clock;
use cloud::{
    Broker, BrokerSettings, Devices, KeyExchange, Legacy, OldVersion, PacketTrace, TlsSettings,
};
use pki::Pki;
use pki::esp8266::{Age, Material, Subjects};
use serde_json::{Value, json};
use trace::Trace;

use crate::own_process::{OwnProcess, say_and_wait};
use crate::setup::{Outcome, Setup};

/// The hidden subcommand that is the broker.
pub const BROKER: &str = "__broker";

/// Which TLS our brokers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// That of today, by rustls.
    Today,
    /// That of old devices, by OpenSSL.
    Legacy,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Legacy => "legacy",
        }
    }
}

/// Where two of them listen: one traces every packet, the other none.
pub struct Brokers {
    /// Traces every packet.
    pub every: u16,
    /// Traces handshakes and sessions.
    pub none: u16,
    _process: OwnProcess,
}

impl Brokers {
    /// Starts both; certificates for everybody are put into `folder`.
    pub fn start(setup: &Setup, folder: &Path, kind: Kind) -> Outcome<Self> {
        let arguments = [
            OsStr::new(BROKER),
            folder.as_os_str(),
            OsStr::new(kind.word()),
        ];
        let (process, line) = OwnProcess::start(setup, arguments)?;
        let told: Value = serde_json::from_str(&line)
            .map_err(|error| format!("our broker did not start: {error}: {line:?}"))?;
        let port = |which: &str| -> Outcome<u16> {
            Ok(u16::try_from(told[which].as_u64().ok_or("no port")?)?)
        };
        Ok(Self {
            every: port("every")?,
            none: port("none")?,
            _process: process,
        })
    }
}

/// The process: says where it listens, and ends with its standard input.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> Outcome<()> {
    let folder = arguments.next().ok_or("say where the certificates go")?;
    let folder = Path::new(&folder);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let is_legacy = arguments
        .next()
        .is_some_and(|kind| kind == Kind::Legacy.word());
    let (server, client, authority) = if is_legacy {
        let subjects = Subjects {
            server: "localhost",
            client: "bench",
        };
        let material = Material::mint(Age::Today, subjects, now)?;
        (
            material.broker("server-rsa")?,
            material.device("client-rsa")?,
            material.authority(),
        )
    } else {
        let pki = Pki::new(now)?;
        (
            pki.mint("server", &["localhost"], "localhost")?,
            pki.mint("client", &[], "bench")?,
            pki.authority("ca")?,
        )
    };
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", server.chain_pem()),
        ("server.key", server.key_pem()),
        ("client.pem", client.chain_pem()),
        ("client.key", client.key_pem()),
    ] {
        fs::write(folder.join(name), text)?;
    }
    // As in a worker: one thread for everything.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let start = async |name: &str, packets| -> Outcome<Broker> {
            let file = folder.join(name);
            let trace = Trace::create(Clock::start(1000.0), &file)?;
            let tls = TlsSettings {
                legacy: is_legacy.then_some(Legacy {
                    oldest: OldVersion::Tls10,
                    newest: OldVersion::Tls12,
                    key_exchange: KeyExchange::Any,
                }),
                ..TlsSettings::mutual(server.clone(), vec![authority.clone()])
            };
            let settings = BrokerSettings {
                packets,
                ..BrokerSettings::tls(tls)
            };
            Ok(Broker::start(settings, trace, Devices::default()).await?)
        };
        let every = start("every.jsonl", PacketTrace::Every).await?;
        let none = start("none.jsonl", PacketTrace::None).await?;
        let told = json!({ "every": every.address().port(), "none": none.address().port() });
        say_and_wait(&told.to_string()).await
    })
}
