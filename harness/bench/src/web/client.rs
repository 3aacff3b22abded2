//! A small client of web servers, the same against every one.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use super::PAGE;
use crate::setup::Outcome;

/// Longer than any of these answers.
const LIMIT: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// Bytes of a message; one length byte says so.
const MESSAGE: usize = 125;

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// How one server is reached. Every handshake is a full one.
pub struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Client {
    /// For the server at `address`, whose authority is in the file `authority`.
    pub fn new(address: SocketAddr, authority: &Path) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self {
            address,
            config: Arc::new(config),
        })
    }

    /// Connections with a request on each, per second.
    pub fn handshakes(&self, count: usize) -> Outcome<f64> {
        let began = Instant::now();
        for _ in 0..count {
            let mut stream = self.connect()?;
            ask(&mut stream)?;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }

    /// Requests on one connection, per second.
    pub fn requests(&self, count: usize) -> Outcome<f64> {
        let mut stream = self.connect()?;
        ask(&mut stream)?;
        let began = Instant::now();
        for _ in 0..count {
            ask(&mut stream)?;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }

    /// How long each of so many messages takes over a WebSocket, there and back.
    pub fn echoes(&self, count: usize) -> Outcome<Vec<Duration>> {
        let mut stream = self.connect()?;
        stream.write_all(UPGRADE)?;
        let head = until(&mut stream, b"\r\n\r\n")?;
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err("the server does not speak WebSocket".into());
        }
        // FIN and text; masked with zeros, which leaves the message as it is.
        let mut frame = vec![0x81, 0x80 | MESSAGE as u8, 0, 0, 0, 0];
        frame.resize(frame.len() + MESSAGE, b'x');
        let mut echo = [0; 2 + MESSAGE];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            stream.write_all(&frame)?;
            stream.read_exact(&mut echo)?;
            times.push(began.elapsed());
            if echo[..2] != [0x81, MESSAGE as u8] || echo[2..] != frame[6..] {
                return Err("another message came back".into());
            }
        }
        Ok(times)
    }

    fn connect(&self) -> Outcome<Stream> {
        let socket = TcpStream::connect_timeout(&self.address, LIMIT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(LIMIT))?;
        socket.set_write_timeout(Some(LIMIT))?;
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(self.config.clone(), name)?;
        Ok(StreamOwned::new(connection, socket))
    }
}

/// Asks for the page, which has to be the one.
fn ask(stream: &mut Stream) -> Outcome<()> {
    stream.write_all(REQUEST)?;
    let answer = until(stream, PAGE.as_bytes())?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("no page: {}", String::from_utf8_lossy(&answer)).into());
    }
    Ok(())
}

/// What comes up to `end`.
fn until(stream: &mut Stream, end: &[u8]) -> Outcome<Vec<u8>> {
    let mut all = Vec::new();
    let mut piece = [0; 1024];
    while !all.ends_with(end) {
        match stream.read(&mut piece) {
            Ok(0) => return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(count) => all.extend_from_slice(&piece[..count]),
            Err(error) => return Err(error.into()),
        }
        if all.len() > 64 << 10 {
            return Err("the answer does not end".into());
        }
    }
    Ok(all)
}
