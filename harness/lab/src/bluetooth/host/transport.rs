//! HCI over any stream of bytes, for a host.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;

use bt_hci::ReadHciError;
use bt_hci::transport::{PacketKind, PacketToController, PacketToHost, Transport};
use embedded_io_async::{Error, ErrorKind, ErrorType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, Notify};

use super::long_writes::{LongWrites, Step};
use super::past_host::PastHost;
use crate::bluetooth::h4::{Decoder, Packet, Side};

/// Bytes taken from the stream at once.
const CHUNK: usize = 4 * 1024;

/// A host's end of an H4 stream. Write Requests that are too long for their connection's ATT_MTU
/// become queued writes on it; a client's own bytes go past the host.
pub struct HciStream<S> {
    reader: Mutex<Reader<S>>,
    writer: Mutex<WriteHalf<S>>,
    long_writes: RefCell<LongWrites>,
    past: PastHost,
    /// What the host will read before anything else.
    inbox: RefCell<VecDeque<Packet>>,
    bell: Notify,
}

struct Reader<S> {
    stream: ReadHalf<S>,
    decoder: Decoder,
}

impl<S: AsyncRead + AsyncWrite> HciStream<S> {
    /// The controller is at the other end of `stream`.
    pub fn new(stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader: Mutex::new(Reader {
                stream: reader,
                decoder: Decoder::default(),
            }),
            writer: Mutex::new(writer),
            long_writes: RefCell::default(),
            past: PastHost::default(),
            inbox: RefCell::default(),
            bell: Notify::new(),
        }
    }

    /// The way past the host.
    pub(crate) fn past(&self) -> PastHost {
        self.past.clone()
    }

    /// Brings packets to where they go.
    async fn take(&self, steps: Vec<Step>) -> io::Result<()> {
        for step in steps {
            match step {
                Step::ToHost(packet) => {
                    self.inbox.borrow_mut().push_back(packet);
                    self.bell.notify_one();
                }
                Step::ToController(packet) => {
                    let mut writer = self.writer.lock().await;
                    writer.write_all(&packet.encode(Side::Host)).await?;
                    writer.flush().await?;
                }
            }
        }
        Ok(())
    }
}

impl<S> ErrorType for HciStream<S> {
    type Error = HciStreamError;
}

impl<S: AsyncRead + AsyncWrite> Transport for HciStream<S> {
    async fn read<'a, P: PacketToHost<'a>>(
        &self,
        buffer: &'a mut [u8],
    ) -> Result<P, HciStreamError> {
        let mut reader = self.reader.lock().await;
        let Reader { stream, decoder } = &mut *reader;
        let mut chunk = [0; CHUNK];
        let packet = loop {
            let outgoing = self.past.take_outgoing();
            self.take(outgoing.into_iter().map(Step::ToController).collect())
                .await?;
            let waiting = self.inbox.borrow_mut().pop_front();
            if let Some(packet) = waiting {
                break packet.encode(Side::Controller);
            }
            match decoder.pop() {
                Ok(Some(packet)) => {
                    for mut packet in self.past.controller_sends(packet) {
                        if let Packet::Acl(acl) = &mut packet
                            && !acl.continues
                        {
                            super::mend::mend(&mut acl.data);
                        }
                        let steps = self.long_writes.borrow_mut().controller_sends(packet);
                        self.take(steps).await?;
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => return Err(HciStreamError::Garbage(error.to_string())),
            }
            tokio::select! {
                read = stream.read(&mut chunk) => match read? {
                    0 => return Err(HciStreamError::Closed),
                    length => decoder.push(&chunk[..length]),
                },
                () = self.bell.notified() => {}
                () = self.past.rung() => {}
            }
        };
        let mut rest = &packet[..];
        let kind = PacketKind::read(&mut rest)?;
        Ok(P::read_hci(kind, &mut rest, buffer)?)
    }

    async fn write<P: PacketToController>(&self, packet: &P) -> Result<(), HciStreamError> {
        let mut bytes = vec![0; 1 + packet.size()];
        bytes[0] = P::KIND as u8;
        packet
            .write_hci(&mut bytes[1..])
            .map_err(|_| HciStreamError::Garbage("a packet longer than it says".to_owned()))?;
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        let Ok(Some(packet)) = decoder.pop() else {
            return Err(HciStreamError::Garbage("a packet of the host".to_owned()));
        };
        self.past.host_sends(&packet);
        let steps = self.long_writes.borrow_mut().host_sends(packet);
        self.take(steps).await?;
        Ok(())
    }
}

/// Why a host cannot speak to its controller any more.
#[derive(Debug, thiserror::Error)]
pub enum HciStreamError {
    /// The controller is gone.
    #[error("the controller closed its HCI")]
    Closed,
    /// What came is no HCI.
    #[error("no HCI: {0}")]
    Garbage(String),
    /// The stream failed.
    #[error("the HCI stream failed")]
    Io(#[from] io::Error),
}

impl Error for HciStreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed => ErrorKind::BrokenPipe,
            Self::Garbage(_) => ErrorKind::InvalidData,
            Self::Io(_) => ErrorKind::Other,
        }
    }
}

impl From<ReadHciError<Infallible>> for HciStreamError {
    fn from(error: ReadHciError<Infallible>) -> Self {
        Self::Garbage(error.to_string())
    }
}
