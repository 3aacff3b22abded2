//! Serial lines between a board and the lab.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Bytes under way in each direction.
const CAPACITY: usize = 64 * 1024;

/// A byte pipe between a board's UART, or its Bluetooth controller's interface, and the program at
/// the other end of it in the lab.
///
/// What is sent to a board without power is lost. When one end is dropped, the other reads the end
/// of the stream.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut board, mut lab) = lab::wire::Wire::pair(&clock::Clock::start(1.0));
/// lab.write_all(b"nobody hears this").await.unwrap();
/// board.set_power(true);
/// lab.write_all(b"help\r").await.unwrap();
/// let mut heard = [0; 16];
/// assert_eq!(board.read(&mut heard).await.unwrap(), 5);
/// # });
/// ```
#[derive(Debug)]
pub struct Wire;

impl Wire {
    /// Both ends of a new wire, without power at the board's.
    pub fn pair(clock: &Clock) -> (BoardEnd, LabEnd) {
        let shared = Arc::new(Shared {
            clock: clock.clone(),
            to_board: Mutex::default(),
            to_lab: Mutex::default(),
            power: watch::Sender::new(false),
        });
        let lab = LabEnd {
            shared: shared.clone(),
        };
        let hold = Arc::new(Hold(shared.clone()));
        (BoardEnd { shared, hold }, lab)
    }
}

/// The board's end of a wire; clones are the same end.
#[derive(Clone, Debug)]
pub struct BoardEnd {
    shared: Arc<Shared>,
    #[expect(dead_code, reason = "closes the wire when the last clone is dropped")]
    hold: Arc<Hold>,
}

/// The lab's end of a wire.
#[derive(Debug)]
pub struct LabEnd {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Hold(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    to_board: Mutex<Pipe>,
    to_lab: Mutex<Pipe>,
    power: watch::Sender<bool>,
}

impl BoardEnd {
    /// Says whether the board has power. Without it, what was under way to it is lost.
    pub fn set_power(&self, on: bool) {
        lock(&self.shared.to_board).clear();
        self.shared.power.send_replace(on);
        self.shared.clock.touch();
    }

    /// Sends without waiting; what finds no room is lost, as on a UART without a listener.
    pub fn send(&self, bytes: &[u8]) {
        lock(&self.shared.to_lab).push(bytes);
        self.shared.clock.touch();
    }
}

impl LabEnd {
    /// Whether the board has power, and when that changes. A controller behind this wire loses its
    /// power together with the board.
    pub fn power(&self) -> watch::Receiver<bool> {
        self.shared.power.subscribe()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for LabEnd {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        lock(&self.to_board).close();
        lock(&self.to_lab).close();
    }

    fn read(
        &self,
        pipe: &Mutex<Pipe>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(lock(pipe).poll_read(context, buffer));
        self.clock.touch();
        Poll::Ready(Ok(()))
    }

    fn write(
        &self,
        pipe: &Mutex<Pipe>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = ready!(lock(pipe).poll_write(context, bytes));
        self.clock.touch();
        Poll::Ready(length)
    }
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    // A pipe is whole after each of its methods, whatever becomes of their callers.
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn push(&mut self, bytes: &[u8]) -> usize {
        if self.closed {
            return 0;
        }
        let length = bytes.len().min(CAPACITY - self.bytes.len());
        self.bytes.extend(&bytes[..length]);
        wake(&mut self.reader);
        length
    }

    fn clear(&mut self) {
        self.bytes.clear();
        wake(&mut self.writer);
    }

    fn close(&mut self) {
        self.closed = true;
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<()> {
        if self.bytes.is_empty() && !self.closed {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let length = self.bytes.len().min(buffer.remaining());
        for byte in self.bytes.drain(..length) {
            buffer.put_slice(&[byte]);
        }
        wake(&mut self.writer);
        Poll::Ready(())
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.bytes.len() == CAPACITY && !bytes.is_empty() {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.push(bytes)))
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl AsyncRead for BoardEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.read(&self.shared.to_board, context, buffer)
    }
}

impl AsyncWrite for BoardEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.write(&self.shared.to_lab, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.shared.to_lab).close();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for LabEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.read(&self.shared.to_lab, context, buffer)
    }
}

impl AsyncWrite for LabEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !*self.shared.power.borrow() && !lock(&self.shared.to_board).closed {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.shared.write(&self.shared.to_board, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.shared.to_board).close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn powered() -> (BoardEnd, LabEnd, Clock) {
        let clock = Clock::start(1.0);
        let (board, lab) = Wire::pair(&clock);
        board.set_power(true);
        (board, lab, clock)
    }

    #[tokio::test]
    async fn bytes_go_both_ways() {
        let (mut board, mut lab, _) = powered();
        lab.write_all(b"to the board").await.expect("an open wire");
        board.write_all(b"to the lab").await.expect("an open wire");
        board.send(b", too");
        let mut bytes = [0; 64];
        let length = board.read(&mut bytes).await.expect("an open wire");
        assert_eq!(&bytes[..length], b"to the board");
        let length = lab.read(&mut bytes).await.expect("an open wire");
        assert_eq!(&bytes[..length], b"to the lab, too");
    }

    #[tokio::test]
    async fn a_board_that_loses_its_power_loses_what_was_under_way() {
        let (mut board, mut lab, clock) = powered();
        let power = lab.power();
        lab.write_all(b"before").await.expect("an open wire");
        board.set_power(false);
        assert!(!*power.borrow());
        lab.write_all(&[0; 2 * CAPACITY])
            .await
            .expect("an open wire");
        board.set_power(true);
        let mut bytes = [0; 64];
        let read = clock.timeout(Duration::from_millis(20), board.read(&mut bytes));
        assert!(read.await.is_err());
    }

    #[tokio::test]
    async fn a_slow_reader_slows_the_writer_and_a_board_does_not_wait() {
        let (mut board, mut lab, _) = powered();
        let sent = vec![7; 3 * CAPACITY];
        let mut heard = vec![0; sent.len()];
        let (written, read) = tokio::join!(lab.write_all(&sent), board.read_exact(&mut heard));
        written.expect("an open wire");
        read.expect("an open wire");
        board.send(&sent);
        drop(board);
        let mut heard = Vec::new();
        lab.read_to_end(&mut heard).await.expect("an open wire");
        assert_eq!(heard.len(), CAPACITY);
    }

    #[tokio::test]
    async fn a_dropped_end_is_the_end_of_the_stream() {
        let (board, mut lab, _) = powered();
        let clone = board.clone();
        drop(board);
        lab.write_all(b"still there").await.expect("an open wire");
        drop(clone);
        assert_eq!(lab.read(&mut [0; 8]).await.expect("an open wire"), 0);
        assert!(lab.write_all(b"gone").await.is_err());
        let (mut board, lab, _) = powered();
        drop(lab);
        assert_eq!(board.read(&mut [0; 8]).await.expect("an open wire"), 0);
    }
}
