//! Whatever arrives on a link is decoded or refused, and what was encoded comes back.

use airlink::tether::{Decoder, FromDevice, ToDevice, ToDeviceBody, encode};
use airlink::{Notice, Packet, Port, Request};
use proptest::prelude::*;

fn port() -> impl Strategy<Value = Port> {
    prop_oneof![Just(Port::Station), Just(Port::SoftAp)]
}

proptest! {
    #[test]
    fn a_packet_comes_back(port in port(), frame in proptest::collection::vec(any::<u8>(), 14..1515)) {
        let packet = Packet { port, frame };
        prop_assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
    }

    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        if let Ok(packet) = Packet::decode(&bytes) {
            let _ = airlink::decode_request(&packet);
            let _ = airlink::decode_notice(&packet);
        }
    }

    #[test]
    fn garbage_behind_the_ethertype_is_refused_without_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x88, 0xB5, 1]);
        frame.extend_from_slice(&body);
        let packet = Packet { port: Port::Station, frame };
        let _ = airlink::decode_request(&packet);
        let _ = airlink::decode_notice(&packet);
    }

    #[test]
    fn requests_come_back(ssid in proptest::collection::vec(any::<u8>(), 0..33), passphrase in ".{0,63}") {
        let request = Request::Join { ssid, passphrase };
        prop_assert_eq!(airlink::decode_request(&airlink::encode_request(&request)), Ok(request));
    }

    #[test]
    fn a_stream_may_be_cut_anywhere(cut in 0_usize..60, text in ".{0,40}", consumed in any::<u64>()) {
        let messages = [
            FromDevice::Log { level: 3, tag: "app".into(), text, device_ms: 7 },
            FromDevice::Idle { until_us: Some(5), consumed },
        ];
        let bytes: Vec<u8> = messages.iter().flat_map(encode).collect();
        let cut = cut.min(bytes.len());
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            decoder.push(part);
            while let Some(message) = decoder.pop::<FromDevice>().expect("a sound stream") {
                seen.push(message);
            }
        }
        prop_assert_eq!(seen, messages);
    }

    #[test]
    fn garbage_on_the_stream_ends_in_an_error_or_in_waiting(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.pop::<ToDevice>() {}
    }
}

#[test]
fn a_notice_is_not_taken_for_a_request() {
    let packet = airlink::encode_notice(&Notice::Left { reason: 201 });
    assert_eq!(
        airlink::decode_notice(&packet),
        Ok(Notice::Left { reason: 201 })
    );
    assert!(packet.is_control());
}

#[test]
fn a_wake_is_few_bytes() {
    let wake = ToDevice {
        now_us: 30_000_000,
        body: ToDeviceBody::Wake,
    };
    assert!(encode(&wake).len() < 12);
}
