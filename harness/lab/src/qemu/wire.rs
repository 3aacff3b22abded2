//! The machine's cables: Ethernet frames from the emulator to the air and back, and its serial lines.
//!
//! On the network's socket each frame has its length in front, 32 bits, highest byte first (QEMU, `-netdev
//! stream`). Which interface a frame belongs to stands in its VLAN tag ([`airlink::ethernet`]).

use std::io;

use airlink::ethernet::{MAX_TAGGED_FRAME, tag, untag};
use airlink::{Packet, PacketError};
use board::Garbage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;
use trace::Trace;

use super::backend::WireOrder;
use super::serial::Serial;
use crate::air::RadioLink;

/// Bytes taken from the socket at once.
const CHUNK: usize = 64 * 1024;
/// Bytes of garbage that are shown.
const SHOWN: usize = 64;

/// Carries frames and bytes until its last handle is dropped.
pub(super) struct Wire {
    trace: Trace,
    link: Option<RadioLink>,
    orders: UnboundedReceiver<WireOrder>,
    stream: Option<UnixStream>,
    frames: Frames,
    outgoing: Vec<u8>,
    serials: [Serial; 2],
}

impl Wire {
    pub(super) fn new(
        trace: Trace,
        link: Option<RadioLink>,
        serials: [Serial; 2],
        orders: UnboundedReceiver<WireOrder>,
    ) -> Self {
        Self {
            trace,
            link,
            orders,
            stream: None,
            frames: Frames::default(),
            outgoing: Vec::new(),
            serials,
        }
    }

    pub(super) async fn run(mut self) {
        let mut chunk = vec![0; CHUNK];
        loop {
            let has_room = self.stream.is_some() && self.outgoing.is_empty();
            let [console, hci] = &mut self.serials;
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order, &mut chunk).await,
                    None => break,
                },
                read = read(&mut self.stream, &self.outgoing, &mut chunk) => match read {
                    Ok(Moved::In(length)) => self.take(&chunk[..length]),
                    Ok(Moved::Out(length)) => drop(self.outgoing.drain(..length)),
                    Err(_) => self.stream = None,
                },
                packet = to_device(self.link.as_ref()), if has_room => self.send(&packet),
                () = console.carry() => {}
                () = hci.carry() => {}
            }
        }
        self.power_off();
    }

    async fn obey(&mut self, order: WireOrder, chunk: &mut [u8]) {
        match order {
            WireOrder::Plug(stream) => {
                let stream = stream
                    .set_nonblocking(true)
                    .and_then(|()| UnixStream::from_std(stream));
                // Without it there is no network, which the firmware will say.
                self.stream = stream.ok();
                self.frames = Frames::default();
                self.outgoing.clear();
            }
            WireOrder::Restart(heard) => {
                self.hear_last_words(chunk);
                self.power_off();
                if let Some(link) = &self.link {
                    link.power_on();
                }
                for serial in &mut self.serials {
                    serial.power_on(self.trace.clock()).await;
                }
                // The caller may not wait any more.
                let _ = heard.send(());
            }
            WireOrder::Dark => {
                self.hear_last_words(chunk);
                self.power_off();
            }
        }
    }

    /// Takes what the firmware sent before the core stopped.
    fn hear_last_words(&mut self, chunk: &mut [u8]) {
        while let Some(stream) = &self.stream {
            match stream.try_read(chunk) {
                Ok(length @ 1..) => self.take(&chunk[..length]),
                _ => return,
            }
        }
    }

    fn power_off(&mut self) {
        if let Some(link) = &self.link {
            link.power_off();
        }
        self.serials.iter_mut().for_each(Serial::power_off);
    }

    fn take(&mut self, bytes: &[u8]) {
        let _together = self.trace.gather();
        self.trace.clock().touch();
        self.frames.push(bytes);
        let Some(link) = &self.link else {
            while let Ok(Some(_)) = self.frames.pop() {}
            return;
        };
        loop {
            match self.frames.pop() {
                Ok(Some(frame)) => match untag(&frame) {
                    Ok(packet) => link.from_device(&packet.encode()),
                    Err(error) => garbage(&self.trace, link, error, &frame),
                },
                Ok(None) => return,
                Err(error) => {
                    garbage(&self.trace, link, error, &[]);
                    self.stream = None;
                    return;
                }
            }
        }
    }

    fn send(&mut self, packet: &[u8]) {
        // The air sends nothing else.
        let Ok(packet) = Packet::decode(packet) else {
            return;
        };
        let frame = tag(&packet);
        self.outgoing
            .extend_from_slice(&(frame.len() as u32).to_be_bytes());
        self.outgoing.extend_from_slice(&frame);
    }
}

enum Moved {
    In(usize),
    Out(usize),
}

/// Reads, and writes what is to be written; never ends without a stream. Cancel safe.
async fn read(
    stream: &mut Option<UnixStream>,
    outgoing: &[u8],
    chunk: &mut [u8],
) -> io::Result<Moved> {
    let Some(stream) = stream else {
        return std::future::pending().await;
    };
    let (mut reader, mut writer) = stream.split();
    tokio::select! {
        read = reader.read(chunk) => match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => Ok(Moved::In(length)),
        },
        written = writer.write(outgoing), if !outgoing.is_empty() => written.map(Moved::Out),
    }
}

async fn to_device(link: Option<&RadioLink>) -> Vec<u8> {
    match link {
        Some(link) => link.to_device().await,
        None => std::future::pending().await,
    }
}

fn garbage(trace: &Trace, link: &RadioLink, error: PacketError, bytes: &[u8]) {
    trace.emit(
        Some(link.device()),
        &Garbage {
            link: "network".to_owned(),
            problem: error.to_string(),
            bytes: hex::encode(&bytes[..bytes.len().min(SHOWN)]),
        },
    );
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
struct Frames {
    buffer: Vec<u8>,
    start: usize,
}

impl Frames {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one. After an error the stream cannot be trusted.
    fn pop(&mut self) -> Result<Option<Vec<u8>>, PacketError> {
        let Some((length, rest)) = self.buffer[self.start..].split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_TAGGED_FRAME {
            return Err(PacketError::Length(length));
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.start += 4 + length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_come_back_wherever_the_stream_is_cut(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..5),
            cut in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for frame in &frames {
                bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
                bytes.extend_from_slice(frame);
            }
            let mut decoder = Frames::default();
            let mut popped = Vec::new();
            for chunk in bytes.chunks(cut) {
                decoder.push(chunk);
                while let Some(frame) = decoder.pop().expect("frames") {
                    popped.push(frame);
                }
            }
            prop_assert_eq!(popped, frames);
        }

        #[test]
        fn garbage_ends_in_an_error_or_in_waiting(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let mut decoder = Frames::default();
            decoder.push(&bytes);
            let popped = std::iter::from_fn(|| decoder.pop().ok().flatten()).count();
            prop_assert!(popped <= bytes.len() / 4);
        }
    }
}
