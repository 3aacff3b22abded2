//! Commands as they stand on the link.

use lab::probe::bmp::{Answer, Command, Decoder, MAX_BLOCK, Refusal};
use proptest::prelude::*;

use crate::world::{LOOP, World, ask};

fn decode(bytes: &[u8]) -> Vec<Result<Command, Refusal>> {
    let mut decoder = Decoder::default();
    bytes
        .iter()
        .filter_map(|byte| decoder.push(*byte))
        .collect()
}

#[test]
fn every_command_of_the_driver_is_understood() {
    let cases: [(&str, Command); 15] = [
        ("+#!GA#", Command::Handshake),
        ("!HC#", Command::Version),
        ("!HA#", Command::Accelerators),
        (" !GV#", Command::Voltage),
        ("!GF003d0900#", Command::SetFrequency(4_000_000)),
        ("!Gf#", Command::Frequency),
        ("!GZ1#", Command::Reset(true)),
        ("!GE1#", Command::ClockOutput(true)),
        ("!SS#", Command::SwdInit),
        (
            "!So08a5#",
            Command::SwdOut {
                bits: 0xA5,
                count: 8,
            },
        ),
        ("!Si20#", Command::SwdIn { count: 32 }),
        ("!Ad00ff0004#", Command::DpRead { address: 4 }),
        (
            "!AR000000080000000f#",
            Command::DpAccess {
                read: false,
                address: 8,
                value: 0xF,
            },
        ),
        (
            "!Aa000001fc#",
            Command::ApRead {
                port: 0,
                address: 0xFC,
            },
        ),
        (
            "!AA0000010452000023#",
            Command::ApWrite {
                port: 0,
                address: 4,
                value: 0x2300_0052,
            },
        ),
    ];
    for (text, command) in cases {
        assert_eq!(decode(text.as_bytes()), [Ok(command)], "{text}");
    }
}

#[test]
fn memory_commands_carry_address_width_and_bytes() {
    let read = decode(b"!Am0000a30000400000000020000010000001f8#");
    let expected = Command::MemoryRead {
        address: 0x2000_0010,
        length: 504,
    };
    assert_eq!(read, [Ok(expected)]);
    let write = decode(b"!AM0000a30000400200000000200000100000000411223344#");
    let expected = Command::MemoryWrite {
        width: 4,
        address: 0x2000_0010,
        bytes: vec![0x11, 0x22, 0x33, 0x44],
    };
    assert_eq!(write, [Ok(expected)]);
}

#[test]
fn what_is_wrong_with_a_command_is_answered() {
    let cases = [
        ("!#", Refusal::Unknown),
        ("!XX#", Refusal::Unknown),
        ("!JS#", Refusal::Unknown),
        ("!So#", Refusal::Parameter),
        ("!So08#", Refusal::Parameter),
        ("!So21ffffffff#", Refusal::Parameter),
        ("!Si00#", Refusal::Parameter),
        ("!So08zz#", Refusal::Parameter),
        ("!Ad00ff0004ff#", Refusal::Parameter),
        (
            "!Am0000a3000040000000012000001000000004#",
            Refusal::Parameter,
        ),
        (
            "!Am0000a300004000000000200000100000ffff#",
            Refusal::Parameter,
        ),
        (
            "!AM0000a3000040070000000020000010000000041122334#",
            Refusal::Parameter,
        ),
    ];
    for (text, refusal) in cases {
        assert_eq!(decode(text.as_bytes()), [Err(refusal)], "{text}");
    }
    let mut long = vec![b'!'];
    long.resize(5000, b'a');
    long.push(b'#');
    assert_eq!(decode(&long), [Err(Refusal::Parameter)]);
}

#[test]
fn a_probe_answers_garbage_and_goes_on() {
    let world = World::new(&LOOP);
    let mut stream = world.connect();
    let answers = ask(&mut stream, b"\0#!!XY#!Si00#!HC#", 3);
    assert_eq!(answers, "&N1#&P1#&K4#");
}

#[test]
fn registers_are_answered_in_the_order_of_memory() {
    assert_eq!(Answer::Register(0x2BA0_1477).encode(), b"&K7714a02b#");
    assert_eq!(Answer::Bytes(vec![0x12, 0xEF]).encode(), b"&K12ef#");
    assert_eq!(Answer::Fault(4).encode(), b"&E403#");
}

proptest! {
    #[test]
    fn any_bytes_are_commands_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let ends = bytes.iter().filter(|byte| **byte == b'#').count();
        prop_assert!(decode(&bytes).len() <= ends);
    }

    #[test]
    fn any_packet_is_a_command_or_refused(
        name in "(G[AVFfZEP]|H[CA]|S[Soi]|A[dRaAmM])",
        fields in "[0-9a-f]{0,60}",
    ) {
        let packet = format!("{name}{fields}");
        if let Ok(Command::MemoryRead { length, .. }) = Command::parse(packet.as_bytes()) {
            prop_assert!(length <= MAX_BLOCK);
        }
    }

    #[test]
    fn bytes_for_memory_come_through(
        bytes in prop::collection::vec(any::<u8>(), 0..470),
        address in any::<u32>(),
    ) {
        let data = hex::encode(&bytes);
        let packet = format!("!AM0000a300004000{address:016x}{:08x}{data}#", bytes.len());
        prop_assert_eq!(
            decode(packet.as_bytes()),
            [Ok(Command::MemoryWrite { width: 1, address, bytes })]
        );
    }
}
