//! Phones among themselves.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::world::World;
use lab::air::{AccessPointChange, AirError, PhoneJoined, PhoneLeft, PhoneSeat};
use phone::Dial;

async fn seat(world: &World, phone: &str) -> PhoneSeat {
    world
        .air
        .join_access_point(phone, "home")
        .await
        .expect("a seat")
}

#[tokio::test]
async fn whatever_stands_for_everybody_reaches_everybody() {
    let world = World::new();
    let (alice, bob) = (seat(&world, "alice").await, seat(&world, "bob").await);
    let sender = alice.udp(0).await.expect("a port");
    let listener = bob.udp(5683).await.expect("a port");
    let from = SocketAddrV4::new(alice.address(), sender.port());
    let addresses = [
        Ipv4Addr::BROADCAST,
        alice.broadcast(),
        Ipv4Addr::new(192, 255, 255, 255),
        Ipv4Addr::new(192, 168, 255, 255),
        Ipv4Addr::new(224, 0, 1, 187),
        bob.address(),
    ];
    for address in addresses {
        let text = address.to_string();
        let to = SocketAddrV4::new(address, 5683);
        sender.send(text.as_bytes(), to).await.expect("sent");
        let received = world.soon(&text, listener.receive()).await;
        assert_eq!(received.expect("received"), (text.into_bytes(), from));
    }
}

#[tokio::test]
async fn isolation_keeps_phones_apart() {
    let world = World::new();
    world
        .air
        .set_access_point("home", AccessPointChange::Isolation(true))
        .expect("it exists");
    let (alice, bob) = (seat(&world, "alice").await, seat(&world, "bob").await);
    let sender = alice.udp(0).await.expect("a port");
    let listener = bob.udp(5683).await.expect("a port");
    for address in [Ipv4Addr::BROADCAST, bob.address()] {
        let to = SocketAddrV4::new(address, 5683);
        sender.send(b"hello", to).await.expect("sent");
    }
    let heard = world
        .clock
        .timeout(Duration::from_secs(10), listener.receive());
    assert!(heard.await.is_err());
}

#[tokio::test]
async fn a_port_is_bound_once() {
    let world = World::new();
    let alice = seat(&world, "alice").await;
    let first = alice.udp(5683).await.expect("a port");
    let second = alice.udp(5683).await.err().expect("taken");
    assert_eq!(second.kind(), ErrorKind::AddrInUse);
    drop(first);
    assert!(alice.udp(5683).await.is_ok());
}

#[tokio::test]
async fn a_phone_that_left_is_not_there() {
    let world = World::new();
    let (alice, bob) = (seat(&world, "alice").await, seat(&world, "bob").await);
    let to = SocketAddrV4::new(bob.address(), 80);
    assert_eq!(
        alice.tcp(to).await.err().expect("refused").kind(),
        ErrorKind::ConnectionRefused
    );
    drop(bob);
    assert_eq!(
        alice.tcp(to).await.err().expect("nobody").kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(world.events::<PhoneJoined>().len(), 2);
    assert_eq!(world.events::<PhoneLeft>()[0].phone, "bob");
}

#[tokio::test]
async fn a_phone_that_comes_back_has_its_address_again() {
    let world = World::new();
    let (alice, bob) = (seat(&world, "alice").await, seat(&world, "bob").await);
    let (first, others) = (alice.address(), bob.address());
    drop(alice);
    let alice = seat(&world, "alice").await;
    assert_eq!(alice.address(), first);
    let twice = seat(&world, "alice").await;
    assert!(![first, others].contains(&twice.address()));
}

#[tokio::test]
async fn an_access_point_without_power_takes_its_phones_off() {
    let world = World::new();
    let alice = seat(&world, "alice").await;
    let listener = alice.udp(5683).await.expect("a port");
    world
        .air
        .set_access_point("home", AccessPointChange::On(false))
        .expect("it exists");
    let error = world.soon("the end", listener.receive()).await;
    assert_eq!(error.expect_err("gone").kind(), ErrorKind::NetworkDown);
    assert!(!alice.is_joined());
    let refused = world.air.join_access_point("bob", "home").await.err();
    assert_eq!(
        refused,
        Some(AirError::Off {
            role: "home".into()
        })
    );
    let unknown = world.air.join_access_point("bob", "office").await.err();
    assert_eq!(
        unknown,
        Some(AirError::NoAccessPoint {
            role: "office".into()
        })
    );
}
