//! The port for outsiders: programs with a Bluetooth host of their own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::ether::WeakEther;

/// Out of descriptors and the like: the host may recover.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Listens on `listen`. The address, and what serves it.
pub(super) async fn open(
    ether: WeakEther,
    clock: Clock,
    listen: SocketAddr,
) -> io::Result<(SocketAddr, impl Future<Output = ()> + Send + 'static)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((address, serve(ether, clock, listener)))
}

/// Where programs connect.
pub(super) trait Accept: Send + Sync {
    /// The connection to a program.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection. Cancel safe.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // Without it, each small packet would wait for the last one's acknowledgement; harmless where
        // it fails.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.accept().await?;
        Ok(stream)
    }
}

/// Has each program that connects to `listener` use a controller of its own.
pub(super) async fn serve(ether: WeakEther, clock: Clock, listener: impl Accept) {
    let mut connections = JoinSet::new();
    let mut count: u16 = 0;
    loop {
        let Ok(stream) = listener.accept().await else {
            clock.sleep(ACCEPT_AGAIN).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        count = count.wrapping_add(1);
        connections.spawn(attend(ether.clone(), clock.clone(), stream, count));
    }
}

async fn attend(
    ether: WeakEther,
    clock: Clock,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    number: u16,
) {
    // It is not known here when that program has nothing left to do.
    let _busy = clock.busy();
    let [high, low] = number.to_be_bytes();
    let Some(controller) = ether.upgrade().map(|ether| {
        ether.controller(
            &format!("outsider {number}"),
            [0x02, b'O', b'U', b'T', high, low],
        )
    }) else {
        return;
    };
    controller.run(stream).await;
}
