//! Access points and SoftAPs that are bridged with an Ethernet on a Unix socket.

use std::net::Ipv4Addr;
use std::time::Duration;

use airlink::{ETHERTYPE, Notice};
use lab::air::{AccessPointChange, AirError, DhcpFaults, Leased};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::fake_device::{FakeDevice, SOFT_AP};
use crate::world::{PASSPHRASE, World, home};

/// A host of the Ethernet.
const HOST: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];
const DEVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 9);

/// A world and the program at the Ethernet's socket.
struct Bridged {
    world: World,
    socket: UnixStream,
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Bridged {
    /// The access point `home` is bridged, and so is the SoftAP of `device`.
    async fn start() -> Self {
        let world = World::new();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lan.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let ethernet = world.air.open_ethernet(listener);
        world
            .air
            .add_bridged_access_point("home", home(), &ethernet);
        world.air.bridge_soft_ap("device", &ethernet);
        let socket = UnixStream::connect(&path).await.expect("a listener");
        Self {
            world,
            socket,
            path,
            _folder: folder,
        }
    }

    async fn send(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).expect("short");
        self.socket.write_u32(length).await.expect("open");
        self.socket.write_all(frame).await.expect("open");
    }

    async fn receive(&mut self) -> Vec<u8> {
        let length = self.socket.read_u32().await.expect("a frame");
        let mut frame = vec![0; usize::try_from(length).expect("short")];
        self.socket.read_exact(&mut frame).await.expect("a frame");
        frame
    }

    /// Asks who has `address`; the hardware address that answers.
    async fn resolve(&mut self, device: &mut FakeDevice, address: Ipv4Addr) -> EthernetAddress {
        let ask = arp(HOST, address);
        self.send(&ask).await;
        loop {
            let frame = device.during(self.receive()).await;
            let frame = EthernetFrame::new_checked(&frame).expect("a frame");
            if frame.ethertype() == EthernetProtocol::Arp
                && let Ok(arp) = ArpPacket::new_checked(frame.payload())
                && let Ok(ArpRepr::EthernetIpv4 {
                    operation: ArpOperation::Reply,
                    source_hardware_addr,
                    ..
                }) = ArpRepr::parse(&arp)
            {
                return source_hardware_addr;
            }
        }
    }
}

/// Who has `target`? Asked from its own /24 network.
fn arp(from: [u8; 6], target: Ipv4Addr) -> Vec<u8> {
    let [a, b, c, _] = target.octets();
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(from),
        source_protocol_addr: Ipv4Addr::new(a, b, c, 2),
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(from),
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Arp,
    };
    let mut bytes = vec![0; 14 + repr.buffer_len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    ethernet.emit(&mut frame);
    repr.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    bytes
}

#[tokio::test]
async fn a_station_of_a_bridged_access_point_is_on_its_ethernet_and_gets_nothing_from_the_lab() {
    let mut bridged = Bridged::start().await;
    let mut device = FakeDevice::new(&bridged.world, "device", 1);
    let refused = device.join("home", "not the passphrase").await;
    assert!(matches!(refused, Notice::Left { .. }), "{refused:?}");
    let joined = device.join("home", PASSPHRASE).await;
    assert!(matches!(joined, Notice::Joined(_)), "{joined:?}");
    device.station.set_address(DEVICE_ADDRESS, None);
    let mac = bridged.resolve(&mut device, DEVICE_ADDRESS).await;
    assert_eq!(mac, EthernetAddress([2, 0xDE, 0, 0, 0, 1]));
    // Isolated stations still reach what is wired.
    let isolate = AccessPointChange::Isolation(true);
    let air = bridged.world.air.clone();
    air.set_access_point("home", isolate).expect("known");
    bridged.resolve(&mut device, DEVICE_ADDRESS).await;
    for change in [
        AccessPointChange::Dhcp(DhcpFaults::default()),
        AccessPointChange::Internet(false),
    ] {
        let role = "home".to_owned();
        let refused = air.set_access_point("home", change);
        assert_eq!(refused, Err(AirError::Bridged { role }));
    }
    assert!(bridged.world.events::<Leased>().is_empty());
    assert_eq!(air.station_address("device"), None);
    assert!(air.check().await.sound);
}

#[tokio::test]
async fn a_bridged_soft_ap_tells_its_device_of_each_station_once_and_forgets_the_first() {
    let mut bridged = Bridged::start().await;
    let mut device = FakeDevice::new(&bridged.world, "device", 1);
    device.start_soft_ap("PROV_1", "");
    let mac = bridged.resolve(&mut device, SOFT_AP).await;
    assert_eq!(mac, EthernetAddress([2, 0xDE, 0, 0, 1, 1]));
    assert_eq!(device.notice().await, Notice::StationJoined(HOST));
    bridged.resolve(&mut device, SOFT_AP).await;
    // Two fit.
    for last in [2, 3] {
        bridged
            .send(&arp([0x52, 0x54, 0, 0, 0, last], SOFT_AP))
            .await;
    }
    let second = [0x52, 0x54, 0, 0, 0, 2];
    assert_eq!(device.notice().await, Notice::StationJoined(second));
    assert_eq!(device.notice().await, Notice::StationLeft(HOST));
}

#[tokio::test]
async fn what_no_ethernet_carries_reaches_no_device_and_the_next_program_finds_the_ethernet_whole()
{
    let mut bridged = Bridged::start().await;
    let mut device = FakeDevice::new(&bridged.world, "device", 1);
    let joined = device.join("home", PASSPHRASE).await;
    assert!(matches!(joined, Notice::Joined(_)), "{joined:?}");
    device.station.set_address(DEVICE_ADDRESS, None);
    device.idle(Duration::from_secs(1)).await;
    // The lab's own words to a radio, a source that is a group, and the device's own address.
    let mut control = arp(HOST, DEVICE_ADDRESS);
    control[12..14].copy_from_slice(&ETHERTYPE.to_be_bytes());
    bridged.send(&control).await;
    bridged.send(&arp([0xFF; 6], DEVICE_ADDRESS)).await;
    bridged
        .send(&arp([2, 0xDE, 0, 0, 0, 1], DEVICE_ADDRESS))
        .await;
    for garbage in [[0, 0, 0, 0], [0xFF; 4], [0, 0, 0x10, 0]] {
        bridged.socket.write_all(&garbage).await.expect("open");
        let ended = device.during(bridged.socket.read(&mut [0; 64])).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        let again = UnixStream::connect(&bridged.path).await;
        bridged.socket = again.expect("a listener");
    }
    // Cut in the middle of a frame.
    bridged
        .socket
        .write_all(&[0, 0, 0, 60, 1, 2])
        .await
        .expect("open");
    bridged.socket = UnixStream::connect(&bridged.path)
        .await
        .expect("a listener");
    bridged.resolve(&mut device, DEVICE_ADDRESS).await;
    assert!(device.notices.is_empty(), "{:?}", device.notices);
}
