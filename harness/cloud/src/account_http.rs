//! HTTP/1.1, as much of it as the account APIs of the clouds need.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use clock::Clock;

use crate::tls::Tap;

/// Request line and headers together, in bytes.
const LONGEST_HEAD: usize = 8 << 10;
/// A bind and a claim have less than 300 bytes.
const LONGEST_BODY: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
const MOST_CONNECTIONS: usize = 64;
/// For a whole request, in the time that the client lives in.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a cloud does for the users of its devices. Requests come one after the other on each
/// connection, and from several connections at once; an answer must not wait.
pub(crate) trait AccountApi: Send + Sync + 'static {
    /// The lab's clock.
    fn clock(&self) -> &Clock;

    /// Answers one request.
    fn answer(&self, request: &Request) -> Response;
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without its query.
    pub(crate) path: String,
    /// `X-Authorization`, as ThingsBoard has it.
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
    keep_alive: bool,
}

/// Its answer, in JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) body: Vec<u8>,
}

/// An API that is being served on loopback, until it is dropped.
pub(crate) struct AccountServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl AccountServer {
    /// Listens on a free port.
    pub(crate) async fn start<A: AccountApi>(api: Arc<A>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, api));
        Ok(Self { address, task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for AccountServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<A: AccountApi>(listener: TcpListener, api: Arc<A>) {
    let clock = api.clock().clone();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            clock.sleep(Duration::from_millis(100)).await;
            continue;
        };
        clock.touch();
        let _ = stream.set_nodelay(true);
        // Above the bound a connection is closed at once, which is an answer too.
        let Ok(place) = room.clone().try_acquire_owned() else {
            continue;
        };
        let tap = Tap::new(stream, peer, clock.clone());
        let api = api.clone();
        connections.spawn(async move {
            let _place = place;
            // A phone that goes away in the middle needs no answer.
            let _ = talk(tap, &*api).await;
        });
    }
}

async fn talk(mut tap: Tap, api: &dyn AccountApi) -> io::Result<()> {
    let clock = api.clock();
    let mut buffer = Vec::new();
    loop {
        let request = clock
            .timeout_for(tap.peer(), PATIENCE, receive(&mut tap, &mut buffer))
            .await;
        let request = match request {
            Ok(request) => request?,
            Err(_) if buffer.is_empty() => return Ok(()),
            Err(_) => Received::Bad(408, "Request Timeout"),
        };
        match request {
            Received::End => return Ok(()),
            Received::Bad(status, reason) => {
                respond(&mut tap, status, reason, b"{}", false).await?;
                return close(tap, clock).await;
            }
            Received::Request(request) => {
                let Response {
                    status,
                    reason,
                    body,
                } = api.answer(&request);
                respond(&mut tap, status, reason, &body, request.keep_alive).await?;
                if !request.keep_alive {
                    return close(tap, clock).await;
                }
            }
        }
    }
}

enum Received {
    Request(Request),
    /// Status and reason; the connection cannot be used any more.
    Bad(u16, &'static str),
    End,
}

/// Reads one request; what came behind it stays in `buffer`.
async fn receive(tap: &mut Tap, buffer: &mut Vec<u8>) -> io::Result<Received> {
    let (head, mut request, length) = loop {
        match read_head(buffer) {
            Head::Whole {
                head,
                request,
                length,
            } => break (head, request, length),
            Head::Bad(status, reason) => return Ok(Received::Bad(status, reason)),
            Head::Partial if buffer.len() >= LONGEST_HEAD => {
                return Ok(Received::Bad(431, "Request Header Fields Too Large"));
            }
            Head::Partial => {}
        }
        if tap.read_buf(buffer).await? == 0 {
            return Ok(Received::End);
        }
    };
    while buffer.len() < head + length {
        if tap.read_buf(buffer).await? == 0 {
            return Ok(Received::End);
        }
    }
    request.body = buffer[head..head + length].to_vec();
    buffer.drain(..head + length);
    Ok(Received::Request(request))
}

enum Head {
    Partial,
    Bad(u16, &'static str),
    Whole {
        /// Its length in bytes.
        head: usize,
        request: Request,
        /// Length of the body.
        length: usize,
    },
}

fn read_head(buffer: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(&buffer[..buffer.len().min(LONGEST_HEAD)]) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Head::Partial,
        Err(httparse::Error::TooManyHeaders) => {
            return Head::Bad(431, "Request Header Fields Too Large");
        }
        Err(_) => return Head::Bad(400, "Bad Request"),
    };
    let header = |name: &str| {
        parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    let method = parsed.method.unwrap_or_default().to_owned();
    if header("transfer-encoding").is_some() {
        return Head::Bad(411, "Length Required");
    }
    let length = match header("content-length").map(|length| length.parse::<usize>()) {
        Some(Ok(length)) if length <= LONGEST_BODY => length,
        Some(Ok(_)) => return Head::Bad(413, "Content Too Large"),
        Some(Err(_)) => return Head::Bad(400, "Bad Request"),
        None if method == "POST" => return Head::Bad(411, "Length Required"),
        None => 0,
    };
    let wish = header("connection").unwrap_or_default();
    let keep_alive = match parsed.version {
        Some(1) => !wish.eq_ignore_ascii_case("close"),
        _ => wish.eq_ignore_ascii_case("keep-alive"),
    };
    let path = parsed.path.unwrap_or_default();
    Head::Whole {
        head,
        length,
        request: Request {
            authorization: header("x-authorization"),
            method,
            path: path.split('?').next().unwrap_or_default().to_owned(),
            body: Vec::new(),
            keep_alive,
        },
    }
}

async fn respond(
    tap: &mut Tap,
    status: u16,
    reason: &str,
    body: &[u8],
    keep_alive: bool,
) -> io::Result<()> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let mut response = format!(
        "HTTP/1.1 {status} {reason}\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\
         Connection: {connection}\r\n\r\n",
        length = body.len(),
    )
    .into_bytes();
    response.extend_from_slice(body);
    tap.write_all(&response).await
}

/// Ends a connection so that the response arrives although more may come in.
async fn close(mut tap: Tap, clock: &Clock) -> io::Result<()> {
    tap.shutdown().await?;
    let peer = tap.peer();
    let draining = async {
        let mut scratch = [0; 1024];
        for _ in 0..64 {
            if !matches!(tap.read(&mut scratch).await, Ok(1..)) {
                return;
            }
        }
    };
    let _ = clock
        .timeout_for(peer, Duration::from_secs(2), draining)
        .await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_head_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_head(&bytes);
        }

        #[test]
        fn any_header_can_be_read(name in "[A-Za-z-]{1,20}", value in "[ -~]{0,40}") {
            let head = format!("POST /x HTTP/1.1\r\n{name}: {value}\r\n\r\n");
            let _ = read_head(head.as_bytes());
        }
    }
}
