//! Responses from bytes.

use std::collections::BTreeMap;

use super::WebError;

/// Status line and header fields.
const LONGEST_HEAD: usize = 8 * 1024;
const LONGEST_BODY: usize = 1024 * 1024;
const MOST_FIELDS: usize = 32;
/// Longest line that tells the length of a chunk.
const LONGEST_LINE: usize = 256;

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Response {
    /// Such as `1.1`.
    pub(super) version: String,
    pub(super) status: u16,
    pub(super) reason: String,
    /// By their names in lower case.
    pub(super) fields: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// How the body of a response ends.
enum Body {
    Of(usize),
    Chunks,
    /// With the connection.
    Rest,
}

impl Response {
    /// Takes a response from the beginning of `bytes`, or nothing while it is not whole. `is_end` says
    /// that no more comes; `is_headless` that it has no body, as that of HEAD.
    pub(super) fn take(
        bytes: &mut Vec<u8>,
        is_headless: bool,
        is_end: bool,
    ) -> Result<Option<Self>, WebError> {
        let Some((length, mut response)) = Self::head(bytes)? else {
            return Ok(None);
        };
        let behind = &bytes[length..];
        let end = match response.body_ends(is_headless)? {
            Body::Of(size) if behind.len() < size => return Ok(None),
            Body::Of(size) => {
                response.body = behind[..size].to_vec();
                size
            }
            Body::Chunks => match chunks(behind)? {
                Some((body, size)) => {
                    response.body = body;
                    size
                }
                None => return Ok(None),
            },
            Body::Rest if is_end => {
                response.body = behind.to_vec();
                behind.len()
            }
            Body::Rest if behind.len() > LONGEST_BODY => return Err(too_long("body")),
            Body::Rest => return Ok(None),
        };
        bytes.drain(..length + end);
        Ok(Some(response))
    }

    /// Status line and fields, and how long they are.
    pub(super) fn head(bytes: &[u8]) -> Result<Option<(usize, Self)>, WebError> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() > LONGEST_HEAD => {
                return Err(too_long("head"));
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(WebError::Malformed(error.to_string())),
        };
        let fields = head.headers.iter().map(|field| {
            let value = String::from_utf8_lossy(field.value).trim().to_owned();
            (field.name.to_ascii_lowercase(), value)
        });
        let response = Self {
            version: format!("1.{}", head.version.unwrap_or_default()),
            status: head.code.unwrap_or_default(),
            reason: head.reason.unwrap_or_default().to_owned(),
            fields: fields.collect(),
            body: Vec::new(),
        };
        Ok(Some((length, response)))
    }

    fn body_ends(&self, is_headless: bool) -> Result<Body, WebError> {
        if is_headless || self.status == 204 || (100..200).contains(&self.status) {
            return Ok(Body::Of(0));
        }
        if let Some(coding) = self.fields.get("transfer-encoding") {
            return match coding.eq_ignore_ascii_case("chunked") {
                true => Ok(Body::Chunks),
                false => Err(WebError::Malformed(format!("Transfer-Encoding {coding:?}"))),
            };
        }
        match self.fields.get("content-length").map(|text| text.parse()) {
            Some(Ok(length)) if length > LONGEST_BODY => Err(too_long("body")),
            Some(Ok(length)) => Ok(Body::Of(length)),
            Some(Err(_)) => Err(WebError::Malformed("Content-Length is no number".into())),
            None => Ok(Body::Rest),
        }
    }
}

/// A body of chunks and the bytes that they take, or nothing while it is not whole.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, WebError> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = &bytes[at..];
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            return match rest.len() > LONGEST_LINE {
                true => Err(too_long("length of a chunk")),
                false => Ok(None),
            };
        };
        let line = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .ok()
            .filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(size) = size else {
            return Err(WebError::Malformed(format!("a chunk of length {line:?}")));
        };
        if size > LONGEST_BODY || body.len() + size > LONGEST_BODY {
            return Err(too_long("body"));
        }
        let start = at + end + 2;
        let Some(part) = bytes.get(start..start + size + 2) else {
            return Ok(None);
        };
        if !part.ends_with(b"\r\n") {
            return Err(WebError::Malformed(
                "a chunk does not end where it says".into(),
            ));
        }
        body.extend_from_slice(&part[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn too_long(what: &str) -> WebError {
    WebError::Malformed(format!("its {what} is too long"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take(text: &str, is_end: bool) -> Result<Option<Response>, WebError> {
        Response::take(&mut text.as_bytes().to_vec(), false, is_end)
    }

    #[test]
    fn a_body_has_its_length() {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1".to_vec();
        let answer = Response::take(&mut bytes, false, false).unwrap().unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"ab"[..]));
        assert_eq!(bytes, b"HTTP/1.1");
    }

    #[test]
    fn chunks_are_put_together() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n";
        let answer = take(text, false).unwrap().unwrap();
        assert_eq!(answer.body, b"abc0123456789");
        for end in 0..text.len() {
            assert!(take(&text[..end], false).unwrap().is_none(), "{end}");
        }
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        let text = "HTTP/1.1 200 OK\r\n\r\nabc";
        assert!(take(text, false).unwrap().is_none());
        assert_eq!(take(text, true).unwrap().unwrap().body, b"abc");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "NOT HTTP\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        ] {
            assert!(take(text, false).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(
            start in prop_oneof![
                Just(""),
                Just("HTTP/1.1 200 OK\r\n\r\n"),
                Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ],
            rest in proptest::collection::vec(any::<u8>(), 0..400),
            is_end: bool,
        ) {
            let mut bytes = start.as_bytes().to_vec();
            bytes.extend(rest);
            let _ = Response::take(&mut bytes, false, is_end);
        }
    }
}
