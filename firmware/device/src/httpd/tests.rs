//! Any bytes, in any pieces.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::task::Waker;

use embassy_futures::block_on;
use embassy_time_driver::Driver;
use embedded_io_async::{ErrorType, Read, Write};
use factory::WebApplication;
use proptest::prelude::*;

use super::application::Application;
use super::keep_alive::KeepAlive;
use super::request::Session;
use crate::http::Connection;

/// Time stands still: whoever sends these bytes hangs up in the end.
struct Still;

impl Driver for Still {
    fn now(&self) -> u64 {
        0
    }

    fn schedule_wake(&self, _: u64, _: &Waker) {}
}

embassy_time_driver::time_driver_impl!(static STILL: Still = Still);

/// A client that sends these pieces and hangs up.
struct Pieces {
    left: VecDeque<Vec<u8>>,
    answers: Vec<u8>,
}

impl ErrorType for Pieces {
    type Error = Infallible;
}

impl Read for Pieces {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(mut piece) = self.left.pop_front() else {
            return Ok(0);
        };
        let length = piece.len().min(bytes.len());
        bytes[..length].copy_from_slice(&piece[..length]);
        let rest = piece.split_off(length);
        if !rest.is_empty() {
            self.left.push_front(rest);
        }
        Ok(length)
    }
}

impl Write for Pieces {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.answers.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What the server answers until it closes, or until nothing more comes.
fn answers(application: WebApplication, bytes: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut left = VecDeque::new();
    let mut rest = bytes;
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        if !piece.is_empty() {
            left.push_back(piece.to_vec());
        }
        rest = behind;
    }
    let mut client = Pieces {
        left,
        answers: Vec::new(),
    };
    let keep_alive = KeepAlive::new(1);
    keep_alive.add(57);
    let mut connection = Connection::new(&mut client);
    let mut session = Session::new(57, Application(application, false));
    block_on(async {
        while connection.await_bytes().await.is_ok()
            && session.process(&mut connection, &keep_alive).await.is_ok()
        {}
    });
    client.answers
}

const OPENING: &[u8] = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn application() -> impl Strategy<Value = WebApplication> {
    prop_oneof![
        Just(WebApplication::Simple),
        Just(WebApplication::WssServer),
        Just(WebApplication::Catalogue),
    ]
}

/// Bytes that are likely to mean something.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![
        Just(&b"GET / HTTP/1.1\r\n\r\n"[..]),
        Just(&b"GET /chunks HTTP/1.1\r\nA: b\r\n\r\n"[..]),
        Just(&b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"[..]),
        Just(&b"POST /unread HTTP/1.1\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789"[..]),
        Just(OPENING),
        Just(&b"\x81\x82\x01\x02\x03\x04\x69\x6b"[..]),
        Just(&b"\x89\x80\x01\x02\x03\x04"[..]),
        Just(&b"\x01\x81\x00\x00\x00\x00x\x80\x81\x00\x00\x00\x00y"[..]),
    ];
    let noise = proptest::collection::vec(any::<u8>(), 0..8);
    let part = prop_oneof![4 => known.prop_map(<[u8]>::to_vec), 1 => noise];
    let parts = proptest::collection::vec(part, 0..4);
    parts.prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_come_to_an_end(
        application in application(),
        is_open: bool,
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        sizes in proptest::collection::vec(1..400_usize, 0..20),
    ) {
        let mut all = if is_open { OPENING.to_vec() } else { Vec::new() };
        all.extend(bytes);
        answers(application, &all, &sizes);
    }

    #[test]
    fn it_makes_no_difference_in_which_pieces_bytes_come(
        application in application(),
        bytes in requests(),
        sizes in proptest::collection::vec(1..20_usize, 0..60),
    ) {
        let whole = answers(application, &bytes, &[]);
        prop_assert_eq!(answers(application, &bytes, &sizes), whole);
    }
}

#[test]
fn pipelined_requests_are_answered_in_turn() {
    let bytes = [
        &b"POST /unread HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"[..],
        b"GET /files/x HTTP/1.1\r\n\r\n",
    ];
    let answers = answers(WebApplication::Catalogue, &bytes.concat(), &[]);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ";
    let expected = alloc::format!("{head}8\r\n\r\nnot read{head}1\r\n\r\nx");
    assert_eq!(core::str::from_utf8(&answers), Ok(&*expected));
}

#[test]
fn a_frame_that_is_not_masked_ends_the_connection() {
    let frame = [OPENING, b"\x81\x02hi", b"\x81\x82\x01\x02\x03\x04\x69\x6b"].concat();
    let answers = answers(WebApplication::Catalogue, &frame, &[]);
    let end = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert!(answers.ends_with(end), "{answers:?}");
}

#[test]
fn a_masked_text_is_echoed_as_the_vector_has_it() {
    let bytes = [OPENING, &hex::decode("818201020304696b").unwrap()].concat();
    let answers = answers(WebApplication::WssServer, &bytes, &[]);
    // As the test vector says: "hi", and unmasked here.
    assert!(answers.ends_with(b"\x81\x02hi"), "{answers:?}");
}
