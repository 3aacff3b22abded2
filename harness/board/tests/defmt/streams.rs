//! Streams of frames, cut and damaged anywhere.

use std::path::Path;
use std::sync::Arc;

use board::defmt::{Decoded, Decoder, Lost, Table};
use proptest::prelude::*;
use trace::{Level, LogLine};

use crate::elf::{Entry, RECORD, with_table};

const ENTRIES: &[Entry<'_>] = &[
    (1, "defmt_info", RECORD),
    (2, "defmt_error", RECORD),
    (3, "defmt_warn", "value {=u8} of {=?}"),
    (4, "defmt_derived", "Point(x: {=i16}, y: {=i16})"),
    (5, "defmt_debug", "all of {=[?]}"),
    (6, "defmt_prim", ""),
    (7, "defmt_derived", "Nested({=?})"),
    (8, "defmt_println", "either {=?}"),
    (9, "defmt_derived", "Off|On({=bool})"),
    (10, "defmt_trace", "read {=[u8]:cbor}"),
    (11, "defmt_timestamp", "{=u64:us}"),
    (
        12,
        "defmt_derived",
        "{0=?}{0=?}{0=?}{0=?}{0=?}{0=?}{0=?}{0=?}",
    ),
];

fn table(encoding: &str) -> Arc<Table> {
    let elf = with_table("4", encoding, ENTRIES);
    Arc::new(Table::new(Path::new("firmware.elf"), &elf).expect("a sound table"))
}

/// A frame, before it is encoded.
fn frame(index: u16, micros: u64, arguments: &[u8]) -> Vec<u8> {
    [
        &index.to_le_bytes(),
        micros.to_le_bytes().as_slice(),
        arguments,
    ]
    .concat()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

fn record(index: u16, said: &str) -> Vec<u8> {
    let arguments = [
        text(b"device::wifi"),
        text(b"src/wifi.rs"),
        17_u32.to_le_bytes().to_vec(),
        text(b"wifi"),
        text(said.as_bytes()),
    ];
    frame(index, 1_234_567, &arguments.concat())
}

/// rzCOBS as devices encode it, with the zero that ends a frame.
fn encode(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut run, mut zeros) = (0_u8, 0_u8);
    for &byte in data {
        if run < 7 {
            match byte {
                0 => zeros |= 1 << run,
                byte => out.push(byte),
            }
            run += 1;
            if run == 7 && zeros != 0 {
                out.push(zeros);
                (run, zeros) = (0, 0);
            }
        } else if byte == 0 {
            out.push((run - 7) | 0x80);
            (run, zeros) = (0, 0);
        } else {
            out.push(byte);
            run += 1;
            if run == 134 {
                out.push(0xff);
                (run, zeros) = (0, 0);
            }
        }
    }
    match run {
        0 => {}
        1..7 => out.push((0x7f << run) & 0x7f | zeros),
        _ => out.push((run - 7) | 0x80),
    }
    out.push(0);
    out
}

fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Decoded> {
    let mut out = Vec::new();
    decoder.push(bytes, |decoded| out.push(decoded));
    out
}

fn lines(decoded: &[Decoded]) -> Vec<&LogLine> {
    decoded
        .iter()
        .filter_map(|decoded| match decoded {
            Decoded::Line(line) => Some(line),
            Decoded::Lost(_) => None,
        })
        .collect()
}

fn losses(decoded: &[Decoded]) -> Vec<&Lost> {
    decoded
        .iter()
        .filter_map(|decoded| match decoded {
            Decoded::Line(_) => None,
            Decoded::Lost(lost) => Some(lost),
        })
        .collect()
}

#[test]
fn a_record_becomes_the_line_that_was_logged() {
    let mut decoder = Decoder::new(table("rzcobs"));
    let decoded = decode(&mut decoder, &encode(&record(2, "no access point")));
    let [line] = lines(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(line.level, Level::Error);
    assert_eq!(
        (line.tag.as_str(), line.text.as_str()),
        ("wifi", "no access point")
    );
    assert_eq!(line.device_ms, Some(1234));
    let place = line.place.as_ref().expect("a record has a place");
    assert_eq!(
        (place.module.as_str(), place.file.as_str(), place.line),
        ("device::wifi", "src/wifi.rs", 17)
    );
}

#[test]
fn other_frames_are_printed_as_defmt_prints_them() {
    let mut decoder = Decoder::new(table("rzcobs"));
    let point = [
        &[7][..],
        &4_u16.to_le_bytes(),
        &(-3_i16).to_le_bytes(),
        &5_i16.to_le_bytes(),
    ];
    let either = [&9_u16.to_le_bytes()[..], &[1, 1]].concat();
    let stream = [
        encode(&frame(3, 9_000, &point.concat())),
        encode(&frame(8, 9_000, &either)),
    ];
    let decoded = decode(&mut decoder, &stream.concat());
    let [value, either] = lines(&decoded)[..] else {
        panic!("{decoded:?}");
    };
    assert_eq!(value.text, "value 7 of Point(x: -3, y: 5)");
    assert_eq!((value.level, value.tag.as_str()), (Level::Warn, "app"));
    assert_eq!(
        (either.level, either.text.as_str()),
        (Level::Info, "either On(true)")
    );
}

#[test]
fn a_count_that_is_sent_takes_no_memory() {
    let mut decoder = Decoder::new(table("rzcobs"));
    let huge = [&u32::MAX.to_le_bytes()[..], &6_u16.to_le_bytes()].concat();
    let decoded = decode(&mut decoder, &encode(&frame(5, 1, &huge)));
    assert_eq!(losses(&decoded).len(), 1, "{decoded:?}");
    assert!(lines(&decoded).is_empty());
}

#[test]
fn formats_within_formats_end_somewhere() {
    for index in [7_u16, 12] {
        let mut decoder = Decoder::new(table("rzcobs"));
        let mut arguments = vec![1];
        (0..20_000).for_each(|_| arguments.extend(index.to_le_bytes()));
        let decoded = decode(&mut decoder, &encode(&frame(3, 1, &arguments)));
        assert_eq!(losses(&decoded).len(), 1);
    }
}

#[test]
fn a_deep_value_of_cbor_is_not_printed() {
    let mut decoder = Decoder::new(table("rzcobs"));
    let decoded = decode(&mut decoder, &encode(&frame(10, 1, &text(&[0x81; 30_000]))));
    assert_eq!(losses(&decoded).len(), 1);
}

#[test]
fn a_stream_without_ends_is_thrown_away_in_pieces() {
    let mut decoder = Decoder::new(table("rzcobs"));
    let mut lost = 0;
    for _ in 0..64 {
        for loss in losses(&decode(&mut decoder, &[0x55; 8192])) {
            lost += loss.bytes;
        }
    }
    assert!(lost > 400_000, "{lost}");
    // The first end belongs to garbage; what follows is sound.
    decode(&mut decoder, &[0]);
    let decoded = decode(&mut decoder, &encode(&record(1, "back")));
    assert_eq!(lines(&decoded).len(), 1);
}

#[test]
fn half_a_frame_at_the_entrance_is_no_loss() {
    let mut decoder = Decoder::new(table("rzcobs"));
    decoder.restart(true);
    let whole = encode(&record(1, "one"));
    let stream = [&whole[whole.len() / 2..], &encode(&record(1, "two"))].concat();
    let decoded = decode(&mut decoder, &stream);
    assert!(losses(&decoded).is_empty(), "{decoded:?}");
    assert_eq!(lines(&decoded)[0].text, "two");
}

#[test]
fn frames_without_framing_are_read_too() {
    let mut decoder = Decoder::new(table("raw"));
    let stream = [record(1, "one"), record(1, "two")].concat();
    let mut texts = Vec::new();
    for byte in stream {
        for decoded in decode(&mut decoder, &[byte]) {
            match decoded {
                Decoded::Line(line) => texts.push(line.text),
                Decoded::Lost(lost) => panic!("{lost:?}"),
            }
        }
    }
    assert_eq!(texts, ["one", "two"]);
}

proptest! {
    /// However the stream is cut, the same lines come out, and what was damaged costs no other.
    #[test]
    fn what_is_sound_is_read_whatever_lies_between(
        pieces in prop::collection::vec(
            prop_oneof![
                "[a-z ]{0,40}".prop_map(Ok),
                prop::collection::vec(1_u8.., 1..60).prop_map(Err),
            ],
            0..20,
        ),
        cut in 1_usize..200,
    ) {
        let mut stream = Vec::new();
        let mut wanted = Vec::new();
        for piece in &pieces {
            match piece {
                Ok(said) => {
                    stream.extend(encode(&record(1, said)));
                    wanted.push(said.clone());
                }
                Err(garbage) => {
                    stream.extend(garbage);
                    stream.push(0);
                }
            }
        }
        let mut decoder = Decoder::new(table("rzcobs"));
        let mut lost = 0;
        let mut read = Vec::new();
        for chunk in stream.chunks(cut) {
            for decoded in decode(&mut decoder, chunk) {
                match decoded {
                    // Garbage may be a line by chance, but none with this place.
                    Decoded::Line(line) if line.place.is_some() => read.push(line.text),
                    Decoded::Line(_) => lost += 1,
                    Decoded::Lost(loss) => lost += loss.frames,
                }
            }
        }
        prop_assert_eq!(read, wanted);
        let garbage = pieces.iter().filter(|piece| piece.is_err()).count();
        prop_assert_eq!(lost, garbage as u64);
    }

    /// Any arguments behind any format.
    #[test]
    fn hostile_frames_end_and_take_no_memory(
        index in 0_u16..14,
        arguments in prop::collection::vec(
            prop_oneof![any::<u8>(), 0_u8..14, Just(0_u8), Just(0xFF_u8)],
            0..300,
        ),
        encoding in prop_oneof![Just("raw"), Just("rzcobs")],
    ) {
        let mut decoder = Decoder::new(table(encoding));
        let frame = frame(index, 5, &arguments);
        let bytes = if encoding == "raw" { frame } else { encode(&frame) };
        for decoded in decode(&mut decoder, &bytes) {
            if let Decoded::Line(line) = decoded {
                prop_assert!(line.text.len() <= 1024 * 1024);
            }
        }
    }
}
