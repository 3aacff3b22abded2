//! The host's way to a device for clients that speak UDP.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::fake_device::{FakeDevice, Side};
use crate::world::{PASSPHRASE, World};
use lab::air::{AccessPointChange, ForwardTarget, Forwarded};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp;
use smoltcp::wire::IpEndpoint;
use tokio::net::UdpSocket;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Longer than a flow lives without a datagram.
const LONG: Duration = Duration::from_secs(130);

fn station() -> ForwardTarget {
    ForwardTarget::Station {
        device: "device".into(),
    }
}

async fn client(forwarded: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(ANY).await.expect("a socket");
    socket.connect(forwarded).await.expect("connected");
    socket
}

/// The next datagram to the device, and who sent it.
fn received(side: &mut Side, port: SocketHandle) -> Option<(Vec<u8>, IpEndpoint)> {
    let socket = side.sockets.get_mut::<udp::Socket<'_>>(port);
    let (bytes, meta) = socket.recv().ok()?;
    Some((bytes.to_vec(), meta.endpoint))
}

fn send(side: &mut Side, port: SocketHandle, bytes: &[u8], to: IpEndpoint) {
    let socket = side.sockets.get_mut::<udp::Socket<'_>>(port);
    socket.send_slice(bytes, to).expect("room");
}

async fn answer(device: &mut FakeDevice, client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let length = device
        .during(client.recv(&mut buffer))
        .await
        .expect("an answer");
    buffer[..length].to_vec()
}

#[tokio::test]
async fn each_client_gets_the_answers_to_what_it_has_asked() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let forwarded = world.air.forward_udp(ANY, station(), 5683).await;
    let forwarded = forwarded.expect("a port");
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    // The gateway reaches its stations even when they don't reach each other.
    world
        .air
        .set_access_point("home", AccessPointChange::Isolation(true))
        .expect("there is one");
    let port = device.station.bind_udp(5683);
    let clients = [client(forwarded).await, client(forwarded).await];
    let mut askers = Vec::new();
    for (client, question) in clients.iter().zip([b"one", b"two"]) {
        client.send(question).await.expect("sent");
        let (bytes, from) = device
            .until("the question", |device| received(&mut device.station, port))
            .await;
        assert_eq!(bytes, question);
        askers.push(from);
    }
    assert_ne!(askers[0], askers[1]);
    // In the other order, and twice, as devices do that answer later.
    for (client, asker) in clients.iter().zip(&askers).rev() {
        for bytes in [b"ack", b"yes"] {
            send(&mut device.station, port, bytes, *asker);
            assert_eq!(answer(&mut device, client).await, bytes);
        }
    }
}

#[tokio::test]
async fn a_client_stays_the_same_until_it_is_silent_for_long() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let forwarded = world.air.forward_udp(ANY, station(), 5683).await;
    let forwarded = forwarded.expect("a port");
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let port = device.station.bind_udp(5683);
    let client = client(forwarded).await;
    let mut askers = Vec::new();
    for pause in [Duration::from_secs(90), Duration::from_secs(90), LONG] {
        client.send(b"hello").await.expect("sent");
        let (_, from) = device
            .until("the question", |device| received(&mut device.station, port))
            .await;
        askers.push(from);
        device.idle(pause).await;
    }
    assert_eq!(askers[0], askers[1]);
    assert_eq!(askers[1], askers[2]);
    let ended = world.events::<Forwarded>();
    assert_eq!(
        (ended[0].protocol.as_str(), ended[0].how.as_str()),
        ("udp", "idle")
    );
    client.send(b"hello").await.expect("sent");
    let (_, from) = device
        .until("the question", |device| received(&mut device.station, port))
        .await;
    assert_ne!(from, askers[0]);
}

#[tokio::test]
async fn only_the_port_that_was_asked_answers() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let forwarded = world.air.forward_udp(ANY, station(), 5683).await;
    let forwarded = forwarded.expect("a port");
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let port = device.station.bind_udp(5683);
    let other = device.station.bind_udp(9);
    let client = client(forwarded).await;
    client.send(b"hello").await.expect("sent");
    let (_, from) = device
        .until("the question", |device| received(&mut device.station, port))
        .await;
    send(&mut device.station, other, b"no", from);
    send(&mut device.station, port, b"yes", from);
    assert_eq!(answer(&mut device, &client).await, b"yes");
}

#[tokio::test]
async fn datagrams_to_a_device_that_is_not_there_are_lost() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let forwarded = world.air.forward_udp(ANY, station(), 5683).await;
    let forwarded = forwarded.expect("a port");
    let client = client(forwarded).await;
    client.send(b"too early").await.expect("sent");
    device
        .until("the note of it", |_| world.events::<Forwarded>().pop())
        .await;
    assert_eq!(
        world.events::<Forwarded>()[0].how,
        "the device is not there"
    );

    // Neither do those that fit into no frame reach it.
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let port = device.station.bind_udp(5683);
    client.send(&[0; 4000]).await.expect("sent");
    client.send(b"in time").await.expect("sent");
    let (bytes, _) = device
        .until("the question", |device| received(&mut device.station, port))
        .await;
    assert_eq!(bytes, b"in time");
}

#[tokio::test]
async fn a_soft_ap_is_reached_by_datagrams_too() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let target = ForwardTarget::SoftAp {
        device: "device".into(),
    };
    let forwarded = world.air.forward_udp(ANY, target, 5683).await;
    let client = client(forwarded.expect("a port")).await;
    let port = device.soft_ap.bind_udp(5683);
    client.send(b"hello").await.expect("sent");
    let (bytes, from) = device
        .until("the question", |device| received(&mut device.soft_ap, port))
        .await;
    assert_eq!(bytes, b"hello");
    send(&mut device.soft_ap, port, b"yes", from);
    assert_eq!(answer(&mut device, &client).await, b"yes");
    device.link.power_off();
    device
        .until("the end of the flow", |_| world.events::<Forwarded>().pop())
        .await;
    assert_eq!(world.events::<Forwarded>()[0].how, "the network is gone");
}
