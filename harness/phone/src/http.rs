//! An HTTP/1.1 client for one server: requests with a body, keep-alive, one cookie.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Dial, Stream, WireEnd};

/// Status line and headers of a response.
const LONGEST_HEAD: usize = 8 * 1024;
/// ESP-IDF's endpoints answer with far less.
const LONGEST_BODY: usize = 64 * 1024;
const MOST_HEADERS: usize = 32;

/// A client of one server.
pub(crate) struct HttpClient {
    dial: Arc<dyn Dial>,
    to: SocketAddrV4,
    clock: Clock,
    limit: Duration,
    connection: Option<Box<dyn Stream>>,
    /// What the server set last, such as `session=123`.
    cookie: Option<String>,
    /// Whether the last answer set the cookie with which it was asked.
    set_again: bool,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// HTTP status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection came about.
    #[error("failed to connect to {to}")]
    Connect {
        /// The server.
        to: SocketAddrV4,
        /// Underlying error.
        source: io::Error,
    },
    /// The connection was closed or reset before any byte of a response.
    #[error("{to} closed the connection without a response")]
    Closed {
        /// The server.
        to: SocketAddrV4,
    },
    /// The phone is not on the server's network any more.
    #[error("the network was lost on the way to {to}")]
    Gone {
        /// The server.
        to: SocketAddrV4,
    },
    /// The connection ended in the middle of a response.
    #[error("{to} ended the connection in the middle of its response")]
    Cut {
        /// The server.
        to: SocketAddrV4,
    },
    /// Nothing came in time.
    #[error("{to} did not respond within {limit:?}")]
    Timeout {
        /// The server.
        to: SocketAddrV4,
        /// How long was waited, in lab time.
        limit: Duration,
    },
    /// What came is no HTTP response, or one that is too long.
    #[error("{to} sent bytes that are no HTTP response: {reason}")]
    Malformed {
        /// The server.
        to: SocketAddrV4,
        /// What is wrong with it.
        reason: String,
    },
    /// The server says that it did not do it.
    #[error("{to} answered with HTTP status {status}")]
    Status {
        /// The server.
        to: SocketAddrV4,
        /// HTTP status code.
        status: u16,
    },
}

impl HttpError {
    fn broken(to: SocketAddrV4, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NetworkDown => Self::Gone { to },
            _ => Self::Closed { to },
        }
    }
}

impl HttpClient {
    pub(crate) fn new(
        dial: Arc<dyn Dial>,
        to: SocketAddrV4,
        clock: Clock,
        limit: Duration,
    ) -> Self {
        Self {
            dial,
            to,
            clock,
            limit,
            connection: None,
            cookie: None,
            set_again: false,
        }
    }

    /// What the server set last, such as `session=123`.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Whether the last answer set the cookie with which it was asked.
    pub(crate) fn cookie_was_set_again(&self) -> bool {
        self.set_again
    }

    /// Forgets connection and cookie.
    pub(crate) fn forget(&mut self) {
        self.connection = None;
        self.cookie = None;
        self.set_again = false;
    }

    /// Sends a request and waits for its response.
    ///
    /// A request is never sent twice: a device that lost only the response would be put out of step
    /// with the session's cipher.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Response, HttpError> {
        let request = self.request("POST", path, content_type, "", body);
        self.send(&request).await
    }

    /// Sends a request that was made by [`request`](Self::request).
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Response, HttpError> {
        let clock = self.clock.clone();
        let limit = self.limit;
        clock
            .timeout(limit, self.exchange(request))
            .await
            .unwrap_or(Err(HttpError::Timeout { to: self.to, limit }))
    }

    /// Sends bytes over a connection of their own, in pieces with a pause between them, and listens for so long
    /// after the last.
    pub(crate) async fn wire(
        &mut self,
        bytes: &[u8],
        (piece, pause): (usize, Duration),
        within: Duration,
    ) -> Result<WireEnd, HttpError> {
        let to = self.to;
        let mut stream = self
            .dial
            .tcp(to)
            .await
            .map_err(|source| HttpError::Connect { to, source })?;
        let mut end = WireEnd {
            received: Vec::new(),
            is_closed: false,
        };
        for piece in bytes.chunks(piece.max(1)) {
            self.clock.touch();
            if write(&mut stream, piece).await.is_err() {
                // What it has said before is still there to be read.
                break;
            }
            self.clock.sleep(pause).await;
        }
        let listening = async {
            while end.received.len() < LONGEST_BODY {
                match stream.read_buf(&mut end.received).await {
                    Ok(1..) => self.clock.touch(),
                    Ok(0) | Err(_) => {
                        end.is_closed = true;
                        return;
                    }
                }
            }
        };
        // Silence until then is an answer, too.
        let _ = self.clock.timeout(within, listening).await;
        Ok(end)
    }

    /// A request; `more` are headers on top, each with its line end.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        more: &str,
        body: &[u8],
    ) -> Vec<u8> {
        let cookie = match &self.cookie {
            // Alone and without attributes: ESP-IDF reads it into a buffer of 20 bytes.
            Some(cookie) => format!("Cookie: {cookie}\r\n"),
            None => String::new(),
        };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\n\
             Host: {host}\r\n\
             Content-Type: {content_type}\r\n\
             Accept: text/plain\r\n\
             {cookie}\
             {more}\
             Content-Length: {length}\r\n\r\n",
            host = self.to,
            length = body.len(),
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Response, HttpError> {
        // Kept only after a whole response, so that nothing left over is ever taken for another.
        let mut stream = self.connect().await?;
        let to = self.to;
        // A connection that was reset is as good as closed: which of them it is depends on whether
        // the server had read everything.
        if let Err(error) = write(&mut stream, request).await {
            return Err(HttpError::broken(to, &error));
        }
        self.clock.touch();

        let mut received = Vec::with_capacity(1024);
        let head = loop {
            if let Some(head) = Head::parse(&received).map_err(|reason| self.malformed(reason))? {
                break head;
            }
            if received.len() > LONGEST_HEAD {
                return Err(self.malformed("its head does not end"));
            }
            self.read(&mut stream, &mut received).await?;
        };
        let mut body = received.split_off(head.length);
        match head.body {
            Some(length) if length > LONGEST_BODY => {
                return Err(self.malformed("its body is too long"));
            }
            Some(length) => {
                while body.len() < length {
                    // Whatever happens now happens in the middle of a response.
                    self.read(&mut stream, &mut body)
                        .await
                        .map_err(|_| HttpError::Cut { to })?;
                }
                if body.len() > length {
                    return Err(self.malformed("its body is longer than it says"));
                }
            }
            None => self.read_to_end(&mut stream, &mut body).await?,
        }
        if head.body.is_some() && head.keep_alive {
            self.connection = Some(stream);
        }
        self.set_again = head.cookie.is_some() && head.cookie == self.cookie;
        if let Some(cookie) = head.cookie {
            self.cookie = Some(cookie);
        }
        Ok(Response {
            status: head.status,
            body,
        })
    }

    /// The kept connection, if its peer still holds it, or a new one.
    async fn connect(&mut self) -> Result<Box<dyn Stream>, HttpError> {
        if let Some(mut stream) = self.connection.take() {
            let mut byte = [0];
            // Pending is the only sign of a connection on which nothing has happened.
            if stream.read(&mut byte).now_or_never().is_none() {
                return Ok(stream);
            }
        }
        let to = self.to;
        let stream = self
            .dial
            .tcp(to)
            .await
            .map_err(|source| HttpError::Connect { to, source })?;
        self.clock.touch();
        Ok(stream)
    }

    async fn read(
        &mut self,
        stream: &mut Box<dyn Stream>,
        received: &mut Vec<u8>,
    ) -> Result<(), HttpError> {
        let nothing_yet = received.is_empty();
        match stream.read_buf(received).await {
            Ok(0) if nothing_yet => Err(HttpError::Closed { to: self.to }),
            Err(error) if nothing_yet => Err(HttpError::broken(self.to, &error)),
            Ok(0) | Err(_) => Err(HttpError::Cut { to: self.to }),
            Ok(_) => {
                self.clock.touch();
                Ok(())
            }
        }
    }

    async fn read_to_end(
        &mut self,
        stream: &mut Box<dyn Stream>,
        body: &mut Vec<u8>,
    ) -> Result<(), HttpError> {
        loop {
            match stream.read_buf(body).await {
                Ok(0) => return Ok(()),
                Ok(_) if body.len() > LONGEST_BODY => {
                    return Err(self.malformed("its body is too long"));
                }
                Ok(_) => self.clock.touch(),
                Err(_) => return Err(HttpError::Cut { to: self.to }),
            }
        }
    }

    fn malformed(&self, reason: impl Into<String>) -> HttpError {
        HttpError::Malformed {
            to: self.to,
            reason: reason.into(),
        }
    }
}

async fn write(stream: &mut Box<dyn Stream>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Status line and headers.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    /// Its bytes, with the empty line at the end.
    length: usize,
    status: u16,
    /// Content-Length, if there is one.
    body: Option<usize>,
    keep_alive: bool,
    cookie: Option<String>,
}

impl Head {
    /// The head at the beginning of `bytes`, or none if it is not complete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let mut head = Self {
            length,
            status: response.code.unwrap_or_default(),
            body: None,
            keep_alive: response.version == Some(1),
            cookie: None,
        };
        for header in response.headers.iter() {
            let value = std::str::from_utf8(header.value)
                .map_err(|_| format!("{} is no text", header.name))?
                .trim();
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = value
                    .parse()
                    .map_err(|_| format!("Content-Length is {value:?}"))?;
                head.body = Some(length);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(format!("Transfer-Encoding {value:?} is not understood"));
            } else if header.name.eq_ignore_ascii_case("connection") {
                head.keep_alive = !value.eq_ignore_ascii_case("close");
            } else if header.name.eq_ignore_ascii_case("set-cookie") {
                let pair = value.split(';').next().unwrap_or_default();
                head.cookie = Some(pair.trim().to_owned());
            }
        }
        Ok(Some(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_head_says_what_its_headers_say() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\
            Set-Cookie: session=42; Path=/\r\n\r\nhello";
        let head = Head::parse(bytes).unwrap().unwrap();
        assert_eq!(
            head,
            Head {
                length: bytes.len() - 5,
                status: 200,
                body: Some(5),
                keep_alive: true,
                cookie: Some("session=42".into()),
            }
        );
    }

    #[test]
    fn a_head_that_nobody_can_trust_is_refused() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "NOT HTTP\r\n\r\n",
        ] {
            assert!(Head::parse(head.as_bytes()).is_err(), "{head}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Head::parse(&bytes);
        }

        #[test]
        fn a_cut_head_is_incomplete(cut in 0_usize..60) {
            let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n";
            prop_assume!(cut < whole.len());
            prop_assert_eq!(Head::parse(&whole[..cut]), Ok(None));
        }
    }
}
