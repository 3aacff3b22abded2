//! A console: whatever a device prints, the phone finds at most one answer, and only the one that
//! stands on a line of its own after the echo; whatever is typed, the device reads lines of bounded
//! length.

#![no_main]

extern crate alloc;

/// The reader itself: the phone does not offer it to anybody.
#[expect(dead_code, reason = "the fuzz target needs less of it than the phone")]
#[path = "../../harness/phone/src/transport/console/listening.rs"]
mod listening;
/// The device's reader.
#[path = "../../firmware/device/src/provisioning/console/line.rs"]
mod typed;

use libfuzzer_sys::fuzz_target;
use listening::{ConsoleEvent, Listening};
use typed::{Command, Line, Typed};

const LINE: &[u8] = b"prov-session 17 08025a00\r";
const ANSWER: &str = "08036a00";

fuzz_target!(|bytes: &[u8]| {
    let [piece, at, printed @ ..] = bytes else {
        return;
    };
    let piece = usize::from(*piece).max(1);
    // As it comes.
    let mut listening = Listening::to_answer_of(LINE);
    printed
        .chunks(piece)
        .for_each(|piece| listening.feed(piece));
    let heard: Vec<ConsoleEvent> = std::iter::from_fn(|| listening.next()).collect();
    assert!(answers(&heard) <= 1);

    // The same, typed at the device.
    let limit = usize::from(*at).max(1);
    let mut device = Typed::new(limit);
    for burst in printed.chunks(piece) {
        if let Some(Line::Whole(line)) = device.push(burst) {
            assert!(line.len() < limit);
            let _ = Command::parse(&line);
        }
    }

    // In the midst of an exchange that went well.
    let noise = &printed[..printed.len().min(usize::from(*at))];
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !byte.is_ascii_hexdigit();
    let noise: Vec<u8> = noise.iter().copied().filter(is_plain).collect();
    let text = [
        LINE,
        b"\n",
        &noise,
        b"\r\n\r\n",
        ANSWER.as_bytes(),
        b"\r\n",
        &noise,
        b"\n>> ",
    ]
    .concat();
    let mut listening = Listening::to_answer_of(LINE);
    text.chunks(piece).for_each(|piece| listening.feed(piece));
    let heard: Vec<ConsoleEvent> = std::iter::from_fn(|| listening.next()).collect();
    assert_eq!(answers(&heard), 1);
    assert_eq!(heard.last(), Some(&ConsoleEvent::Prompt));
});

fn answers(heard: &[ConsoleEvent]) -> usize {
    let is_answer = |heard: &&ConsoleEvent| matches!(heard, ConsoleEvent::Answer(_));
    heard.iter().filter(is_answer).count()
}
