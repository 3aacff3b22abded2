//! What runs between a device and its lab: packets, control frames, Ethernet with tags, the tether and
//! HCI. What decodes is encoded to what decodes to the same.

#![no_main]

use airlink::tether::{Decoder, FromDevice, MAX_MESSAGE, ToDevice};
use airlink::{Packet, decode_notice, decode_request, encode_notice, encode_request, ethernet, h4};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(packet) = Packet::decode(bytes) {
        assert_eq!(packet.encode(), bytes);
        if let Ok(request) = decode_request(&packet) {
            assert_eq!(decode_request(&encode_request(&request)), Ok(request));
        }
        if let Ok(notice) = decode_notice(&packet) {
            assert_eq!(decode_notice(&encode_notice(&notice)), Ok(notice));
        }
        let tagged = ethernet::tag(&packet);
        if let Ok(again) = ethernet::untag(&tagged) {
            // Control frames have no tag, and go to the lab whatever their port.
            assert!(again.port == packet.port || packet.is_control());
        }
    }
    if let Ok(packet) = ethernet::untag(bytes) {
        assert!(packet.frame.len() <= bytes.len());
    }
    if let Ok(Some(length)) = h4::packet_length(bytes) {
        assert!(length <= h4::MAX_PACKET);
    }
    tether::<ToDevice>(bytes);
    tether::<FromDevice>(bytes);
});

fn tether<T>(bytes: &[u8])
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let mut decoder = Decoder::default();
    // In two pieces, as streams come.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for piece in [first, second] {
        decoder.push(piece);
        while let Ok(Some(message)) = decoder.pop::<T>() {
            let encoded = airlink::tether::encode(&message);
            assert!(encoded.len() <= MAX_MESSAGE + 4);
            let mut again = Decoder::default();
            again.push(&encoded);
            assert_eq!(again.pop::<T>(), Ok(Some(message)));
        }
    }
}
