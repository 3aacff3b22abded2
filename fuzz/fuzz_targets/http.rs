//! HTTP: what a phone makes of a device's response, and the device of a phone's request.

#![no_main]

extern crate alloc;

/// The parser itself: the device does not offer it to anybody.
#[expect(dead_code, reason = "the fuzz target needs less of it than the device")]
#[path = "../../firmware/device/src/http/message.rs"]
mod device_http;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use phone::web::{WebConnection, WebRequest};
use phone::{Datagrams, Dial, SoftAp, Stream, Transport};
use tokio::io::{AsyncWriteExt, DuplexStream};

/// No request of the device's is longer than its head and its body may be.
const LONGEST: usize = device_http::MAX_HEAD + device_http::MAX_BODY;
/// ESP-IDF's endpoints answer with far less than the phone takes.
const LONGEST_BODY: usize = 64 * 1024;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(head)) = device_http::Head::parse(bytes) {
        assert!(head.length <= bytes.len() && head.length <= LONGEST);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let clock = Clock::start(1.0);
        let dial = Arc::new(Saying {
            bytes: bytes.to_vec(),
            open: Mutex::new(Vec::new()),
        });
        let address = SocketAddrV4::new(Ipv4Addr::new(192, 168, 4, 1), 80);
        let trace = trace::Trace::in_memory(clock.clone());
        let browser: Arc<dyn Dial> = dial.clone();
        let opened = WebConnection::open(&browser, address, None, "fuzz", &trace).await;
        if let Ok(mut connection) = opened {
            let request = WebRequest {
                method: "GET".into(),
                path: "/".into(),
                fields: Vec::new(),
                fields_length: None,
                body: None,
            };
            if let Ok(answer) = connection.request(&request).await {
                assert!(answer.length <= bytes.len() as u64);
            }
        }
        let mut soft_ap = SoftAp::new(dial, address, clock, Duration::from_secs(1));
        if let Ok(answer) = soft_ap.send("proto-ver", b"---").await {
            assert!(answer.len() <= LONGEST_BODY.max(bytes.len()));
        }
    });
});

/// A server that says the same to everybody, and hangs up.
struct Saying {
    bytes: Vec<u8>,
    open: Mutex<Vec<DuplexStream>>,
}

impl Dial for Saying {
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 4, 2)
    }

    fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, 4, 255)
    }

    fn tcp(&self, _: SocketAddrV4) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async {
            // Takes the request and the whole response without anybody at the other end.
            let (ours, mut theirs) = tokio::io::duplex(self.bytes.len() + 1024);
            theirs.write_all(&self.bytes).await?;
            theirs.shutdown().await?;
            self.open.lock().expect("one thread").push(theirs);
            Ok(Box::new(ours) as Box<dyn Stream>)
        }
        .boxed()
    }

    fn udp(&self, _: u16) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed()
    }
}
