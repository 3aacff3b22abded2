//! An Ethernet outside of the lab, carried by a Unix socket.
//!
//! Each frame has its length before it, in four bytes, most significant first: what QEMU's
//! `-netdev stream` speaks.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use airlink::{ETHERTYPE, MAX_FRAME};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{UnixListener, UnixStream};

use super::frame::{self, Mac};
use super::queue::FrameQueue;
use super::segment::{Owner, Place, Port, Segment, Sink};
use super::world::AirInner;

/// Addresses and EtherType (IEEE 802.3-2018 §3.1.1).
const HEADER: usize = 14;
/// Out of descriptors and the like: the host may recover.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// An Ethernet outside of the lab; cheap to clone, all clones are the same. Access points and SoftAPs
/// can be bridged with it. Its frames come from programs that connect to a Unix socket, one after the
/// other.
#[derive(Clone)]
pub struct Ethernet {
    inner: Arc<Inner>,
}

struct Inner {
    /// Frames on their way out.
    queue: Arc<FrameQueue>,
    /// Where its frames go in the lab.
    taps: Mutex<Vec<Tap>>,
}

/// A segment that is bridged with an Ethernet.
#[derive(Clone)]
struct Tap {
    port: Weak<Port>,
    /// Told of every source before its frame is passed on.
    seen: Arc<dyn Fn(Mac) + Send + Sync>,
}

impl Ethernet {
    pub(super) fn start(air: &Arc<AirInner>, listener: UnixListener) -> Self {
        let inner = Arc::new(Inner {
            queue: Arc::default(),
            taps: Mutex::default(),
        });
        let weak = Arc::downgrade(air);
        let serving = inner.clone();
        air.spawn(async move { serving.serve(&weak, &listener).await });
        Self { inner }
    }

    /// Bridges `segment` with this Ethernet for as long as the port lives; `seen` is told the source of
    /// each frame that comes in.
    pub(super) fn bridge(
        &self,
        segment: &Segment,
        seen: impl Fn(Mac) + Send + Sync + 'static,
    ) -> Arc<Port> {
        let sink = Sink::Ethernet(self.inner.queue.clone());
        let port = Arc::new(segment.plug(Place::Trunk, Owner::Ethernet, None, sink));
        let mut taps = self
            .inner
            .taps
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taps.retain(|tap| tap.port.strong_count() > 0);
        taps.push(Tap {
            port: Arc::downgrade(&port),
            seen: Arc::new(seen),
        });
        port
    }
}

impl Inner {
    async fn serve(&self, air: &Weak<AirInner>, listener: &UnixListener) {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                let Some(clock) = air.upgrade().map(|air| air.clock().clone()) else {
                    return;
                };
                clock.sleep(ACCEPT_AGAIN).await;
                continue;
            };
            // It is not known here when that program has nothing left to do.
            let _busy = air.upgrade().map(|air| air.clock().busy());
            // What waited for a client that was not there is stale.
            self.queue.clear();
            // However it ends, the next client finds the Ethernet as it was.
            let _ = self.carry(client).await;
        }
    }

    async fn carry(&self, client: UnixStream) -> io::Result<()> {
        let (mut from, mut to) = split(client);
        tokio::select! {
            read = async {
                loop {
                    self.inward(read_frame(&mut from).await?);
                }
            } => read,
            written = async {
                loop {
                    write_frame(&mut to, &self.queue.pop().await).await?;
                }
            } => written,
        }
    }

    fn inward(&self, bytes: Vec<u8>) {
        let Some(source) = frame::source(&bytes).filter(|mac| !frame::is_group(*mac)) else {
            return;
        };
        // A frame with this type is the lab's own word to a radio, which nobody outside has.
        if bytes.get(12..14) == Some(&ETHERTYPE.to_be_bytes()) {
            return;
        }
        // Not locked while the air is, which bridges while it is locked itself.
        let taps = self
            .taps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for tap in taps {
            if let Some(port) = tap.port.upgrade() {
                (tap.seen)(source);
                port.send(bytes.clone());
            }
        }
    }
}

/// The next frame of a stream. A length that no frame has is an error: what follows it cannot be told
/// from a length.
async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEADER..=MAX_FRAME).contains(&length) {
        let problem = format!("no Ethernet frame has {length} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    // In one piece: QEMU would wait for the rest with each read.
    let bytes = [&length.to_be_bytes(), frame].concat();
    to.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        read_frame(&mut &*bytes).await
    }

    #[tokio::test]
    async fn a_frame_comes_back_as_it_was_written() {
        for length in [HEADER, 60, MAX_FRAME] {
            let frame = vec![7; length];
            let mut wire = Vec::new();
            write_frame(&mut wire, &frame).await.expect("room");
            assert_eq!(
                wire[..4],
                u32::try_from(length).expect("short").to_be_bytes()
            );
            assert_eq!(read(&wire).await.expect("a frame"), frame);
        }
    }

    #[tokio::test]
    async fn a_length_that_no_frame_has_ends_the_stream_and_takes_no_memory() {
        for length in [0, 1, 13, 1515, 0x7FFF_FFFF, u32::MAX] {
            let mut wire = length.to_be_bytes().to_vec();
            wire.extend([0; 2000]);
            let error = read(&wire).await.expect_err("no frame");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_ends_wherever_it_is_cut() {
        let mut wire = Vec::new();
        write_frame(&mut wire, &[7; 60]).await.expect("room");
        for length in 0..wire.len() {
            let error = read(&wire[..length]).await.expect_err("a cut stream");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        }
    }
}
