//! What a device's station meets on the air.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::fake_device::FakeDevice;
use crate::world::{PASSPHRASE, World, home};
use airlink::{Mode, Notice, Packet, Port, Request};
use lab::air::{
    AccessPointChange, AccessPointSettings, DhcpFaults, Joined, Leased, Left, NameAsked, NameFault,
    Protocol, SegmentFaults,
};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 1);

#[tokio::test]
async fn a_station_with_the_right_passphrase_joins_and_gets_an_address() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let Notice::Joined(heard) = device.join("home", PASSPHRASE).await else {
        panic!("not joined");
    };
    assert_eq!((heard.channel, heard.rssi), (6, -41));
    let address = device.lease().await;
    assert_eq!(address.octets()[..3], GATEWAY.octets()[..3]);
    assert_eq!(world.air.station_address("device"), Some(address));
    assert_eq!(world.events::<Joined>()[0].access_point, "home");
    assert_eq!(world.events::<Leased>()[0].to, "device device");
}

#[tokio::test]
async fn whoever_cannot_join_is_told_the_reason() {
    let world = World::new();
    world.air.add_access_point(
        "cafe",
        AccessPointSettings {
            ssid: b"cafe".to_vec(),
            passphrase: String::new(),
            ..home()
        },
    );
    world.air.add_access_point(
        "dark",
        AccessPointSettings {
            ssid: b"dark".to_vec(),
            ..home()
        },
    );
    world
        .air
        .set_access_point("dark", AccessPointChange::On(false))
        .expect("it exists");
    let cases = [
        ("home", "wrong horse", 15),
        ("home", "", 210),
        ("cafe", PASSPHRASE, 211),
        ("nowhere", PASSPHRASE, 201),
        ("dark", PASSPHRASE, 201),
    ];
    for (ssid, passphrase, reason) in cases {
        let mut device = FakeDevice::new(&world, "device", 1);
        let asked = world.clock.now();
        assert_eq!(
            device.join(ssid, passphrase).await,
            Notice::Left { reason },
            "{ssid}"
        );
        let took = world.clock.now() - asked;
        assert!((200..5000).contains(&took.as_millis()), "{ssid}: {took:?}");
        assert_eq!(
            world.events::<Left>().last().map(|left| left.reason),
            Some(reason)
        );
    }
}

#[tokio::test]
async fn the_last_of_two_joins_counts() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.ask(Request::SetMode(Mode::Station));
    for passphrase in ["wrong horse", PASSPHRASE] {
        device.ask(Request::Join {
            ssid: b"home".to_vec(),
            passphrase: passphrase.into(),
        });
    }
    assert!(matches!(device.notice().await, Notice::Joined(_)));
    device.idle(Duration::from_secs(10)).await;
    assert_eq!(device.notices.pop_front(), None);
}

#[tokio::test]
async fn a_scan_hears_who_is_on_strongest_first() {
    let world = World::new();
    for (role, rssi, channel) in [("weak", -80, 1), ("strong", -20, 11), ("off", -10, 1)] {
        let settings = AccessPointSettings {
            ssid: role.into(),
            rssi,
            channel,
            ..home()
        };
        world.air.add_access_point(role, settings);
    }
    world
        .air
        .set_access_point("off", AccessPointChange::On(false))
        .expect("it exists");
    let mut device = FakeDevice::new(&world, "device", 1);
    device.ask(Request::SetMode(Mode::Station));
    for (channel, expected) in [(0, vec!["strong", "home", "weak"]), (1, vec!["weak"])] {
        device.ask(Request::Scan {
            channel,
            passive: false,
        });
        let Notice::ScanDone(found) = device.notice().await else {
            panic!("no scan result");
        };
        let found: Vec<_> = found
            .iter()
            .map(|ap| String::from_utf8_lossy(&ap.ssid).into_owned())
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_station_notices_when_its_access_point_falls_silent() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    let off = world.clock.now();
    world
        .air
        .set_access_point("home", AccessPointChange::On(false))
        .expect("it exists");
    assert_eq!(device.notice().await, Notice::Left { reason: 200 });
    assert!(world.clock.now() - off >= Duration::from_secs(6));
    assert_eq!(world.air.station_address("device"), None);
}

#[tokio::test]
async fn another_passphrase_sends_stations_away() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    world
        .air
        .set_access_point("home", AccessPointChange::Passphrase("new horse".into()))
        .expect("it exists");
    assert_eq!(device.notice().await, Notice::Left { reason: 3 });
    assert_eq!(
        device.join("home", PASSPHRASE).await,
        Notice::Left { reason: 15 }
    );
    assert!(matches!(
        device.join("home", "new horse").await,
        Notice::Joined(_)
    ));
}

#[tokio::test]
async fn a_station_keeps_its_address_when_it_comes_back() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    let mut other = FakeDevice::new(&world, "other", 2);
    device.join("home", PASSPHRASE).await;
    let first = device.lease().await;
    device.link.power_off();
    other.join("home", PASSPHRASE).await;
    let others = other.lease().await;
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    assert_eq!(device.lease().await, first);
    assert_ne!(others, first);
}

#[tokio::test]
async fn without_dhcp_there_is_no_address() {
    let world = World::new();
    let silent = DhcpFaults {
        silent: true,
        ..DhcpFaults::default()
    };
    world
        .air
        .set_access_point("home", AccessPointChange::Dhcp(silent))
        .expect("it exists");
    let error = world.air.join_access_point("alice", "home").await.err();
    let error = error.expect("no lease").to_string();
    assert!(error.contains("gave no address"), "{error}");
}

fn query(name: &str) -> Vec<u8> {
    let mut query = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    query
}

#[tokio::test]
async fn names_are_answered_as_the_scenario_has_them() {
    let world = World::new();
    let target = ([127, 0, 0, 1], 1).into();
    world
        .air
        .publish("broker.test", 8883, Protocol::Tcp, target);
    let address = world.air.address_of("broker.test").expect("an address");
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let server = SocketAddrV4::new(GATEWAY, 53);

    let known = device.ask_udp(&query("broker.test"), server).await;
    assert!(known.ends_with(&address.octets()), "{known:02x?}");
    let unknown = device.ask_udp(&query("nowhere.test"), server).await;
    assert_eq!(unknown[3] & 0x0F, 3);
    world.air.set_name_fault("broker.test", NameFault::NxDomain);
    let broken = device.ask_udp(&query("broker.test"), server).await;
    assert_eq!(broken[3] & 0x0F, 3);
    world
        .air
        .set_name_fault("broker.test", NameFault::WrongAddress);
    let wrong = device.ask_udp(&query("broker.test"), server).await;
    assert!(wrong[3] & 0x0F == 0 && !wrong.ends_with(&address.octets()));
    world.air.set_name_fault("broker.test", None);
    // Whichever server a device was told to ask.
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(8, 8, 8, 8), 53);
    let repaired = device.ask_udp(&query("broker.test"), elsewhere).await;
    assert!(repaired.ends_with(&address.octets()));

    let asked: Vec<_> = world.events::<NameAsked>();
    assert_eq!(asked.len(), 5);
    assert_eq!(asked[1].answer, "unknown");
}

#[tokio::test]
async fn a_silent_name_server_says_nothing() {
    let world = World::new();
    world.air.set_name_fault("broker.test", NameFault::Silent);
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let query = query("broker.test");
    let handle = device.station.bind_udp(5353);
    device
        .station
        .sockets
        .get_mut::<smoltcp::socket::udp::Socket<'_>>(handle)
        .send_slice(&query, SocketAddrV4::new(GATEWAY, 53))
        .expect("room");
    device.idle(Duration::from_secs(10)).await;
    assert_eq!(world.events::<NameAsked>().len(), 1);
    assert_eq!(device.station.udp_received(handle), None);
}

#[tokio::test]
async fn a_radio_without_power_is_not_heard() {
    let world = World::new();
    let device = FakeDevice::new(&world, "device", 1);
    device.link.power_off();
    device.ask(Request::SetMode(Mode::Station));
    device.ask(Request::Join {
        ssid: b"home".to_vec(),
        passphrase: PASSPHRASE.into(),
    });
    world.clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(world.events::<Joined>(), []);
}

#[tokio::test]
async fn garbage_and_borrowed_addresses_are_traced() {
    let world = World::new();
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    device.link.from_device(&[]);
    device.link.from_device(&[7; 40]);
    let notice = airlink::encode_notice(&Notice::Left { reason: 1 });
    device.link.from_device(&notice.encode());
    let mut frame = vec![0xFF; 60];
    frame[6] = 0x02;
    let borrowed = Packet {
        port: Port::Station,
        frame,
    };
    device.link.from_device(&borrowed.encode());
    let problems: Vec<_> = world
        .events::<board::Garbage>()
        .into_iter()
        .map(|garbage| garbage.problem)
        .collect();
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[3].contains("another address"), "{problems:?}");
}

#[tokio::test]
async fn a_flood_of_garbage_is_recorded_once_too_often_at_most() {
    let world = World::new();
    let device = FakeDevice::new(&world, "device", 1);
    for _ in 0..1000 {
        device.link.from_device(&[9]);
    }
    let garbage = world.events::<board::Garbage>();
    assert_eq!(garbage.len(), 50);
    assert!(garbage[49].problem.contains("not recorded"));
}

#[tokio::test]
async fn a_check_finds_the_gateways_and_disturbs_nobody() {
    let world = World::new();
    let broken = AccessPointSettings {
        ssid: b"broken".to_vec(),
        ..home()
    };
    world.air.add_access_point("broken", broken);
    let cut = SegmentFaults {
        cut: true,
        ..SegmentFaults::default()
    };
    world
        .air
        .set_access_point("broken", AccessPointChange::Faults(cut))
        .expect("it exists");
    let mut device = FakeDevice::new(&world, "device", 1);
    device.join("home", PASSPHRASE).await;
    device.lease().await;
    let events = world.trace.len();
    let report = world.air.check().await;
    assert!(report.sound, "{report:?}");
    assert_eq!(report.detail, "gateways that answered: home");
    let heard = world
        .clock
        .timeout(Duration::from_secs(5), device.link.to_device());
    assert_eq!(heard.await.ok(), None);
    assert_eq!(world.trace.len(), events);
}

/// An echo request of the device in a frame to the gateway.
fn ping(device: &FakeDevice, to: Ipv4Addr, gateway: [u8; 6]) -> Vec<u8> {
    let checksums = ChecksumCapabilities::default();
    let echo = Icmpv4Repr::EchoRequest {
        ident: 1,
        seq_no: 1,
        data: b"anybody?",
    };
    let ip = Ipv4Repr {
        src_addr: device.station.interface.ipv4_addr().expect("an address"),
        dst_addr: to,
        next_header: IpProtocol::Icmp,
        payload_len: echo.buffer_len(),
        hop_limit: 64,
    };
    let mut frame = vec![0; 34 + echo.buffer_len()];
    frame[..6].copy_from_slice(&gateway);
    frame[6..12].copy_from_slice(&[2, 0xDE, 0, 0, 0, 1]);
    frame[12..14].copy_from_slice(&[8, 0]);
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &checksums);
    echo.emit(
        &mut Icmpv4Packet::new_unchecked(&mut frame[34..]),
        &checksums,
    );
    let packet = Packet {
        port: Port::Station,
        frame,
    };
    packet.encode()
}

#[tokio::test]
async fn whoever_is_there_answers_a_ping() {
    let world = World::new();
    let target = ([127, 0, 0, 1], 1).into();
    world
        .air
        .publish("broker.test", 8883, Protocol::Tcp, target);
    let broker = world.air.address_of("broker.test").expect("an address");
    let mut device = FakeDevice::new(&world, "device", 1);
    let Notice::Joined(heard) = device.join("home", PASSPHRASE).await else {
        panic!("not joined");
    };
    device.lease().await;
    // So that the two know each other's hardware addresses.
    device
        .ask_udp(&query("broker.test"), SocketAddrV4::new(GATEWAY, 53))
        .await;
    let nobody = Ipv4Addr::new(198, 51, 100, 66);
    for (address, answers) in [(GATEWAY, true), (broker, true), (nobody, false)] {
        let ping = ping(&device, address, heard.bssid);
        device.link.from_device(&ping);
        let answer = world
            .clock
            .timeout(Duration::from_secs(5), device.link.to_device());
        // Protocol 1, type 0: echo reply.
        let answered = answer
            .await
            .is_ok_and(|bytes| bytes[24] == 1 && bytes[35] == 0);
        assert_eq!(answered, answers, "{address}");
    }
}
