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

use crate::bugs::{self, Bug};
use crate::http::{
    self, Connection, Head, MAX_BODY, Method, Refusal, Unacknowledged, Unread, say_goodbye,
};

/// ESP-IDF puts the function's name into the text, too.
const TAG: &str = "httpd_uri";
const PORT: u16 = 80;
/// One client is served; the other sockets listen for the next or say goodbye to the last. Without
/// them a client would meet a closed port, since the network stack keeps no backlog.
const SOCKETS: usize = 4;
const SOCKET_BUFFER: usize = 2048;
/// Numbers of lwIP's sockets begin here in ESP-IDF.
const FIRST_SOCKET: u32 = 54;
/// A client that has been silent for so long between two requests is forgotten.
const IDLE_LIMIT: Duration = Duration::from_secs(120);

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
        let mut connection = Connection::new(Unacknowledged(socket));
        loop {
            let request = self.next_request(&mut connection);
            let (head, body) = match select(request, self.ends[slot].wait()).await {
                Either::First(Ok(request)) => request,
                Either::First(Err(Unread::Gone)) => return None,
                Either::First(Err(Unread::Refused(refusal))) => {
                    refusal.log(refusal.text());
                    connection
                        .send(&refusal.response(refusal.text()))
                        .await
                        .ok()?;
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
            connection.send(&response).await.ok()?;
        }
    }

    /// Reads a request.
    async fn next_request(
        &self,
        connection: &mut Connection<Unacknowledged<&mut TcpSocket<'_>>>,
    ) -> Result<(Head, Result<Vec<u8>, BodyError>), Unread> {
        with_timeout(IDLE_LIMIT, connection.await_bytes())
            .await
            .unwrap_or(Err(Unread::Gone))?;
        let head = connection.head().await?;
        self.check(&head).await?;
        let body = read_body(connection, &head).await;
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

/// Reads the body behind `head`.
async fn read_body(
    connection: &mut Connection<Unacknowledged<&mut TcpSocket<'_>>>,
    head: &Head,
) -> Result<Vec<u8>, BodyError> {
    match head.body {
        0 if !bugs::is(Bug::EmptyBodyAccepted) => return Err(BodyError::Missing),
        0..=MAX_BODY => {}
        _ => return Err(BodyError::TooLong),
    }
    connection.take(head.body).await.map_err(|_| BodyError::Cut)
}
