//! The log's channels.

use std::sync::Arc;

use probe_rs::Core;
use probe_rs::rtt::{self, ChannelMode, Rtt, UpChannel};
use trace::{Level, LogLine};

use super::ProbeEvent;
use crate::defmt::{Decoded, Decoder, Lost, Table};

/// Bytes read at once: more than the buffers of firmware.
const CHUNK: usize = 64 * 1024;
/// A line of text without an end is cut here.
const LONGEST_LINE: usize = 16 * 1024;

/// The channels from the chip to the host.
pub(super) struct Channels {
    channels: Vec<Channel>,
    chunk: Vec<u8>,
}

/// Where in its log a firmware was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// Before its first line.
    AtBeginning,
    /// Somewhere.
    Midway,
}

struct Channel {
    up: UpChannel,
    name: String,
    reader: Reader,
}

enum Reader {
    Defmt(Box<Decoder>),
    Text(Vec<u8>),
}

impl Channels {
    /// Takes hold of all channels and makes the firmware wait when they are full.
    pub(super) fn new(
        core: &mut Core<'_>,
        mut rtt: Rtt,
        table: Option<&Arc<Table>>,
        entered: Entered,
    ) -> Result<Self, probe_rs::Error> {
        let ups = std::mem::take(&mut rtt.up_channels);
        let defmt = ups
            .iter()
            .find(|up| up.name() == Some("defmt"))
            .or(ups.first())
            .map(UpChannel::number);
        let mut channels = Vec::new();
        for up in ups {
            match up.set_mode(core, ChannelMode::BlockIfFull) {
                Ok(()) => {}
                Err(rtt::Error::Probe(error)) => return Err(error),
                // Then it drops what does not fit, and the rest is read as well as can be.
                Err(_) => {}
            }
            let reader = match table {
                Some(table) if Some(up.number()) == defmt => {
                    let mut decoder = Decoder::new(table.clone());
                    decoder.restart(entered == Entered::Midway);
                    Reader::Defmt(Box::new(decoder))
                }
                _ => Reader::Text(Vec::new()),
            };
            let name = up
                .name()
                .map_or_else(|| format!("rtt {}", up.number()), str::to_owned);
            channels.push(Channel { up, name, reader });
        }
        Ok(Self {
            channels,
            chunk: vec![0; CHUNK],
        })
    }

    /// Reads each channel once and gives the number of bytes.
    pub(super) fn read(
        &mut self,
        core: &mut Core<'_>,
        heard: &mut Vec<ProbeEvent>,
    ) -> Result<usize, rtt::Error> {
        let mut total = 0;
        for channel in &mut self.channels {
            let read = channel.up.read(core, &mut self.chunk)?;
            channel.take(&self.chunk[..read], heard);
            total += read;
        }
        Ok(total)
    }

    /// Passes on lines without an end: none comes any more.
    pub(super) fn finish(&mut self, heard: &mut Vec<ProbeEvent>) {
        for channel in &mut self.channels {
            if let Reader::Text(pending) = &mut channel.reader
                && !pending.is_empty()
            {
                heard.push(text_line(&channel.name, pending));
                pending.clear();
            }
        }
    }

    /// Lets the firmware drop what does not fit: it will not be read.
    pub(super) fn let_go(&mut self, core: &mut Core<'_>) {
        for channel in &mut self.channels {
            // A chip that is gone needs no farewell.
            let _ = channel.up.set_mode(core, ChannelMode::NoBlockTrim);
        }
    }
}

impl Channel {
    fn take(&mut self, bytes: &[u8], heard: &mut Vec<ProbeEvent>) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.reader {
            Reader::Defmt(decoder) => decoder.push(bytes, |decoded| {
                heard.push(match decoded {
                    Decoded::Line(line) => ProbeEvent::Line(line),
                    Decoded::Lost(lost) => ProbeEvent::Lost {
                        channel: self.name.clone(),
                        lost,
                    },
                });
            }),
            Reader::Text(pending) => {
                for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                    pending.extend_from_slice(piece);
                    if piece.ends_with(b"\n") || pending.len() >= LONGEST_LINE {
                        heard.push(text_line(&self.name, pending));
                        pending.clear();
                    }
                }
            }
        }
    }
}

fn text_line(channel: &str, bytes: &[u8]) -> ProbeEvent {
    ProbeEvent::Line(LogLine {
        level: Level::Info,
        tag: channel.to_owned(),
        text: String::from_utf8_lossy(bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
        device_ms: None,
        place: None,
    })
}

/// What is said of a control block that makes no sense.
pub(super) fn corrupt(error: &rtt::Error) -> ProbeEvent {
    ProbeEvent::Lost {
        channel: "rtt".to_owned(),
        lost: Lost {
            bytes: 0,
            frames: 1,
            problem: match error {
                rtt::Error::ReadPointerChanged => {
                    "another reader, or a restart that was not seen, took from the log"
                }
                _ => "the log's control block is corrupt; it is read again as soon as it is sound",
            },
            first: Vec::new(),
        },
    }
}
