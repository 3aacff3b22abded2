//! A device as access point, and the host's way to it.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::fake_device::{FakeDevice, SOFT_AP};
use crate::world::{PASSPHRASE, World};
use airlink::{Mode, Notice, Request};
use lab::air::{AirError, ForwardTarget, SegmentFaults, SoftApStarted, SoftApStopped};
use phone::Dial;
use smoltcp::iface::SocketHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[tokio::test]
async fn a_phone_joins_and_gets_its_address_from_the_device() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let joining = world.air.join_soft_ap("alice", b"PROV_1", "");
    let alice = device.during(joining).await.expect("a seat");
    let Notice::StationJoined(mac) = device.notice().await else {
        panic!("nobody joined");
    };
    assert_eq!(alice.address().octets()[..3], SOFT_AP.octets()[..3]);
    assert_eq!(alice.broadcast(), Ipv4Addr::new(192, 168, 4, 255));
    drop(alice);
    assert_eq!(device.notice().await, Notice::StationLeft(mac));
    assert!(world.events::<SoftApStarted>()[0].open);
}

#[tokio::test]
async fn a_phone_waits_for_the_soft_ap_to_appear() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let later = world.clock.sleep(Duration::from_secs(5));
    let joining = world.air.join_soft_ap("alice", b"PROV_1", "");
    let mut joining = std::pin::pin!(joining);
    tokio::select! {
        _ = &mut joining => panic!("joined what is not there"),
        () = later => {}
    }
    device.start_soft_ap("PROV_1", "");
    device.during(joining).await.expect("a seat");
}

#[tokio::test]
async fn whoever_cannot_join_is_told_why() {
    let world = World::new();
    let missing = world.air.join_soft_ap("alice", b"PROV_1", "").await.err();
    assert!(
        matches!(missing, Some(AirError::NoSoftAp { .. })),
        "{missing:?}"
    );
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "a secret");
    let wrong = world.air.join_soft_ap("alice", b"PROV_1", "another").await;
    assert!(matches!(wrong, Err(AirError::Passphrase { .. })));
    // The device does nothing, so its DHCP server is silent.
    let silent = world.air.join_soft_ap("alice", b"PROV_1", "a secret").await;
    assert!(matches!(silent, Err(AirError::NoLease { .. })));
    let mut seats = Vec::new();
    for phone in ["alice", "bob"] {
        let joining = world.air.join_soft_ap(phone, b"PROV_1", "a secret");
        seats.push(device.during(joining).await.expect("a seat"));
    }
    let full = world
        .air
        .join_soft_ap("mallory", b"PROV_1", "a secret")
        .await;
    assert!(matches!(full, Err(AirError::Full { .. })));
}

#[tokio::test]
async fn a_soft_ap_that_stops_takes_its_phones_off() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let joining = world.air.join_soft_ap("alice", b"PROV_1", "");
    let alice = device.during(joining).await.expect("a seat");
    device.ask(Request::SetMode(Mode::Station));
    world.soon("the end", alice.lost()).await;
    let error = alice.tcp(SocketAddrV4::new(SOFT_AP, 80)).await.err();
    assert_eq!(error.expect("gone").kind(), ErrorKind::NetworkDown);
    assert_eq!(world.events::<SoftApStopped>()[0].ssid, "PROV_1");
}

#[tokio::test]
async fn a_broken_soft_ap_gives_no_address() {
    let world = World::new();
    let cut = SegmentFaults {
        cut: true,
        ..SegmentFaults::default()
    };
    world.air.set_soft_ap_faults("device", cut);
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let joining = world.air.join_soft_ap("alice", b"PROV_1", "");
    let cut_off = device.during(joining).await;
    assert!(matches!(cut_off, Err(AirError::NoLease { .. })));
    world
        .air
        .set_soft_ap_faults("device", SegmentFaults::default());
    let joining = world.air.join_soft_ap("alice", b"PROV_1", "");
    device.during(joining).await.expect("a seat");
}

/// Answers one connection with what it received, in capitals, once it has 5 bytes.
fn shout(device: &mut FakeDevice, server: SocketHandle) -> Option<()> {
    let socket = device.soft_ap.tcp(server);
    if socket.recv_queue() < 5 {
        return None;
    }
    let heard = socket
        .recv(|bytes| (bytes.len(), bytes.to_ascii_uppercase()))
        .expect("an open connection");
    socket.send_slice(&heard).expect("an open connection");
    Some(())
}

#[tokio::test]
async fn a_phone_talks_to_the_device() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let joining = world.air.join_soft_ap("alice", b"PROV_1", "");
    let alice = device.during(joining).await.expect("a seat");
    let server = device.soft_ap.listen(80);
    let connecting = alice.tcp(SocketAddrV4::new(SOFT_AP, 80));
    let mut stream = device.during(connecting).await.expect("open");
    stream.write_all(b"hello").await.expect("written");
    device
        .until("the request", |device| shout(device, server))
        .await;
    let mut answer = [0; 5];
    device
        .during(stream.read_exact(&mut answer))
        .await
        .expect("read");
    assert_eq!(&answer, b"HELLO");
}

#[tokio::test]
async fn a_host_port_leads_to_the_soft_ap() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let target = ForwardTarget::SoftAp {
        device: "device".into(),
    };
    let address = world.air.forward(ANY, target, 80).await.expect("a port");
    for _ in 0..2 {
        let server = device.soft_ap.listen(80);
        let mut stream = TcpStream::connect(address).await.expect("open");
        stream.write_all(b"hello").await.expect("written");
        device
            .until("the request", |device| shout(device, server))
            .await;
        device.soft_ap.tcp(server).close();
        let mut answer = Vec::new();
        device
            .during(stream.read_to_end(&mut answer))
            .await
            .expect("an end in order");
        assert_eq!(answer, b"HELLO");
    }
    assert!(matches!(device.notice().await, Notice::StationJoined(_)));
    device.idle(Duration::from_secs(1)).await;
    assert_eq!(device.notices.pop_front(), None);
}

#[tokio::test]
async fn a_forwarded_client_sees_what_the_device_does() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let target = ForwardTarget::SoftAp {
        device: "device".into(),
    };
    let address = world.air.forward(ANY, target, 80).await.expect("a port");

    // Nobody listens.
    let mut stream = TcpStream::connect(address).await.expect("open");
    let error = device.during(stream.read_u8()).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    // It closes without an answer.
    let server = device.soft_ap.listen(80);
    let mut stream = TcpStream::connect(address).await.expect("open");
    stream.write_all(b"hello").await.expect("written");
    device
        .until("the request", |device| {
            let socket = device.soft_ap.tcp(server);
            (socket.recv_queue() == 5).then(|| socket.close())
        })
        .await;
    let mut nothing = Vec::new();
    let read = device.during(stream.read_to_end(&mut nothing)).await;
    assert_eq!(read.expect("an end in order"), 0);

    // It resets.
    let server = device.soft_ap.listen(80);
    let mut stream = TcpStream::connect(address).await.expect("open");
    stream.write_all(b"hello").await.expect("written");
    device
        .until("the request", |device| {
            let socket = device.soft_ap.tcp(server);
            (socket.recv_queue() == 5).then(|| socket.abort())
        })
        .await;
    let error = device.during(stream.read_u8()).await.expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    // It has no power.
    device.link.power_off();
    let mut stream = TcpStream::connect(address).await.expect("open");
    let error = stream.read_u8().await.expect_err("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_host_port_leads_to_the_station() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let target = ForwardTarget::Station {
        device: "device".into(),
    };
    let address = world.air.forward(ANY, target, 80).await.expect("a port");
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let server = device.station.listen(80);
    let mut stream = TcpStream::connect(address).await.expect("open");
    stream.write_all(b"hello").await.expect("written");
    device
        .until("the request", |device| {
            let socket = device.station.tcp(server);
            (socket.recv_queue() == 5).then(|| socket.send_slice(b"yes").expect("open"))
        })
        .await;
    let mut answer = [0; 3];
    device
        .during(stream.read_exact(&mut answer))
        .await
        .expect("read");
    assert_eq!(&answer, b"yes");
}
