//! Whatever a device sends, the air stands.

use std::time::Duration;

use crate::fake_device::FakeDevice;
use crate::world::{PASSPHRASE, World};
use airlink::{Packet, Port};
use proptest::prelude::*;

/// Frames that look like something: the right source, a type that somebody parses, any body.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let destination = prop_oneof![
        Just([0xFF; 6]),
        Just([0x02, b'A', b'I', b'R', 0, 1]),
        any::<[u8; 6]>()
    ];
    let ethertype = prop_oneof![
        Just([0x08_u8, 0x00]),
        Just([0x08, 0x06]),
        Just([0x88, 0xB5]),
        any::<[u8; 2]>()
    ];
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..100),
        ipv4_packet(),
        // A control frame of the right version.
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|body| [vec![1], body].concat()),
    ];
    (destination, ethertype, body).prop_map(|(destination, ethertype, body)| {
        let source = [0x02, 0xDE, 0, 0, 0, 1];
        [&destination[..], &source, &ethertype, &body].concat()
    })
}

/// A sound header in front of any TCP, UDP or ICMP.
fn ipv4_packet() -> impl Strategy<Value = Vec<u8>> {
    let protocol = prop_oneof![Just(1_u8), Just(6), Just(17), Just(2)];
    let addresses = prop_oneof![
        Just([192, 168, 43, 100, 192, 168, 43, 1]),
        Just([192, 168, 43, 100, 255, 255, 255, 255]),
        any::<[u8; 8]>()
    ];
    let body = proptest::collection::vec(any::<u8>(), 0..80);
    (protocol, addresses, body).prop_map(|(protocol, addresses, body)| {
        let mut packet = vec![
            0x45,
            0,
            0,
            20 + body.len() as u8,
            0,
            0,
            0,
            0,
            64,
            protocol,
            0,
            0,
        ];
        packet.extend_from_slice(&addresses);
        let sum = packet
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum::<u32>();
        let folded = (sum & 0xFFFF) + (sum >> 16);
        let checksum = !(((folded & 0xFFFF) + (folded >> 16)) as u16);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet.extend_from_slice(&body);
        packet
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let port = prop_oneof![Just(Port::Station), Just(Port::SoftAp)];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..1600),
        (port, frame()).prop_map(|(port, frame)| Packet { port, frame }.encode()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_network_works_after_any_garbage(garbage in proptest::collection::vec(bytes(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let world = World::new();
            let mut device = FakeDevice::new(&world, "device", 1);
            device.start_soft_ap("PROV_1", "");
            device.join("home", PASSPHRASE).await;
            device.lease().await;
            for bytes in garbage {
                device.link.from_device(&bytes);
            }
            world.clock.sleep(Duration::from_secs(3)).await;
            let seat = world.air.join_access_point("alice", "home").await;
            assert!(seat.is_ok());
        });
    }
}
