//! The HTTP server's sockets (ESP-IDF 5.5 `esp_http_server` with one open socket and LRU purge).

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use embassy_futures::join::join_array;
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, with_timeout};

use super::http::{self, BadRequest, Head, MAX_BODY, MAX_HEAD, MAX_URI, Method, Refusal};
use crate::bugs::{self, Bug};

/// ESP-IDF puts the function's name into the text, too.
const TAG: &str = "httpd_uri";
const PORT: u16 = 80;
/// One client is served; the other sockets listen for the next or say goodbye to the last. Without
/// them a client would meet a closed port, since the network stack keeps no backlog.
const SOCKETS: usize = 4;
const SOCKET_BUFFER: usize = 2048;
/// Numbers of lwIP's sockets begin here in ESP-IDF.
const FIRST_SOCKET: u32 = 54;
/// Limit for each part of a request and for a response (ESP-IDF: `recv_wait_timeout` and
/// `send_wait_timeout`).
const IO_LIMIT: Duration = Duration::from_secs(5);
/// A client that has been silent for so long between two requests is forgotten.
const IDLE_LIMIT: Duration = Duration::from_secs(120);
/// How long a closed connection is given to say goodbye.
const GOODBYE_LIMIT: Duration = Duration::from_millis(300);

/// A request that no response answers: the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServiceFailed;

/// Why a request has no body to handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It has none, or does not tell its length.
    Missing,
    /// It is longer than [`MAX_BODY`].
    TooLong,
    /// It did not come whole.
    Cut,
}

/// What the server serves.
pub(crate) trait Service {
    /// Whether something stands behind this path.
    async fn exists(&self, path: &str) -> bool;

    /// Answers a POST that came over a socket. One without a body that could be read fails, but
    /// not before it is known which session it belongs to.
    async fn post(
        &mut self,
        socket: u32,
        head: &Head,
        body: Result<&[u8], BodyError>,
    ) -> Result<Reply, ServiceFailed>;

    /// A socket was closed.
    fn closed(&mut self, socket: u32);
}

/// A successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) body: Vec<u8>,
    /// Number of a session to be set as cookie.
    pub(crate) session: Option<u32>,
}

/// Why a socket must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A newer client took its place.
    Evicted,
    /// The server ends.
    Stopped,
}

/// The server. [`Self::run`] works until [`Self::stop`].
pub(crate) struct Server<'s, S> {
    stack: Stack<'static>,
    /// One request is handled at a time, whichever socket it came from.
    service: &'s Mutex<NoopRawMutex, S>,
    ends: [Signal<NoopRawMutex, End>; SOCKETS],
    serving: Cell<Option<usize>>,
    stopping: Cell<bool>,
}

impl<'s, S: Service> Server<'s, S> {
    pub(crate) fn new(stack: Stack<'static>, service: &'s Mutex<NoopRawMutex, S>) -> Self {
        Self {
            stack,
            service,
            ends: core::array::from_fn(|_| Signal::new()),
            serving: Cell::new(None),
            stopping: Cell::new(false),
        }
    }

    /// Serves until it is stopped and every connection is closed.
    pub(crate) async fn run(&self) {
        join_array(core::array::from_fn::<_, SOCKETS, _>(|slot| {
            self.work(slot)
        }))
        .await;
    }

    /// Ends [`Self::run`].
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        for end in &self.ends {
            end.signal(End::Stopped);
        }
    }

    async fn work(&self, slot: usize) {
        let (mut receive, mut send) = (vec![0; SOCKET_BUFFER], vec![0; SOCKET_BUFFER]);
        let mut socket = TcpSocket::new(self.stack, &mut receive, &mut send);
        // Small segments are all there is to send, each of which a client waits for.
        socket.set_nagle_enabled(false);
        loop {
            let accepted = loop {
                match select(socket.accept(PORT), self.ends[slot].wait()).await {
                    Either::First(accepted) => break accepted.is_ok(),
                    Either::Second(End::Stopped) => return,
                    // Too late: that connection is gone by itself.
                    Either::Second(End::Evicted) => socket.abort(),
                }
            };
            let end = if accepted {
                self.evict_others(slot);
                self.serve(slot, &mut socket).await
            } else {
                None
            };
            if self.serving.get() == Some(slot) {
                self.serving.set(None);
            }
            let number = FIRST_SOCKET + slot as u32;
            self.service.lock().await.closed(number);
            say_goodbye(&mut socket).await;
            if end == Some(End::Stopped) {
                return;
            }
        }
    }

    fn evict_others(&self, slot: usize) {
        if let Some(older) = self.serving.replace(Some(slot))
            && !self.stopping.get()
            && !bugs::is(Bug::OlderClientKept)
        {
            self.ends[older].signal(End::Evicted);
        }
    }

    /// Serves one connection until it is to be closed. Requests are awaited only as long as nothing
    /// ends the socket; one that has come is answered first.
    async fn serve(&self, slot: usize, socket: &mut TcpSocket<'_>) -> Option<End> {
        let number = FIRST_SOCKET + slot as u32;
        let mut bytes = Vec::new();
        loop {
            let request = self.next_request(socket, &mut bytes);
            let (head, body) = match select(request, self.ends[slot].wait()).await {
                Either::First(Ok(request)) => request,
                Either::First(Err(Unread::Gone)) => return None,
                Either::First(Err(Unread::Refused(refusal))) => {
                    refusal.log();
                    respond(socket, &refusal.response()).await.ok()?;
                    return None;
                }
                Either::Second(end) => return Some(end),
            };
            let reply = {
                let mut service = self.service.lock().await;
                let body = body.as_deref().map_err(|none| *none);
                service.post(number, &head, body).await
            };
            let Ok(reply) = reply else {
                log::warn!(target: TAG, "httpd_uri: uri handler execution failed");
                return None;
            };
            let response = http::success(&reply.body, reply.session);
            respond(socket, &response).await.ok()?;
        }
    }

    /// Reads a request from what is left in `bytes` and what comes, and takes it out of them.
    async fn next_request(
        &self,
        socket: &mut TcpSocket<'_>,
        bytes: &mut Vec<u8>,
    ) -> Result<(Head, Result<Vec<u8>, BodyError>), Unread> {
        let head = loop {
            match Head::parse(bytes) {
                Ok(Some(head)) => break head,
                Ok(None) => {}
                Err(bad) => {
                    bad.log();
                    return Err(Unread::Refused(bad.into()));
                }
            }
            let (limit, begun) = match bytes.is_empty() {
                true => (IDLE_LIMIT, false),
                false => (IO_LIMIT, true),
            };
            match read_more(socket, bytes, limit).await {
                Err(Unread::Refused(_)) if !begun => return Err(Unread::Gone),
                other => other?,
            }
        };
        self.check(&head).await?;
        let body = read_body(socket, bytes, &head).await;
        Ok((head, body))
    }

    async fn check(&self, head: &Head) -> Result<(), Unread> {
        let uri = &head.uri;
        if !self.service.lock().await.exists(head.path()).await {
            log::warn!(target: TAG, "httpd_uri: URI '{uri}' not found");
            return Err(Unread::Refused(Refusal::NotFound));
        }
        if head.method != Method::POST {
            let Method(number) = head.method;
            log::warn!(target: TAG, "httpd_uri: Method '{number}' not allowed for URI '{uri}'");
            return Err(Unread::Refused(Refusal::MethodNotAllowed));
        }
        Ok(())
    }
}

/// Reads the body behind `head`, and takes both out of `bytes`.
async fn read_body(
    socket: &mut TcpSocket<'_>,
    bytes: &mut Vec<u8>,
    head: &Head,
) -> Result<Vec<u8>, BodyError> {
    match head.body {
        0 if !bugs::is(Bug::EmptyBodyAccepted) => return Err(BodyError::Missing),
        0..=MAX_BODY => {}
        _ => return Err(BodyError::TooLong),
    }
    let whole = head.length + head.body;
    while bytes.len() < whole {
        let more = read_more(socket, bytes, IO_LIMIT).await;
        more.map_err(|_| BodyError::Cut)?;
    }
    let body = bytes[head.length..whole].to_vec();
    bytes.drain(..whole);
    Ok(body)
}

impl BadRequest {
    /// Logs what the parser says, as far as that does not depend on how the bytes came in.
    fn log(self) {
        if let Self::UriTooLong(length) = self {
            let tag = "httpd_parse";
            log::warn!(target: tag, "cb_url: URI length ({length}) greater than supported ({MAX_URI})");
            log::warn!(target: tag, "parse_block: parsing failed");
        }
    }
}

/// Why there is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// The client has closed, or has been silent for too long.
    Gone,
    /// The client is told why.
    Refused(Refusal),
}

async fn read_more(
    socket: &mut TcpSocket<'_>,
    bytes: &mut Vec<u8>,
    limit: Duration,
) -> Result<(), Unread> {
    let mut chunk = [0; 512];
    // What may wait unread is bounded by the largest request.
    let room = (MAX_HEAD + MAX_BODY)
        .saturating_sub(bytes.len())
        .min(chunk.len());
    match with_timeout(limit, socket.read(&mut chunk[..room])).await {
        Ok(Ok(0) | Err(_)) => Err(Unread::Gone),
        Ok(Ok(count)) => {
            bytes.extend_from_slice(&chunk[..count]);
            Ok(())
        }
        Err(_) => Err(Unread::Refused(Refusal::Timeout)),
    }
}

async fn respond(socket: &mut TcpSocket<'_>, mut response: &[u8]) -> Result<(), Unread> {
    while !response.is_empty() {
        let written = with_timeout(IO_LIMIT, socket.write(response)).await;
        let Ok(Ok(count @ 1..)) = written else {
            return Err(Unread::Gone);
        };
        response = &response[count..];
    }
    Ok(())
}

/// Closes, and makes the socket fit to listen again.
async fn say_goodbye(socket: &mut TcpSocket<'_>) {
    socket.close();
    let mut rest = [0; 64];
    let goodbye = async {
        let _ = socket.flush().await;
        // A reset would take from the client what it has not read yet, so wait for its own end.
        while matches!(socket.read(&mut rest).await, Ok(1..)) {}
    };
    let _ = with_timeout(GOODBYE_LIMIT, goodbye).await;
    socket.abort();
    let _ = with_timeout(GOODBYE_LIMIT, socket.flush()).await;
}
