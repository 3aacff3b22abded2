//! Bumble, somebody else's Bluetooth host, at the TCP port.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use embassy_futures::join::join;
use lab::bluetooth::BleConnected;

use crate::hosts::{self, Phone};
use crate::outsider::Outsider;
use crate::world::World;

/// A script beside this file.
fn script(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("bluetooth/bumble").join(name)
}

#[tokio::test]
async fn bumble_as_central_reads_the_table_and_writes_long_values() {
    let world = World::new();
    let Some(central) = Outsider::start(&world, &script("central.py"), &[]).await else {
        return;
    };
    let mut words = String::new();
    hosts::hosts(&world, async |device, _, _| {
        let device_side = async { hosts::serve(hosts::advertise(device).await).await };
        let (reason, out) = join(device_side, central.well()).await;
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
    let Some(peripheral) = Outsider::start(&world, &script("peripheral.py"), &[]).await else {
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
        let (said, ()) = join(peripheral.well(), phone_side).await;
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
