//! HTTP/1.1 as `esp_http_server` speaks it: requests from bytes, bytes of responses.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest block of header fields, in bytes (ESP-IDF `CONFIG_HTTPD_MAX_REQ_HDR_LEN`).
pub(crate) const MAX_FIELD_BYTES: usize = 1024;
/// Longest request line and header fields together, in bytes: method, URI, version, line ends.
pub(crate) const MAX_HEAD: usize = 64 + MAX_URI + MAX_FIELD_BYTES;
/// Longest body, in bytes (ESP-IDF 5.5 `protocomm_httpd.c`).
pub(crate) const MAX_BODY: usize = 4096;
/// Longest URI, in bytes (ESP-IDF `CONFIG_HTTPD_MAX_URI_LEN`).
pub(crate) const MAX_URI: usize = 512;
const MAX_FIELDS: usize = 48;

/// Methods by their numbers in Node's `http_parser`, which ESP-IDF logs. CONNECT is 5, but no path
/// can be asked for with it.
const METHODS: [&str; 34] = [
    "DELETE",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "",
    "OPTIONS",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "BIND",
    "REBIND",
    "UNBIND",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PATCH",
    "PURGE",
    "MKCALENDAR",
    "LINK",
    "UNLINK",
    "SOURCE",
];

/// A method, by its number in `http_parser`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method(pub(crate) usize);

impl Method {
    pub(crate) const GET: Self = Self(1);
    pub(crate) const POST: Self = Self(3);

    fn named(name: &[u8]) -> Option<Self> {
        let mut names = METHODS.iter();
        let number = names.position(|known| !known.is_empty() && known.as_bytes() == name)?;
        Some(Self(number))
    }
}

/// The head of a request. The version and the Connection field are not read: ESP-IDF's server keeps
/// every connection open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Method.
    pub(crate) method: Method,
    /// What is asked for, with its query.
    pub(crate) uri: String,
    /// Value of the Cookie field.
    pub(crate) cookie: Option<Vec<u8>>,
    /// What it says of a WebSocket, if it asks for one.
    pub(crate) upgrade: Option<Upgrade>,
    /// Length of the body, 0 if none is told.
    pub(crate) body: usize,
    /// Bytes that the head took.
    pub(crate) length: usize,
}

/// The fields of a request for a WebSocket (RFC 6455 §4.1), unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// Sec-WebSocket-Version.
    pub(crate) version: Option<Vec<u8>>,
    /// Sec-WebSocket-Key.
    pub(crate) key: Option<Vec<u8>>,
    /// Sec-WebSocket-Protocol.
    pub(crate) protocols: Option<Vec<u8>>,
}

/// Bytes that are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// Not the syntax of HTTP/1.1.
    Syntax,
    /// Another version of HTTP.
    Version,
    /// A URI longer than [`MAX_URI`]; so much of it has come.
    UriTooLong(usize),
    /// Header fields longer than [`MAX_FIELD_BYTES`], or too many.
    TooLong,
}

impl Head {
    /// The head at the beginning of `bytes`, or none while it has not come whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, BadRequest> {
        let Some(method) = begin(bytes)? else {
            return Ok(None);
        };
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial)
                if bytes.len() >= MAX_HEAD || field_bytes(bytes) > MAX_FIELD_BYTES =>
            {
                return Err(BadRequest::TooLong);
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::TooLong),
            Err(httparse::Error::Version) if names_a_version(bytes) => {
                return Err(BadRequest::Version);
            }
            Err(_) => return Err(BadRequest::Syntax),
        };
        // The empty line is none of the fields.
        if field_bytes(&bytes[..length]) > MAX_FIELD_BYTES + 2 {
            return Err(BadRequest::TooLong);
        }
        let uri = request.path.ok_or(BadRequest::Syntax)?;
        let fields = &request.headers[..];
        let values = |name| values_of(fields, name);
        let mut lengths = values("content-length");
        let body = match (lengths.next(), lengths.next()) {
            (None, _) => 0,
            (Some(value), None) => decimal(value).ok_or(BadRequest::Syntax)?,
            // Whether they agree or not.
            (Some(_), Some(_)) => return Err(BadRequest::Syntax),
        };
        Ok(Some(Self {
            method,
            uri: uri.into(),
            cookie: values("cookie").next().map(<[u8]>::to_vec),
            upgrade: upgrade(fields),
            body,
            length,
        }))
    }

    /// What is asked for, without its query.
    pub(crate) fn path(&self) -> &str {
        self.uri.split(['?', '#']).next().unwrap_or_default()
    }
}

/// Reads the method, once it has come, and looks how long the URI behind it is so far: the server
/// refuses those before the rest has come.
fn begin(bytes: &[u8]) -> Result<Option<Method>, BadRequest> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let line = bytes.iter().position(|byte| !is_end(byte));
    let line = line.map_or(&[][..], |start| &bytes[start..]);
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let (Some(method), Some(rest)) = (words.next(), words.next()) else {
        return match line.len() < MAX_HEAD && !line.iter().any(is_end) {
            true => Ok(None),
            false => Err(BadRequest::Syntax),
        };
    };
    let method = Method::named(method).ok_or(BadRequest::Syntax)?;
    let uri = rest
        .iter()
        .take_while(|byte| **byte != b' ' && !is_end(byte));
    match uri.count() {
        0..=MAX_URI => Ok(Some(method)),
        length => Err(BadRequest::UriTooLong(length)),
    }
}

/// How many of `bytes` stand behind the request line.
fn field_bytes(bytes: &[u8]) -> usize {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !is_end(byte));
    let line = start.map_or(&[][..], |start| &bytes[start..]);
    let end = line.iter().position(|byte| *byte == b'\n');
    end.map_or(0, |end| line.len() - end - 1)
}

/// The values of every field of this name.
fn values_of<'b>(
    fields: &'b [httparse::Header<'b>],
    name: &'static str,
) -> impl Iterator<Item = &'b [u8]> {
    let named = fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name));
    named.map(|field| field.value)
}

/// The fields of a WebSocket, where both fields that ask for one are there.
fn upgrade(fields: &[httparse::Header<'_>]) -> Option<Upgrade> {
    let has = |name, word: &str| {
        values_of(fields, name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let first = |name| values_of(fields, name).next().map(<[u8]>::to_vec);
    (has("upgrade", "websocket") && has("connection", "upgrade")).then(|| Upgrade {
        version: first("sec-websocket-version"),
        key: first("sec-websocket-key"),
        protocols: first("sec-websocket-protocol"),
    })
}

/// Whether the request line ends in a version of HTTP, with one digit on each side of the point.
fn names_a_version(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next();
    let Some([major, b'.', minor]) = version.and_then(|word| word.strip_prefix(b"HTTP/")) else {
        return false;
    };
    major.is_ascii_digit() && minor.is_ascii_digit()
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
    /// 413.
    ContentTooLarge,
    /// 414.
    UriTooLong,
    /// 431.
    HeadTooLong,
    /// 505.
    Version,
}

impl Refusal {
    /// Status and text, which are those of ESP-IDF 5.5 `httpd_txrx.c`.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("400 Bad Request", "Bad request syntax"),
            Self::NotFound => ("404 Not Found", "Nothing matches the given URI"),
            Self::MethodNotAllowed => (
                "405 Method Not Allowed",
                "Specified method is invalid for this resource",
            ),
            Self::Timeout => ("408 Request Timeout", "Server closed this connection"),
            Self::ContentTooLarge => ("413 Content Too Large", "Content is too large"),
            Self::UriTooLong => ("414 URI Too Long", "URI is too long"),
            Self::HeadTooLong => (
                "431 Request Header Fields Too Large",
                "Header fields are too long",
            ),
            Self::Version => (
                "505 Version Not Supported",
                "HTTP version not supported by server",
            ),
        }
    }

    /// The status line, without the version.
    pub(crate) fn status(self) -> &'static str {
        self.words().0
    }

    /// The text that the client is told, unless an application has another.
    pub(crate) fn text(self) -> &'static str {
        self.words().1
    }

    /// Logs what the client is told.
    pub(crate) fn log(self, text: &str) {
        let status = self.status();
        log::warn!(target: "httpd_txrx", "httpd_resp_send_err: {status} - {text}");
    }

    /// The bytes of the response.
    pub(crate) fn response(self, text: &str) -> Vec<u8> {
        let status = self.status();
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
            BadRequest::Version => Self::Version,
            BadRequest::UriTooLong(_) => Self::UriTooLong,
            BadRequest::TooLong => Self::HeadTooLong,
        }
    }
}

impl BadRequest {
    /// Logs what the parser says, as far as that does not depend on how the bytes came in.
    pub(crate) fn log(self) {
        if let Self::UriTooLong(length) = self {
            let tag = "httpd_parse";
            log::warn!(target: tag, "cb_url: URI length ({length}) greater than supported ({MAX_URI})");
            log::warn!(target: tag, "parse_block: parsing failed");
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
        assert_eq!(head.method, Method::POST);
        assert_eq!(head.uri, "/prov-session");
        assert_eq!(head.cookie.as_deref(), Some(&b"session=17"[..]));
        assert_eq!(head.body, 4);
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
        for rest in ["", "?a=b", "?", "#part", "?a=b#part"] {
            let uri = format!("/proto-ver{rest}");
            let request = format!("GET {uri} HTTP/1.1\r\n\r\n");
            let head = Head::parse(request.as_bytes()).unwrap().unwrap();
            assert_eq!((head.path(), &head.uri), ("/proto-ver", &uri));
        }
    }

    #[test]
    fn a_uri_is_too_long_as_soon_as_it_is() {
        let request = |length: usize| format!("POST /{} HTTP/1.1\r\n\r\n", "u".repeat(length - 1));
        let longest = request(512);
        assert!(matches!(Head::parse(longest.as_bytes()), Ok(Some(_))));
        let longer = request(513);
        let ended = Head::parse(longer.as_bytes());
        assert_eq!(ended, Err(BadRequest::UriTooLong(513)));
        // "POST " and 513 bytes.
        let begun = &longer.as_bytes()[..5 + 513];
        assert_eq!(Head::parse(begun), Err(BadRequest::UriTooLong(513)));
        assert_eq!(Head::parse(&begun[..5 + 512]), Ok(None));
    }

    #[test]
    fn a_body_has_one_length() {
        for (second, expected) in [
            ("", true),
            ("Content-Length: 4\r\n", false),
            ("content-length: 5\r\n", false),
        ] {
            let request = format!("POST / HTTP/1.1\r\nContent-Length: 4\r\n{second}\r\n");
            let head = Head::parse(request.as_bytes());
            match expected {
                true => assert_eq!(head.unwrap().unwrap().body, 4),
                false => assert_eq!(head, Err(BadRequest::Syntax), "{second}"),
            }
        }
    }

    #[test]
    fn methods_have_the_numbers_of_the_parser() {
        for (name, number) in [
            ("DELETE", 0),
            ("GET", 1),
            ("POST", 3),
            ("PUT", 4),
            ("PATCH", 28),
        ] {
            let request = format!("{name} / HTTP/1.1\r\n\r\n");
            let head = Head::parse(request.as_bytes()).unwrap().unwrap();
            assert_eq!(head.method, Method(number), "{name}");
        }
        for name in ["", "get", "BREW", "CONNECT", "P\u{f6}ST"] {
            let request = format!("{name} / HTTP/1.1\r\n\r\n");
            let head = Head::parse(request.as_bytes());
            assert_eq!(head, Err(BadRequest::Syntax), "{name}");
        }
    }

    #[test]
    fn another_version_of_http_is_told_apart_from_nonsense() {
        for (version, expected) in [
            ("HTTP/1.1", None),
            // ESP-IDF serves it.
            ("HTTP/1.0", None),
            ("HTTP/2.0", Some(BadRequest::Version)),
            ("HTTP/0.9", Some(BadRequest::Version)),
            ("HTTQ/1.1", Some(BadRequest::Syntax)),
            ("HTTP/1.x", Some(BadRequest::Syntax)),
        ] {
            let request = format!("GET / {version}\r\n\r\n");
            let head = Head::parse(request.as_bytes());
            assert_eq!(head.err(), expected, "{version}");
        }
    }

    #[test]
    fn a_request_for_a_websocket_needs_both_fields() {
        let head = |fields: &str| {
            let request = format!("GET /ws HTTP/1.1\r\n{fields}Sec-WebSocket-Version: 13\r\n\r\n");
            Head::parse(request.as_bytes()).unwrap().unwrap().upgrade
        };
        let asked = head("Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n").unwrap();
        assert_eq!(asked.version.as_deref(), Some(&b"13"[..]));
        assert_eq!(asked.key, None);
        for fields in [
            "",
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\n",
            "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        ] {
            assert_eq!(head(fields), None, "{fields}");
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

    #[test]
    fn header_fields_have_a_limit_of_their_own() {
        // 1024 bytes of fields with their ends; the line before them does not count.
        let request = |fields: usize| {
            let uri = "u".repeat(MAX_URI - 1);
            format!(
                "GET /{uri} HTTP/1.1\r\nA: {}\r\n\r\n",
                "a".repeat(fields - 5)
            )
        };
        let longest = request(MAX_FIELD_BYTES);
        assert!(matches!(Head::parse(longest.as_bytes()), Ok(Some(_))));
        let longer = request(MAX_FIELD_BYTES + 1);
        assert_eq!(Head::parse(longer.as_bytes()), Err(BadRequest::TooLong));
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
