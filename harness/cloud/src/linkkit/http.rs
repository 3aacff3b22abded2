//! HTTP/1.1, as much of it as the bind API needs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::service::Shared;
use crate::tls::Tap;

/// Request line and headers together, in bytes.
const LONGEST_HEAD: usize = 8 << 10;
/// A bind has less than 300 bytes.
const LONGEST_BODY: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
const MOST_CONNECTIONS: usize = 64;
/// For a whole request, in the time that the client lives in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the bind API on `listener` until it is aborted.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let clock = shared.trace.clock().clone();
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
        let shared = shared.clone();
        connections.spawn(async move {
            let _place = place;
            // A phone that goes away in the middle needs no answer.
            let _ = talk(tap, &shared).await;
        });
    }
}

async fn talk(mut tap: Tap, shared: &Shared) -> io::Result<()> {
    let clock = shared.trace.clock();
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
                return close(tap, shared).await;
            }
            Received::Request(request) => {
                let (status, reason, body) = answer(shared, &request);
                respond(&mut tap, status, reason, &body, request.keep_alive).await?;
                if !request.keep_alive {
                    return close(tap, shared).await;
                }
            }
        }
    }
}

struct Request {
    is_post: bool,
    path: String,
    body: Vec<u8>,
    keep_alive: bool,
}

enum Received {
    Request(Request),
    /// Status and reason; the connection cannot be used any more.
    Bad(u16, &'static str),
    End,
}

fn answer(shared: &Shared, request: &Request) -> (u16, &'static str, Vec<u8>) {
    let reply = match request.is_post {
        true => shared.call(&request.path, &request.body),
        false => return (405, "Method Not Allowed", b"{}".to_vec()),
    };
    let (status, reason, reply) = match reply {
        Some(reply) => (200, "OK", reply),
        None => {
            let code = super::codes::NOT_FOUND;
            let reply = super::BindReply {
                code,
                message: super::codes::message(code).to_owned(),
                data: serde_json::json!({}),
            };
            (404, "Not Found", reply)
        }
    };
    // Numbers and texts can always be written.
    (
        status,
        reason,
        serde_json::to_vec(&reply).unwrap_or_default(),
    )
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
    let is_post = parsed.method == Some("POST");
    if header("transfer-encoding").is_some() {
        return Head::Bad(411, "Length Required");
    }
    let length = match header("content-length").map(|length| length.parse::<usize>()) {
        Some(Ok(length)) if length <= LONGEST_BODY => length,
        Some(Ok(_)) => return Head::Bad(413, "Content Too Large"),
        Some(Err(_)) => return Head::Bad(400, "Bad Request"),
        None if is_post => return Head::Bad(411, "Length Required"),
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
            is_post,
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
async fn close(mut tap: Tap, shared: &Shared) -> io::Result<()> {
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
    let _ = shared
        .trace
        .clock()
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
