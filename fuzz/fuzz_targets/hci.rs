//! HCI: two hosts send arbitrary bytes to their controllers, which answer in whole packets and
//! keep little.
//!
//! The input is a list of pieces of the two hosts' streams, each behind one byte: whose it is, and how
//! long.

#![no_main]

/// The controllers themselves: as a crate they come with all of the lab.
#[expect(dead_code, reason = "the fuzz target needs less of them than the lab")]
#[path = "../../harness/lab/src/bluetooth"]
mod bluetooth {
    mod command;
    mod controller;
    pub mod ether;
    mod h4;
    mod link;
    mod medium;
    mod opcode;
    mod port;
    mod power;
    mod radio;
}
#[path = "../../harness/lab/src/wire.rs"]
#[expect(dead_code, reason = "the fuzz target needs less of it than the lab")]
mod wire;

use airlink::h4;
use bluetooth::ether::Ether;
use clock::Clock;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use trace::Trace;

/// Bytes on the way between a host and its controller.
const PIPE: usize = 64 * 1024;
/// What both tasks of a controller need to hear and to answer.
const TURNS: usize = 8;
/// A controller owes its host no more than this for one input, in bytes.
const MOST_ANSWERS: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(play(bytes));
});

async fn play(bytes: &[u8]) {
    let ether = Ether::new(Trace::in_memory(Clock::start(1000.0)));
    let mut hosts: [Host; 2] = [0, 1].map(|number| Host::new(&ether, number));
    let mut rest = bytes;
    while let [head, after @ ..] = rest {
        let (piece, left) = after.split_at(usize::from(head & 0x7F).min(after.len()));
        rest = left;
        hosts[usize::from(head >> 7)].say(piece).await;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        for host in &mut hosts {
            host.listen().await;
        }
    }
}

struct Host {
    hci: DuplexStream,
    heard: Vec<u8>,
    length: usize,
}

impl Host {
    fn new(ether: &Ether, number: u8) -> Self {
        let (hci, controllers) = tokio::io::duplex(PIPE);
        let controller = ether.controller(&format!("host {number}"), [2, 0, 0, 0, 0, number]);
        tokio::spawn(controller.run(controllers));
        Self {
            hci,
            heard: Vec::new(),
            length: 0,
        }
    }

    /// A controller that has heard garbage listens no more.
    async fn say(&mut self, piece: &[u8]) {
        let said = self.hci.write_all(piece);
        tokio::select! {
            biased;
            _ = said => {}
            () = tokio::task::yield_now() => {}
        }
    }

    /// All bytes that came, which must be packets that controllers send.
    async fn listen(&mut self) {
        let mut chunk = [0; 4096];
        loop {
            tokio::select! {
                biased;
                read = self.hci.read(&mut chunk) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(length) => self.heard.extend_from_slice(&chunk[..length]),
                },
                () = std::future::ready(()) => break,
            }
        }
        while let Some(length) = h4::packet_length(&self.heard).expect("whole packets") {
            if self.heard.len() < length {
                break;
            }
            assert!(matches!(self.heard[0], h4::EVENT | h4::ACL));
            self.heard.drain(..length);
            self.length += length;
        }
        assert!(self.length < MOST_ANSWERS, "{} bytes", self.length);
    }
}
