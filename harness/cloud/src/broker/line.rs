//! Packets in and out of one connection, each shown in the trace.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trace::Trace;
use trace::mqtt::Direction;

use super::transport::Transport;
use super::{Hook, Limits};
use crate::packet::{Codec, Encoder, Frame, FrameError, next_frame};

/// Largest packet that may be allowed.
const LARGEST: usize = 1 << 20;
/// Bytes out that are sent without waiting for the end of the bytes in.
const ENOUGH: usize = 64 << 10;
/// Of bytes that are sent each by itself, so many wait until the one before was surely read: a client that reads late
/// gets several at once.
const APART: usize = 256;
/// How long each of them waits.
const BETWEEN_BYTES: Duration = Duration::from_millis(1);

/// Sends `bytes` at once.
async fn send(transport: &mut Transport, bytes: &[u8], clock: &clock::Clock) -> io::Result<()> {
    // A client in another process is as slow as the host lets it be: lab time must not run
    // ahead while it is waited for.
    let _busy = clock.busy();
    transport.write_all(bytes).await?;
    transport.flush().await
}

/// One connection as a line of packets.
pub(super) struct Line {
    pub(super) transport: Transport,
    pub(super) number: u64,
    /// Client id once it is known.
    pub(super) client: Option<String>,
    pub(super) device: Option<String>,
    /// None for a probe, which leaves no trace.
    trace: Option<Trace>,
    /// Whether packets go into the trace too.
    packets: bool,
    /// Whether each byte is sent by itself.
    pub(super) in_single_bytes: bool,
    buffer: BytesMut,
    /// How its client's generation of the protocol has packets.
    pub(super) codec: Codec,
}

impl Line {
    pub(super) fn new(
        transport: Transport,
        number: u64,
        trace: Option<Trace>,
        packets: bool,
    ) -> Self {
        Self {
            packets: packets && trace.is_some(),
            transport,
            number,
            client: None,
            device: None,
            trace,
            in_single_bytes: false,
            buffer: BytesMut::new(),
            codec: Codec::default(),
        }
    }

    /// Whether this is a probe of the broker's own: untouched by faults and hooks, not traced.
    pub(super) fn is_probe(&self) -> bool {
        self.trace.is_none()
    }

    /// The next packet that has come whole.
    pub(super) fn next(&mut self, limits: &Limits) -> Result<Option<Frame>, FrameError> {
        next_frame(&mut self.buffer, limits.packet.min(LARGEST))
    }

    /// Waits for more bytes; their number, 0 at the end. Cancel safe.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        self.buffer.reserve(4096);
        self.transport.read_buf(&mut self.buffer).await
    }

    /// Puts a packet in line to be sent.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut Encoder)) {
        let start = self.codec.out.len();
        write(&mut self.codec.out);
        if !self.packets {
            return;
        }
        let mut bytes = BytesMut::from(&self.codec.out.since(start)[..]);
        if let Ok(Some(frame)) = next_frame(&mut bytes, usize::MAX) {
            self.show(&frame, Direction::Out);
        }
    }

    /// Whether so much is in line that it should be sent before more is read.
    pub(super) fn is_full(&self) -> bool {
        self.codec.out.len() >= ENOUGH
    }

    /// Sends what is in line. Within the time that `limits` gives, or an error.
    pub(super) async fn flush(&mut self, clock: &clock::Clock, limits: &Limits) -> io::Result<()> {
        if self.codec.out.is_empty() {
            return Ok(());
        }
        let bytes = self.codec.out.take();
        let peer = self.transport.peer();
        let (apart, rest) = match self.in_single_bytes {
            true => bytes.split_at(bytes.len().min(APART)),
            false => (&[][..], &bytes[..]),
        };
        let at_once = if self.in_single_bytes { 1 } else { bytes.len() };
        let writing = async {
            for byte in apart.chunks(1) {
                send(&mut self.transport, byte, clock).await?;
                clock.sleep(BETWEEN_BYTES).await;
            }
            for part in rest.chunks(at_once) {
                send(&mut self.transport, part, clock).await?;
            }
            Ok(())
        };
        clock
            .timeout_for(peer, limits.write, writing)
            .await
            .map_err(|elapsed| io::Error::new(io::ErrorKind::TimedOut, elapsed))?
    }

    /// Shows a packet that came in.
    pub(super) fn show_received(&self, frame: &Frame, hooks: &[std::sync::Arc<dyn Hook>]) {
        if !self.packets {
            return;
        }
        if frame.head >> 4 == 3
            && let Some((topic, payload)) = self.codec.split_publish(frame)
        {
            for hook in hooks {
                hook.spot_secrets(&topic, &payload);
            }
        }
        self.show(frame, Direction::In);
    }

    fn show(&self, frame: &Frame, direction: Direction) {
        if let Some(trace) = &self.trace {
            let mut packet = self.codec.describe(frame, direction == Direction::In);
            packet.set_head(self.number, self.client.as_deref(), direction);
            packet.emit(trace, self.device.as_deref());
        }
    }

    /// Emits an event about this connection.
    pub(super) fn emit<P: trace::Payload>(&self, payload: &P) {
        if let Some(trace) = &self.trace {
            trace.emit(self.device.as_deref(), payload);
        }
    }
}
