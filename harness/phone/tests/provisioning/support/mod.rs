//! A device in memory: HTTP and a console over duplex pipes, security by the device's own code.

pub mod console;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};

use clock::Clock;
use device::security::Security;
use embassy_futures::block_on;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use phone::{Datagrams, Dial, Stream};
use rand_core::OsRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What the device answers on encrypted endpoints, in plain text, one after the other; when there
/// is no more, it closes the connection.
pub type Answers = VecDeque<Vec<u8>>;

/// A device.
#[derive(Clone)]
pub struct FakeDevice {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
}

struct Inner {
    security: Security,
    version: String,
    answers: Answers,
    seen: Vec<Request>,
    connections: usize,
    /// Sent in place of an HTTP response to every request.
    instead: Option<Vec<u8>>,
    /// Whether nothing is answered at all.
    silent: bool,
    /// Whether the connection is closed after each response, although HTTP/1.1 would keep it.
    hang_up: bool,
    unreachable: bool,
    /// Which requests, from 0, are carried out and then not answered.
    lost: BTreeSet<usize>,
    console: console::Habits,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// With the slash.
    pub path: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// On which connection, from 1.
    pub connection: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl FakeDevice {
    pub fn new(clock: Clock, settings: &factory::Security, version: &str) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                security: Security::new(settings),
                version: version.to_owned(),
                answers: Answers::new(),
                seen: Vec::new(),
                connections: 0,
                instead: None,
                silent: false,
                hang_up: false,
                unreachable: false,
                lost: BTreeSet::new(),
                console: console::Habits::default(),
            })),
            clock,
        }
    }

    pub fn answering(self, answers: &[&str]) -> Self {
        self.inner.lock().unwrap().answers = answers
            .iter()
            .map(|answer| hex::decode(answer).unwrap())
            .collect();
        self
    }

    pub fn saying(self, instead: &[u8]) -> Self {
        self.inner.lock().unwrap().instead = Some(instead.to_vec());
        self
    }

    pub fn silent(self) -> Self {
        self.inner.lock().unwrap().silent = true;
        self
    }

    pub fn hanging_up(self) -> Self {
        self.inner.lock().unwrap().hang_up = true;
        self
    }

    pub fn unreachable(self) -> Self {
        self.inner.lock().unwrap().unreachable = true;
        self
    }

    pub fn losing(self, answers: impl IntoIterator<Item = usize>) -> Self {
        self.inner.lock().unwrap().lost.extend(answers);
        self
    }

    /// Ends the session, as a second phone's request does.
    pub fn forget_session(&self) {
        self.inner.lock().unwrap().security.reset();
    }

    pub fn seen(&self) -> Vec<Request> {
        self.inner.lock().unwrap().seen.clone()
    }

    /// The answer to a request, or none if the device breaks off.
    fn answer(&self, request: Request, body: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock().unwrap();
        let index = inner.seen.len();
        let path = request.path.clone();
        inner.seen.push(request);
        let answer = match path.as_str() {
            "/proto-ver" => inner.version.clone().into_bytes(),
            "/prov-session" => block_on(inner.security.handshake(body, &mut OsRng)).ok()?,
            _ => {
                inner.security.decrypt(body).ok()?;
                let answer = inner.answers.pop_front()?;
                inner.security.encrypt(&answer).ok()?
            }
        };
        (!inner.lost.contains(&index)).then_some(answer)
    }

    /// The response's bytes, or none to close the connection.
    fn respond(&self, request: Request, body: &[u8]) -> Option<Vec<u8>> {
        let (first, instead) = {
            let inner = self.inner.lock().unwrap();
            (inner.seen.is_empty(), inner.instead.clone())
        };
        if let Some(instead) = instead {
            self.inner.lock().unwrap().seen.push(request);
            return Some(instead);
        }
        let body = self.answer(request, body)?;
        let cookie = if first {
            "Set-Cookie: session=4242\r\n"
        } else {
            ""
        };
        let mut response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{cookie}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        response.extend_from_slice(&body);
        Some(response)
    }

    async fn serve(self, mut stream: DuplexStream, connection: usize) -> Option<()> {
        let mut received = Vec::new();
        loop {
            let (request, body) = read_request(&mut stream, &mut received, connection).await?;
            if self.inner.lock().unwrap().silent {
                std::future::pending::<()>().await;
            }
            let response = self.respond(request, &body)?;
            stream.write_all(&response).await.ok()?;
            self.clock.touch();
            let inner = self.inner.lock().unwrap();
            if inner.hang_up || inner.instead.is_some() {
                return None;
            }
        }
    }
}

async fn read_request(
    stream: &mut DuplexStream,
    received: &mut Vec<u8>,
    connection: usize,
) -> Option<(Request, Vec<u8>)> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(head) = request.parse(received).unwrap() {
            assert_eq!(request.method, Some("POST"));
            let seen = Request {
                path: request.path.unwrap().to_owned(),
                headers: request
                    .headers
                    .iter()
                    .map(|header| {
                        let value = String::from_utf8(header.value.to_vec()).unwrap();
                        (header.name.to_owned(), value)
                    })
                    .collect(),
                connection,
            };
            let length: usize = seen.header("content-length").unwrap().parse().unwrap();
            if received.len() >= head + length {
                let body = received[head..head + length].to_vec();
                received.drain(..head + length);
                return Some((seen, body));
            }
        }
        if stream.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

impl Dial for FakeDevice {
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 4, 2)
    }

    fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 4, 255)
    }

    fn tcp(&self, _: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async move {
            let connection = {
                let mut inner = self.inner.lock().unwrap();
                if inner.unreachable {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                inner.connections += 1;
                inner.connections
            };
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(self.clone().serve(theirs, connection));
            Ok(Box::new(ours) as Box<dyn Stream>)
        }
        .boxed()
    }

    fn udp(&self, _: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed()
    }
}
