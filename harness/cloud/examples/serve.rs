//! The cloud alone, for other people's clients: `cargo run -p cloud --example serve -- FOLDER`.
//!
//! Writes certificates and keys to FOLDER, prints where everything listens, and serves until its
//! standard input ends. With `--quiet` it does not print what happens; with `--untraced` packets are
//! not even traced.

use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use cloud::{
    Broker, BrokerSettings, Devices, ListenerSettings, PacketTrace, Sntp, SntpFaults, TlsSettings,
};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let (options, rest): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let untraced = options.iter().any(|option| option == "--untraced");
    let quiet = untraced || options.iter().any(|option| option == "--quiet");
    let folder = PathBuf::from(rest.first().ok_or("which FOLDER?")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let pki = pki::Pki::new(now)?;
    let names = ["localhost", "127.0.0.1"];
    pki.export_authorities(&folder)?;
    pki.mint("client", &[], "device-1")?
        .export(&folder, "client")?;

    let trace = trace::Trace::in_memory(clock::Clock::start(1.0));
    let identity = pki.mint("server", &names, "localhost")?;
    let tls = TlsSettings::mutual(identity, vec![pki.authority("ca")?]);
    let settings = BrokerSettings {
        listeners: vec![
            ListenerSettings::default(),
            ListenerSettings {
                tls: Some(tls),
                ..ListenerSettings::default()
            },
        ],
        packets: if untraced {
            PacketTrace::None
        } else {
            PacketTrace::Every
        },
        ..BrokerSettings::default()
    };
    let broker = Broker::start(settings, trace.clone(), Devices::default()).await?;
    let sntp = Sntp::start(trace.clone(), SntpFaults::default()).await?;
    broker.probe().await?;
    let addresses = broker.addresses();
    println!("mqtt  {}", addresses[0]);
    println!(
        "mqtts {} (certificates in {})",
        addresses[1],
        folder.display()
    );
    println!("sntp  {}", sntp.address());
    let ended = tokio::task::spawn_blocking(|| {
        // An error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
    let mut shown = 0;
    tokio::pin!(ended);
    loop {
        tokio::select! {
            _ = &mut ended => return Ok(()),
            () = trace.longer_than(shown) => {
                for event in trace.since(shown).iter().filter(|_| !quiet) {
                    println!("{:?} {} {}", event.source, event.kind, event.data);
                }
                shown = trace.len();
            }
        }
    }
}
