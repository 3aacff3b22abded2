//! A controller, as its host meets it.

use std::sync::Arc;

use clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use super::ether::WeakEther;
use super::h4::Decoder;
use super::radio::RadioId;

/// Bytes taken from a host at once.
const CHUNK: usize = 4 * 1024;

/// A virtual LE controller. It is on the air until it is dropped.
pub struct Controller {
    ether: WeakEther,
    clock: Clock,
    id: RadioId,
    bell: Arc<Notify>,
}

impl Controller {
    pub(super) fn new(ether: WeakEther, clock: Clock, id: RadioId, bell: Arc<Notify>) -> Self {
        Self {
            ether,
            clock,
            id,
            bell,
        }
    }

    /// Serves the host at the other end of `hci` (H4: HCI packets with an indicator in front) until
    /// that end is closed, the medium is gone, or bytes come that are no HCI, which are traced as
    /// [`board::Garbage`].
    pub async fn run(self, hci: impl AsyncRead + AsyncWrite) {
        let (mut reader, mut writer) = tokio::io::split(hci);
        let mut decoder = Decoder::default();
        let mut chunk = vec![0; CHUNK];
        let mut stream: Vec<u8> = Vec::new();
        let clock = self.clock.clone();
        loop {
            if stream.is_empty() {
                let Some(ether) = self.ether.upgrade() else {
                    return;
                };
                stream = ether.take_outbox(self.id);
            }
            tokio::select! {
                biased;
                written = writer.write(&stream), if !stream.is_empty() => {
                    clock.touch();
                    let Ok(length @ 1..) = written else { return };
                    stream.drain(..length);
                    if stream.is_empty() && writer.flush().await.is_err() {
                        return;
                    }
                }
                // A host that does not listen is not listened to, so that little is kept for it.
                read = reader.read(&mut chunk), if stream.is_empty() => {
                    clock.touch();
                    let Ok(length @ 1..) = read else { return };
                    decoder.push(&chunk[..length]);
                    if !self.take(&mut decoder, &chunk[..length]) {
                        return;
                    }
                }
                () = self.bell.notified(), if stream.is_empty() => {}
            }
        }
    }

    /// Takes the packets that are whole. False after garbage.
    fn take(&self, decoder: &mut Decoder, chunk: &[u8]) -> bool {
        let Some(ether) = self.ether.upgrade() else {
            return false;
        };
        loop {
            match decoder.pop() {
                Ok(Some(packet)) => ether.hear(self.id, packet),
                Ok(None) => return true,
                Err(error) => {
                    ether.garbage(self.id, &error.to_string(), chunk);
                    return false;
                }
            }
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(ether) = self.ether.upgrade() {
            ether.remove(self.id);
        }
    }
}
