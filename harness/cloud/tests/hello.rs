//! What a TLS client says in the clear is read whatever it is: as one piece and in many it comes to the same.

use proptest::prelude::*;

/// A record of TLS with this content.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&[kind, 3, 1], &length.to_be_bytes()[..], content].concat()
}

/// A message of a handshake with this content, which may be shorter than it says.
fn message(kind: u8, says: u32, content: &[u8]) -> Vec<u8> {
    [&[kind], &says.to_be_bytes()[1..], content].concat()
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        cloud::read_any_hello(&bytes);
    }

    #[test]
    fn records_of_any_messages_are_read(
        messages in prop::collection::vec(
            (prop::sample::select(vec![1_u8, 2, 11, 0, 255]), 0_u32..400, prop::collection::vec(any::<u8>(), 0..300)),
            0..4,
        ),
        kind in 19_u8..25,
        cut in 1_usize..100,
    ) {
        let messages: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, says, content)| message(*kind, *says, content))
            .collect();
        let records: Vec<u8> = messages
            .chunks(cut)
            .flat_map(|piece| record(22, piece))
            .chain(record(kind, &[2, 48]))
            .collect();
        cloud::read_any_hello(&records);
        cloud::read_any_hello(&messages);
    }
}
