//! HTTP/1.1 as far as protocomm needs it: requests from bytes, bytes of responses.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest request line and header fields together, in bytes.
pub(crate) const MAX_HEAD: usize = 1024;
/// Longest body, in bytes (ESP-IDF 5.5 `protocomm_httpd.c`).
pub(crate) const MAX_BODY: usize = 4096;
const MAX_FIELDS: usize = 24;

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Method.
    pub(crate) method: String,
    /// Path without query.
    pub(crate) path: String,
    /// Value of the Cookie field.
    pub(crate) cookie: Option<Vec<u8>>,
    /// Length of the body, 0 if none is told.
    pub(crate) body: usize,
    /// Whether the client wants to go on with this connection.
    pub(crate) keep_alive: bool,
    /// Bytes that the head took.
    pub(crate) length: usize,
}

/// Bytes that are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// Not the syntax of HTTP/1.1.
    Syntax,
    /// A head longer than [`MAX_HEAD`], or of too many fields.
    TooLong,
}

impl Head {
    /// The head at the beginning of `bytes`, or none while it has not come whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, BadRequest> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() >= MAX_HEAD => {
                return Err(BadRequest::TooLong);
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::TooLong),
            Err(_) => return Err(BadRequest::Syntax),
        };
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(BadRequest::Syntax);
        };
        let field = |name: &str| {
            request
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
        };
        let body = match field("content-length") {
            Some(value) => decimal(value).ok_or(BadRequest::Syntax)?,
            None => 0,
        };
        let keep_alive = match field("connection") {
            Some(value) if value.eq_ignore_ascii_case(b"close") => false,
            Some(value) if value.eq_ignore_ascii_case(b"keep-alive") => true,
            _ => request.version == Some(1),
        };
        Ok(Some(Self {
            method: method.into(),
            path: target.split('?').next().unwrap_or_default().into(),
            cookie: field("cookie").map(<[u8]>::to_vec),
            body,
            keep_alive,
            length,
        }))
    }
}

fn decimal(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(value).ok()?.parse().ok()
}

/// The bytes of a successful response, as ESP-IDF's server spells them.
pub(crate) fn success(body: &[u8], session: Option<u32>) -> Vec<u8> {
    let cookie = session.map_or(String::new(), |id| format!("Set-Cookie: session={id}\r\n"));
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n{cookie}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// What a client may be told instead of success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400.
    BadRequest,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 408.
    Timeout,
    /// 431.
    HeadTooLong,
}

impl Refusal {
    /// The bytes of the response; the texts are those of ESP-IDF 5.5 `httpd_txrx.c`.
    pub(crate) fn response(self) -> Vec<u8> {
        let (status, text) = match self {
            Self::BadRequest => ("400 Bad Request", "Bad request syntax"),
            Self::NotFound => ("404 Not Found", "Nothing matches the given URI"),
            Self::MethodNotAllowed => (
                "405 Method Not Allowed",
                "Specified method is invalid for this resource",
            ),
            Self::Timeout => ("408 Request Timeout", "Server closed this connection"),
            Self::HeadTooLong => (
                "431 Request Header Fields Too Large",
                "Header fields are too long",
            ),
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .into_bytes()
    }
}

impl From<BadRequest> for Refusal {
    fn from(bad: BadRequest) -> Self {
        match bad {
            BadRequest::Syntax => Self::BadRequest,
            BadRequest::TooLong => Self::HeadTooLong,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    const ESP_PROV: &str = "POST /prov-session HTTP/1.1\r\nHost: 192.168.4.1:80\r\n\
        Accept-Encoding: identity\r\nContent-Length: 4\r\nCookie: session=17\r\n\
        Content-type: application/x-www-form-urlencoded\r\nAccept: text/plain\r\n\r\n";

    #[test]
    fn a_request_of_esp_prov_is_read() {
        let head = Head::parse(ESP_PROV.as_bytes()).unwrap().unwrap();
        assert_eq!(head.method, "POST");
        assert_eq!(head.path, "/prov-session");
        assert_eq!(head.cookie.as_deref(), Some(&b"session=17"[..]));
        assert_eq!(head.body, 4);
        assert!(head.keep_alive);
        assert_eq!(head.length, ESP_PROV.len());
    }

    #[test]
    fn a_request_is_awaited_until_its_head_is_whole() {
        for end in 0..ESP_PROV.len() {
            assert_eq!(Head::parse(&ESP_PROV.as_bytes()[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn bytes_behind_the_head_are_left_alone() {
        let longer = ESP_PROV.to_string() + "bodyPOST /";
        let head = Head::parse(longer.as_bytes()).unwrap().unwrap();
        assert_eq!(head.length, ESP_PROV.len());
    }

    #[test]
    fn a_query_is_no_part_of_the_path() {
        let head = Head::parse(b"GET /proto-ver?a=b HTTP/1.1\r\n\r\n");
        assert_eq!(head.unwrap().unwrap().path, "/proto-ver");
    }

    #[test]
    fn a_client_can_ask_to_close() {
        for (bytes, keep_alive) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], false),
            (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
            (b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n", false),
            (b"GET / HTTP/1.1\r\n\r\n", true),
        ] {
            assert_eq!(Head::parse(bytes).unwrap().unwrap().keep_alive, keep_alive);
        }
    }

    #[test]
    fn a_head_without_end_is_too_long() {
        let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
        while bytes.len() < MAX_HEAD {
            bytes.extend_from_slice(b"a: b\r\n");
        }
        assert_eq!(Head::parse(&bytes), Err(BadRequest::TooLong));
    }

    #[test]
    fn lengths_that_are_no_numbers_are_refused() {
        for length in ["-1", "+1", "1x", "", "99999999999999999999999"] {
            let bytes = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(Head::parse(bytes.as_bytes()), Err(BadRequest::Syntax));
        }
    }

    #[test]
    fn a_response_carries_length_type_and_cookie() {
        assert_eq!(
            success(b"ab", Some(7)),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\
              Set-Cookie: session=7\r\n\r\nab"
        );
        assert_eq!(
            success(b"", None),
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
            if let Ok(Some(head)) = Head::parse(&bytes) {
                prop_assert!(head.length <= bytes.len());
            }
        }

        #[test]
        fn a_damaged_request_is_answered_without_panic(at in 0..ESP_PROV.len(), byte: u8) {
            let mut bytes = ESP_PROV.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(Some(head)) = Head::parse(&bytes) {
                prop_assert!(head.length <= bytes.len());
            }
        }
    }
}
