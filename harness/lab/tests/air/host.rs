//! Services of the host's loopback.

use std::net::{Ipv4Addr, SocketAddr};

use clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A listener and its address.
pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOOPBACK).await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// An address at which nobody listens.
pub async fn nobody() -> SocketAddr {
    listener().await.1
}

/// Serves each connection by `serve`.
pub async fn serve<F, S>(clock: &Clock, serve: S) -> SocketAddr
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    let clock = clock.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            clock.touch();
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Sends back whatever comes until the client has said all.
pub async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Reads all that the client says, and only then answers with its length.
pub async fn count_to_the_end(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes).await.is_ok() {
        let answer = bytes.len().to_string();
        // The client may be gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Sends back every datagram twice.
pub async fn udp_twice(clock: &Clock) -> SocketAddr {
    let socket = UdpSocket::bind(LOOPBACK).await.expect("a socket");
    let address = socket.local_addr().expect("an address");
    let clock = clock.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            clock.touch();
            for _ in 0..2 {
                // Lost datagrams are what the test would find.
                let _ = socket.send_to(&buffer[..length], from).await;
            }
        }
    });
    address
}
