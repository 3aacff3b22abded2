//! Packets on a wire that knows only Ethernet frames.

use airlink::{
    MAX_FRAME, Mode, Packet, PacketError, Port, Request, encode_request,
    ethernet::{MAX_TAGGED_FRAME, tag, untag},
};
use proptest::prelude::*;

const HEADER: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];

fn packet() -> impl Strategy<Value = Packet> {
    let port = prop_oneof![Just(Port::Station), Just(Port::SoftAp)];
    let frame = prop::collection::vec(any::<u8>(), 14..=MAX_FRAME);
    (port, frame).prop_map(|(port, frame)| Packet { port, frame })
}

proptest! {
    #[test]
    fn a_data_frame_comes_back_with_its_port(packet in packet()) {
        prop_assume!(!packet.is_control());
        let frame = tag(&packet);
        prop_assert_eq!(frame.len(), packet.frame.len() + 4);
        prop_assert_eq!(untag(&frame), Ok(packet));
    }

    #[test]
    fn any_bytes_are_a_valid_packet_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..1600)) {
        if let Ok(packet) = untag(&bytes) {
            prop_assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
    }

    #[test]
    fn any_tag_is_one_of_two_interfaces_or_an_error(tci in any::<u16>(), rest in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut frame = HEADER[..12].to_vec();
        frame.extend_from_slice(&[0x81, 0x00]);
        frame.extend_from_slice(&tci.to_be_bytes());
        frame.extend_from_slice(&rest);
        let port = untag(&frame).map(|packet| packet.port);
        match (tci & 0xFFF, rest.len()) {
            (1, 2..) => prop_assert_eq!(port, Ok(Port::Station)),
            (2, 2..) => prop_assert_eq!(port, Ok(Port::SoftAp)),
            (1 | 2, short) => prop_assert_eq!(port, Err(PacketError::Length(12 + short))),
            (other, _) => prop_assert_eq!(port, Err(PacketError::Vlan(other))),
        }
    }
}

#[test]
fn the_tag_stands_behind_the_addresses() {
    let packet = |port| Packet {
        port,
        frame: HEADER.to_vec(),
    };
    let station = tag(&packet(Port::Station));
    assert_eq!(station[..12], HEADER[..12]);
    assert_eq!(station[12..], [0x81, 0x00, 0x00, 0x01, 0x08, 0x00]);
    let soft_ap = tag(&packet(Port::SoftAp));
    assert_eq!(soft_ap[12..], [0x81, 0x00, 0x00, 0x02, 0x08, 0x00]);
}

#[test]
fn a_control_frame_goes_untagged() {
    let packet = encode_request(&Request::SetMode(Mode::Both));
    assert_eq!(tag(&packet), packet.frame);
    assert_eq!(untag(&packet.frame), Ok(packet));
}

#[test]
fn what_no_radio_sends_is_refused() {
    assert_eq!(untag(&[]), Err(PacketError::Empty));
    assert_eq!(untag(&HEADER[..13]), Err(PacketError::Length(13)));
    assert_eq!(untag(&HEADER), Err(PacketError::Untagged));
    let longest = Packet {
        port: Port::Station,
        frame: [&HEADER[..], &[0; MAX_FRAME - 14]].concat(),
    };
    let mut frame = tag(&longest);
    assert_eq!(frame.len(), MAX_TAGGED_FRAME);
    frame.push(0);
    assert_eq!(untag(&frame), Err(PacketError::Length(MAX_FRAME + 1)));
}
