//! Bumble, somebody else's Bluetooth host, at the TCP port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use clock::Busy;
use embassy_futures::join::join;
use lab::bluetooth::BleConnected;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::hosts::{self, Phone};
use crate::world::World;

/// Set where a judge that is missing is a failure.
const REQUIRED: &str = "PROVING_JUDGES_REQUIRED";
/// Folder of the Python environment with the judges.
const JUDGES: &str = "PROVING_JUDGES";

const CENTRAL: &str = include_str!("bumble/central.py");
const PERIPHERAL: &str = include_str!("bumble/peripheral.py");

/// A Python that has Bumble; says so if there is none.
async fn python() -> Option<PathBuf> {
    let python = std::env::var_os(JUDGES).map(|folder| PathBuf::from(folder).join("bin/python"));
    if let Some(python) = &python {
        let found = Command::new(python)
            .args(["-c", "import bumble"])
            .stderr(Stdio::null())
            .status()
            .await;
        if found.is_ok_and(|status| status.success()) {
            return Some(python.clone());
        }
    }
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{JUDGES} names no Python with bumble"
    );
    println!("skipped, because {JUDGES} names no Python with bumble");
    None
}

/// Starts a script that speaks to the port of `world`, whose time must not run ahead meanwhile.
async fn start(world: &World, script: &str) -> Option<(Child, Busy)> {
    let python = python().await?;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let port = world.ether.open_port(anywhere).await.expect("a port");
    let child = Command::new(python)
        .args(["-c", script, &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("started");
    Some((child, world.clock.busy()))
}

/// What it has said in the end, which must have been well.
async fn said((mut child, _busy): (Child, Busy)) -> String {
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let (_, _) = join(
        stdout.read_to_string(&mut out),
        stderr.read_to_string(&mut err),
    )
    .await;
    let status = child.wait().await.expect("it ends");
    assert!(status.success(), "{out}\n{err}");
    out
}

#[tokio::test]
async fn bumble_as_central_reads_the_table_and_writes_long_values() {
    let world = World::new();
    let Some(child) = start(&world, CENTRAL).await else {
        return;
    };
    let mut words = String::new();
    hosts::hosts(&world, async |device, _, _| {
        let device_side = async { hosts::serve(hosts::advertise(device).await).await };
        let (reason, out) = join(device_side, said(child)).await;
        assert_eq!(reason, 0x13);
        words = out;
    })
    .await;
    insta::assert_snapshot!(words);
    let connected: Vec<BleConnected> = world.events();
    assert_eq!(connected[0].central, "outsider 1");
}

#[tokio::test]
async fn bumble_as_peripheral_is_found_and_answers() {
    let world = World::new();
    let Some(child) = start(&world, PERIPHERAL).await else {
        return;
    };
    hosts::hosts(&world, async |_, phone: &Phone<'_>, _| {
        let phone_side = async {
            let connection = hosts::connect_to(phone, hosts::bumble()).await;
            hosts::client(phone, &connection, async |client, value| {
                for length in [1, 100, 253] {
                    client
                        .write_characteristic(value, &vec![b'x'; length])
                        .await
                        .expect("written");
                    let mut read = [0; 512];
                    let received = client
                        .read_characteristic(value, &mut read)
                        .await
                        .expect("read");
                    assert_eq!(received, length + 1);
                    assert_eq!(read[length], b'!');
                }
            })
            .await;
            connection.disconnect();
        };
        let (said, ()) = join(said(child), phone_side).await;
        assert_eq!(said, "connected\ndisconnected\n");
    })
    .await;
}

/// Lab time runs at the host's pace while somebody from outside is there, so that what Python takes
/// its time for is not missed.
#[tokio::test]
async fn lab_time_waits_for_outsiders() {
    let world = World::new();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let port = world.ether.open_port(anywhere).await.expect("a port");
    let began = std::time::Instant::now();
    world.clock.sleep(Duration::from_secs(100)).await;
    assert!(began.elapsed() < Duration::from_secs(50));
    let stream = tokio::net::TcpStream::connect(port)
        .await
        .expect("connected");
    // Until the lab has noticed.
    tokio::task::yield_now().await;
    stream.writable().await.expect("writable");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let began = std::time::Instant::now();
    world.clock.sleep(Duration::from_millis(300)).await;
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "{:?}",
        began.elapsed()
    );
}
