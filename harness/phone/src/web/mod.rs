//! A client of a device's own web server: requests, TLS, WebSocket.
//!
//! It is a browser for tests: it says what was seen instead of mending it, keeps a connection only if
//! it is told to, and can misbehave. What it sees is on the trace.

mod response;
mod tls;
mod websocket;

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trace::Trace;
use trace::web::{WebClosed, WebResponse};

use crate::{Dial, Stream};
use response::Response;
pub use tls::{WebTls, WebTlsSessions};
pub use websocket::{Misbehaviour, Opcode, Opening, Seen, WebSocket};

/// Bytes of a body that are kept in a trace.
const KEPT: usize = 1024;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRequest {
    /// Method.
    pub method: String,
    /// What is asked for.
    pub path: String,
    /// Header fields, besides `Host` and the length of a body.
    pub fields: Vec<(String, String)>,
    /// Fills the fields up to so many bytes, their ends included, with one more.
    pub fields_length: Option<usize>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// No TCP connection came about.
    #[error("no connection to {to} came about")]
    Connect {
        /// The server.
        to: SocketAddrV4,
        /// Underlying error.
        source: io::Error,
    },
    /// The server has refused the TLS session.
    #[error("the server refused the TLS session with alert {alert}")]
    Refused {
        /// Number of its alert.
        alert: u8,
    },
    /// The server's certificate is no good.
    #[error("the server's certificate was refused: {reason}")]
    Distrusted {
        /// What is wrong with it.
        reason: String,
    },
    /// TLS failed otherwise.
    #[error("TLS failed: {reason}")]
    Tls {
        /// How.
        reason: String,
    },
    /// The connection was closed or reset before the answer was whole.
    #[error("the server closed the connection")]
    Closed,
    /// What came is no HTTP, or no WebSocket.
    #[error("the server sent bytes that make no sense: {0}")]
    Malformed(String),
    /// The client cannot do what it is told.
    #[error("failed to set up TLS: {0}")]
    SetUp(String),
}

/// An open connection to a server.
pub struct WebConnection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    host: String,
    phone: String,
    trace: Trace,
}

impl WebConnection {
    /// Opens a connection to `to`, with TLS if its settings are given.
    pub async fn open(
        dial: &Arc<dyn Dial>,
        to: SocketAddrV4,
        tls: Option<&WebTls>,
        phone: &str,
        trace: &Trace,
    ) -> Result<Self, WebError> {
        let connected = dial.tcp(to).await;
        let stream = connected.map_err(|source| WebError::Connect { to, source })?;
        trace.clock().touch();
        let (stream, host) = match tls {
            Some(tls) => (
                tls.open(stream, phone, trace).await?,
                tls.server_name.clone(),
            ),
            None => (stream, to.ip().to_string()),
        };
        Ok(Self {
            stream,
            received: Vec::new(),
            host,
            phone: phone.to_owned(),
            trace: trace.clone(),
        })
    }

    /// Sends a request and reads its answer.
    pub async fn request(&mut self, request: &WebRequest) -> Result<WebResponse, WebError> {
        let clock = self.trace.clock().clone();
        let began = clock.now();
        let WebRequest { method, path, .. } = request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in &request.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &request.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        if let Some(length) = request.fields_length {
            let line = format!("{method} {path} HTTP/1.1\r\n").len();
            let empty = "X-Filler: \r\n";
            let missing = (line + length).saturating_sub(head.len() + empty.len());
            head.push_str(&format!("X-Filler: {}\r\n", "x".repeat(missing)));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(request.body.as_deref().unwrap_or_default());
        // A server that refuses a request early closes while it is still being sent; its answer counts.
        let sent = self.send(&bytes).await;
        let answer = match (self.response(request.method == "HEAD").await, sent) {
            (Err(WebError::Closed), Err(error)) => return Err(self.ended(error)),
            (Err(error), _) => return Err(self.ended(error)),
            (Ok(answer), _) => answer,
        };
        let took = clock.now().since(began);
        Ok(self.answered(method, path, answer, took))
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), WebError> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let sent = sent.await;
        self.trace.clock().touch();
        sent.map_err(|error| tls::error_of(&error))
    }

    /// Waits until the server has closed; an answer that comes before is one that was not asked for,
    /// and is given.
    pub async fn closed(&mut self) -> Result<Option<WebResponse>, WebError> {
        match self.response(false).await {
            Ok(answer) => Ok(Some(self.answered("", "", answer, Duration::ZERO))),
            Err(WebError::Malformed(what)) => Err(WebError::Malformed(what)),
            Err(error) => {
                self.ended(error);
                Ok(None)
            }
        }
    }

    /// Asks for a WebSocket.
    pub async fn into_websocket(mut self, opening: &Opening) -> Result<WebSocket, WebError> {
        match websocket::shake_hands(&mut self, opening).await {
            Ok(()) => {}
            Err(error) => return Err(self.ended(error)),
        }
        Ok(WebSocket::start(
            self.stream,
            self.received,
            opening.answers_pings,
            &self.phone,
            &self.trace,
        ))
    }

    /// The next answer in what comes.
    async fn response(&mut self, is_headless: bool) -> Result<Response, WebError> {
        loop {
            let is_end = false;
            if let Some(answer) = Response::take(&mut self.received, is_headless, is_end)? {
                return Ok(answer);
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => {
                    let answer = Response::take(&mut self.received, is_headless, true)?;
                    return answer.ok_or(WebError::Closed);
                }
                Ok(_) => self.trace.clock().touch(),
                Err(error) => return Err(tls::error_of(&error)),
            }
        }
    }

    /// Tells the trace of an answer.
    fn answered(&self, method: &str, path: &str, answer: Response, took: Duration) -> WebResponse {
        let kept = &answer.body[..answer.body.len().min(KEPT)];
        let seen = WebResponse {
            phone: self.phone.clone(),
            method: method.to_owned(),
            path: path.chars().take(KEPT).collect(),
            version: answer.version,
            status: answer.status,
            reason: answer.reason,
            fields: answer.fields,
            body: String::from_utf8_lossy(kept).into_owned(),
            length: answer.body.len() as u64,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        self.trace.emit(None, &seen);
        seen
    }

    /// The connection is over.
    fn ended(&self, error: WebError) -> WebError {
        let closed = WebClosed {
            phone: self.phone.clone(),
            how: error.to_string(),
        };
        self.trace.emit(None, &closed);
        error
    }
}
