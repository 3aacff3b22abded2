//! A client's session: requests one after the other, until it becomes a WebSocket or ends.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use embedded_io_async::{Read, Write};

use super::application::{Application, Handler, NoRoute, WebSocketHandler};
use super::events::Event;
use super::keep_alive::KeepAlive;
use super::websocket::{self, Frame};
use crate::http::{Connection, Head, Method, Refusal, Unread};

const TAG: &str = "httpd_uri";

/// The connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended;

impl From<Unread> for Ended {
    fn from(_: Unread) -> Self {
        Self
    }
}

/// What a client has become.
pub(super) struct Session {
    fd: u32,
    application: Application,
    websocket: Option<WebSocketHandler>,
}

impl Session {
    pub(super) fn new(fd: u32, application: Application) -> Self {
        Self {
            fd,
            application,
            websocket: None,
        }
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.is_some()
    }

    /// The client has closed.
    pub(super) fn lost(&self) {
        if self.is_websocket() {
            let text = "httpd_ws_get_frame_type: Failed to read header byte (socket FD invalid), closing socket now";
            log::warn!(target: websocket::TAG, "{text}");
        }
    }

    /// Sends a frame of the application's.
    pub(super) async fn push<S: Read + Write>(
        &self,
        connection: &mut Connection<S>,
        frame: &Frame,
    ) -> Result<(), Ended> {
        Ok(connection.send(&frame.encode()).await?)
    }

    /// Serves one request, or one frame, which has begun to come.
    pub(super) async fn process<S: Read + Write>(
        &mut self,
        connection: &mut Connection<S>,
        keep_alive: &KeepAlive,
    ) -> Result<(), Ended> {
        if let Some(handler) = self.websocket {
            let seen = || keep_alive.seen(self.fd);
            let tag = self.application.tag();
            return websocket::frame(connection, handler, tag, self.fd, seen).await;
        }
        let head = match connection.head().await {
            Ok(head) => head,
            Err(Unread::Gone) => return Err(Ended),
            Err(Unread::Refused(refusal)) => return refuse(connection, refusal).await,
        };
        Event::Header(self.fd).tell();
        let handler = match self.application.route(head.path(), head.method) {
            Ok(route) => route.handler,
            Err(none) => {
                let refusal = none.refusal(&head);
                if let (NoRoute::NotFound, Some((text, goes_on))) =
                    (none, self.application.not_found(head.path()))
                {
                    // The body is read over before the next request, as behind any handler.
                    tell(connection, refusal, text).await?;
                    return match goes_on {
                        true => Ok(connection.purge(head.body).await?),
                        false => Err(Ended),
                    };
                }
                return refuse(connection, refusal).await;
            }
        };
        let mut exchange = Exchange {
            connection,
            fd: self.fd,
            left: head.body,
        };
        let done = match handler {
            Handler::WebSocket(handler) => {
                if let Some(upgrade) = &head.upgrade {
                    let answer = websocket::shake_hands(upgrade, handler.subprotocol())?;
                    exchange.connection.send(answer.as_bytes()).await?;
                    self.websocket = Some(handler);
                }
                let tag = self.application.tag();
                log::info!(target: tag, "Handshake done, the new connection was opened");
                Ok(())
            }
            handler => exchange.handle(handler, &head).await,
        };
        if done.is_err() {
            log::warn!(target: TAG, "httpd_uri: uri handler execution failed");
            return Err(Ended);
        }
        let left = exchange.left;
        Ok(connection.purge(left).await?)
    }
}

impl NoRoute {
    fn refusal(self, head: &Head) -> Refusal {
        let uri = &head.uri;
        match self {
            Self::NotFound => {
                log::warn!(target: TAG, "httpd_uri: URI '{uri}' not found");
                Refusal::NotFound
            }
            Self::MethodNotAllowed => {
                let Method(number) = head.method;
                log::warn!(target: TAG, "httpd_uri: Method '{number}' not allowed for URI '{uri}'");
                Refusal::MethodNotAllowed
            }
        }
    }
}

/// Tells the client why there is no answer. The default error handlers close after that.
async fn refuse<S: Read + Write>(
    connection: &mut Connection<S>,
    refusal: Refusal,
) -> Result<(), Ended> {
    tell(connection, refusal, refusal.text()).await?;
    Err(Ended)
}

async fn tell<S: Read + Write>(
    connection: &mut Connection<S>,
    refusal: Refusal,
    text: &str,
) -> Result<(), Ended> {
    refusal.log(text);
    Event::Error(refusal.status()).tell();
    Ok(connection.send(&refusal.response(text)).await?)
}

/// One request and its answer, as a handler has them.
struct Exchange<'c, S> {
    connection: &'c mut Connection<S>,
    fd: u32,
    /// Bytes of the body that were not read yet.
    left: usize,
}

impl<S: Read + Write> Exchange<'_, S> {
    async fn handle(&mut self, handler: Handler, head: &Head) -> Result<(), Ended> {
        match handler {
            Handler::Page => self.respond(b"<h1>Hello Secure World!</h1>").await,
            Handler::Tail => {
                let tail = head.path().strip_prefix("/files/").unwrap_or_default();
                self.respond(tail.as_bytes()).await
            }
            Handler::Chunks => {
                self.begin_chunks().await?;
                for part in ["Hello ", "in ", "chunks"] {
                    self.chunk(part.as_bytes()).await?;
                }
                self.chunk(b"").await
            }
            Handler::Echo if head.body > Handler::LONGEST_ECHO => {
                refuse(self.connection, Refusal::ContentTooLarge).await
            }
            Handler::Echo => {
                let body = self.body().await?;
                self.respond(&body).await
            }
            Handler::Unread => self.respond(b"not read").await,
            Handler::Failing | Handler::WebSocket(_) => Err(Ended),
        }
    }

    /// `httpd_req_recv` until all has come.
    async fn body(&mut self) -> Result<Vec<u8>, Ended> {
        let body = self.connection.take(self.left).await?;
        self.left = 0;
        if !body.is_empty() {
            let (fd, length) = (self.fd, body.len());
            Event::Data { fd, length }.tell();
        }
        Ok(body)
    }

    /// `httpd_resp_send`.
    async fn respond(&mut self, body: &[u8]) -> Result<(), Ended> {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send_head(head).await?;
        self.connection.send(body).await?;
        self.sent(body.len());
        Ok(())
    }

    async fn begin_chunks(&mut self) -> Result<(), Ended> {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
        self.send_head(head.into()).await
    }

    /// `httpd_resp_send_chunk`; an empty one is the last.
    async fn chunk(&mut self, part: &[u8]) -> Result<(), Ended> {
        let mut bytes = format!("{:x}\r\n", part.len()).into_bytes();
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
        self.connection.send(&bytes).await?;
        self.sent(part.len());
        Ok(())
    }

    async fn send_head(&mut self, head: String) -> Result<(), Ended> {
        self.connection.send(head.as_bytes()).await?;
        Event::HeadersSent(self.fd).tell();
        Ok(())
    }

    fn sent(&self, length: usize) {
        let fd = self.fd;
        Event::SentData { fd, length }.tell();
    }
}
