//! A board with a UART of which nothing that can be read was heard since it was started: whose fault that
//! is, what is likely, and how to tell.
//!
//! Silence alone says nothing about the firmware: the wrong port, the wrong speed and a board without
//! power look like it. A line that could be read is the only witness of the way to the board, so
//! without one in the whole attempt the case is broken, not failed. A board that was heard before it was
//! started again has that witness, and what it does not say is its own fault. A ROM loader that waits for
//! a download, or finds no firmware, has not run the firmware at all: that is the rig's.

mod baud;

use std::time::Duration;

use board::rig::{BoardLink, RigBoard, SerialLink};
use board::{Power, PowerChanged};
use trace::{Source, Trace, Witness, WitnessReport};

/// A firmware that has said nothing for so long after its start is silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many bytes are looked at.
const MOST_BYTES: usize = 4_096;
/// One byte of so many that is no text is a glitch; more are another speed.
const GLITCH: usize = 5;
/// The tag of lines in no known form.
const UNREAD: &str = "uart";
/// What ROM loaders of Espressif's chips print in place of starting a firmware.
const WAITING: &str = "waiting for download";
const INVALID: &str = "invalid header: 0x";

/// A board that cannot be judged by its log, or that has not begun to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// What was heard in its place, in a sentence.
    said: String,
    /// Whether the way to the board has no witness, so that the device is not to blame.
    is_of_the_rig: bool,
    /// What is likely, and how to tell.
    pub advice: String,
}

/// What was heard since the last start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    started: Option<Duration>,
    lines: usize,
    /// Lines in a known form.
    formed: usize,
    /// What came, as far as it is looked at.
    bytes: Vec<u8>,
    /// How many of them are no text.
    strange: usize,
    /// What the ROM loader says that starts nothing.
    loader: Option<&'static str>,
    /// A line could be read before that start.
    was_heard: bool,
    /// What of the device was seen elsewhere.
    elsewhere: Option<Source>,
}

/// Whether `device` on `board` is silent. Waits until it has had its time, if it was started lately.
pub async fn of(trace: &Trace, device: &str, board: &RigBoard) -> Option<Silence> {
    let BoardLink::Serial(link) = &board.link else {
        return None;
    };
    let mut heard = listen(trace, device);
    let started = heard.started?;
    if !heard.is_readable() && heard.loader.is_none() {
        let now = trace.clock().now().since_start();
        if let Some(rest) = (started + PATIENCE).checked_sub(now) {
            trace.clock().sleep(rest).await;
            heard = listen(trace, device);
        }
    }
    let for_s = trace
        .clock()
        .now()
        .since_start()
        .checked_sub(heard.started?)?;
    judge(&heard, for_s, board, link)
}

impl Silence {
    /// Tells the trace, if the way to the board has no witness.
    pub fn testify(&self, trace: &Trace, device: &str) {
        if self.is_of_the_rig {
            let report = WitnessReport {
                witness: Witness::BoardLink,
                sound: false,
                detail: self.said.clone(),
            };
            trace.emit(Some(device), &report);
        }
    }
}

impl Heard {
    fn take(&mut self, text: &str) {
        if self.bytes.len() < MOST_BYTES {
            let (bytes, strange) = unescaped(text);
            self.bytes.extend(bytes);
            self.strange += strange;
        }
    }

    /// Whether what came can be read.
    fn is_readable(&self) -> bool {
        self.formed > 0 || self.lines > 0 && self.strange * GLITCH < self.bytes.len()
    }
}

/// The bytes of a line in a trace, in which `\xNN` stands for one that is no text, and how many are so.
fn unescaped(text: &str) -> (Vec<u8>, usize) {
    let (mut bytes, mut strange) = (Vec::new(), 0);
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = rest.strip_prefix(br"\x").and_then(|digits| digits.get(..2));
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        strange += usize::from(byte.is_some());
        rest = if byte.is_some() { &rest[4..] } else { after };
    }
    (bytes, strange)
}

fn listen(trace: &Trace, device: &str) -> Heard {
    let mut heard = Heard::default();
    for event in trace.events_from(0) {
        if event.device.as_deref() != Some(device) {
            continue;
        }
        if let Some(power) = event.payload::<PowerChanged>() {
            heard = Heard {
                started: (power.power == Power::On).then_some(Duration::from_micros(event.lab_us)),
                was_heard: heard.was_heard || heard.is_readable(),
                ..Heard::default()
            };
        } else if let Some(line) = event.line() {
            heard.lines += 1;
            heard.formed += usize::from(line.tag != UNREAD);
            heard.take(line.text);
            let said = [WAITING, INVALID]
                .into_iter()
                .find(|said| line.text.contains(said));
            heard.loader = said.or(heard.loader);
        } else if matches!(
            event.source,
            Source::Mqtt | Source::Tls | Source::Coap | Source::Provisioning
        ) {
            heard.elsewhere = Some(event.source);
        }
    }
    heard
}

/// `for_s` is how long ago the board was started.
fn judge(heard: &Heard, for_s: Duration, board: &RigBoard, link: &SerialLink) -> Option<Silence> {
    let (name, port) = (&board.name, &link.port);
    let for_s = for_s.as_secs_f64();
    let follow = format!(
        "`proving log --board {name}{}`",
        if link.reset.is_some() { " --reset" } else { "" }
    );
    if heard.formed == 0
        && let Some(loader) = heard.loader
    {
        return Some(of_loader(loader, port.to_string(), &follow));
    }
    if heard.is_readable() {
        return None;
    }
    if heard.lines > 0 {
        let baud = link.baud;
        let guessed = baud::guess(&heard.bytes, baud);
        let likely = match guessed {
            Some(speed) => format!("it looks like {speed} bit/s: write `baud = {speed}`"),
            None => {
                "try `baud = 74880` (ROM of the ESP8266 and of an ESP32 with a 26 MHz crystal), \
                     9600, 57600, 230400, 460800, 921600"
                    .to_owned()
            }
        };
        return Some(Silence {
            said: format!(
                "nothing that can be read came from {port} in {for_s:.0} s after the start, only bytes \
                 that are no text, as of another speed than {baud} bit/s"
            ),
            is_of_the_rig: !heard.was_heard,
            advice: format!(
                "the speed, most likely, not the device: {likely}. How to tell: {follow} shows text \
                 when it is right; if no speed is, look at ground and level of the UART"
            ),
        });
    }
    let said = format!("nothing at all came from {port} in {for_s:.0} s after the start");
    if heard.was_heard {
        return Some(Silence {
            said,
            is_of_the_rig: false,
            advice: format!(
                "the firmware: {port} was heard before this start, so that port, speed and wires are \
                 right; it hangs before its first line, or its image was damaged since. How to tell: \
                 {follow} shows whether the ROM still prints"
            ),
        });
    }
    let power = match (&board.power, &link.reset) {
        (Some(_), _) => {
            format!("the power (what `power.{name}.on` switches: does its light go on?)")
        }
        (None, Some(_)) => "the power, or a wrong `reset` line that holds it in reset".to_owned(),
        (None, None) => format!(
            "the power, or a start that was over before it was listened to: nothing in the rig starts \
             it (`reset`, `reset_command` or `[power.{name}]`)"
        ),
    };
    let advice = match heard.elsewhere {
        Some(source) => format!(
            "the port, most likely, not the device, which was seen by other ways ({source:?}): its log \
             may be on another UART (ESP-IDF: `CONFIG_ESP_CONSOLE_UART`) or off. How to tell: \
             `proving boards` lists the ports, {follow} listens"
        ),
        None => format!(
            "one of these, not known to be the device: the port (another board's, or TX and RX \
             crossed), {power}, or the image (none, or one that logs to another UART). How to tell: \
             `proving boards` lists the ports; pull the board's plug and see which goes; {follow} shows \
             the ROM's first lines at a start if port, speed and power are right, and then it is the \
             image; without a ROM that prints, flash one that does: `proving flash --board {name}`"
        ),
    };
    Some(Silence {
        said,
        is_of_the_rig: true,
        advice,
    })
}

/// A ROM loader that starts nothing.
fn of_loader(loader: &str, port: String, follow: &str) -> Silence {
    let (why, advice) = match loader {
        WAITING => (
            "waits for a download",
            "the boot pin: it was low at the start (GPIO0, GPIO8 or GPIO9, by chip). Let it go, or \
             correct `boot` in the rig file: its line may be inverted (`!`)"
                .to_owned(),
        ),
        _ => (
            "finds no firmware where it looks",
            "the image: flash is empty there, or something else was written to that offset. How to \
             tell: the offsets of `flash.images` against `flasher_args.json` of the build; then flash \
             again with `--flash always`"
                .to_owned(),
        ),
    };
    Silence {
        said: format!("the ROM of the board on {port} {why} ({loader}…): no firmware was started"),
        is_of_the_rig: true,
        advice: format!("{advice}. {follow} shows what it prints"),
    }
}

#[cfg(test)]
mod tests {
    use board::rig::Rig;

    use super::*;

    fn board(more: &str) -> RigBoard {
        let text = format!("[boards.dut]\nkind = \"serial\"\nport = \"/dev/ttyUSB0\"\n{more}");
        let rig = Rig::parse("rig.toml".as_ref(), &text).expect("sound");
        rig.boards["dut"].clone()
    }

    fn judged(heard: &Heard, more: &str) -> Option<Silence> {
        let board = board(more);
        let BoardLink::Serial(link) = &board.link else {
            panic!("a board with a UART");
        };
        judge(heard, PATIENCE, &board, link)
    }

    #[test]
    fn silence_without_a_witness_of_the_way_is_the_rigs_and_with_one_the_devices() {
        let never = judged(&Heard::default(), "").expect("silent");
        assert!(never.is_of_the_rig, "{never:?}");
        for words in [
            "the port",
            "the power",
            "the image",
            "nothing in the rig starts it",
        ] {
            assert!(never.advice.contains(words), "{words}: {never:?}");
        }
        let before = Heard {
            was_heard: true,
            ..Heard::default()
        };
        let before = judged(&before, "").expect("silent");
        assert!(
            !before.is_of_the_rig && before.advice.starts_with("the firmware"),
            "{before:?}"
        );
        let alive = Heard {
            elsewhere: Some(Source::Mqtt),
            ..Heard::default()
        };
        let alive = judged(&alive, "").expect("silent");
        assert!(
            alive.is_of_the_rig && alive.advice.starts_with("the port"),
            "{alive:?}"
        );
    }

    #[test]
    fn garbage_is_the_speeds_and_a_loader_is_the_boot_pins_or_the_images() {
        let sent = "I (702) lamp: brightness 40 %, colour temperature 2700 K\r\n".repeat(4);
        let garbled = Heard {
            lines: 1,
            bytes: baud::received(sent.as_bytes(), 74_880, 115_200),
            strange: 60,
            ..Heard::default()
        };
        let speed = judged(&garbled, "").expect("garbled");
        assert!(
            speed.is_of_the_rig && speed.advice.contains("baud = 74880"),
            "{speed:?}"
        );
        for (loader, words) in [(WAITING, "boot pin"), (INVALID, "the image")] {
            let heard = Heard {
                lines: 4,
                loader: Some(loader),
                ..Heard::default()
            };
            let found = judged(&heard, "reset = \"rts\"\n").expect("no firmware");
            assert!(
                found.is_of_the_rig && found.advice.contains(words),
                "{found:?}"
            );
            assert!(found.advice.contains("--reset"), "{found:?}");
            // A firmware that has logged was started.
            let ran = Heard { formed: 1, ..heard };
            assert_eq!(judged(&ran, ""), None);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_found_in_a_line_again() {
        assert_eq!(unescaped(r"a\xff\x00\xb"), (b"a\xff\x00\\xb".to_vec(), 2));
        assert_eq!(unescaped(r"\x"), (br"\x".to_vec(), 0));
        assert_eq!(unescaped("\u{e9}"), ("\u{e9}".as_bytes().to_vec(), 0));
    }

    #[test]
    fn a_board_that_can_be_read_is_not_silent() {
        let plain = Heard {
            lines: 3,
            bytes: b"Hello World\xff, ready".to_vec(),
            strange: 1,
            ..Heard::default()
        };
        assert_eq!(judged(&plain, ""), None);
    }
}
