//! What MbedTLS holds in memory; alone in its process, as the count is of the whole process.

#[path = "../../native/tests/server/mod.rs"]
#[expect(
    dead_code,
    reason = "shared with the native board, whose tests need more of it"
)]
mod server;

use device::board::{Tls as _, TlsClient, TlsFailure};
use embassy_futures::block_on;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustls::version::{TLS12, TLS13};
use server::{Authority, GOODBYE, NOW, Profile, Server};
use tls_mbedtls::{HEAP_LIMIT, Tls, heap_use};

/// A peer that says this and hears nothing, then ends.
struct Stranger(Vec<u8>, usize);

impl ErrorType for Stranger {
    type Error = ErrorKind;
}

impl Read for Stranger {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let rest = &self.0[self.1..];
        let length = bytes.len().min(rest.len());
        bytes[..length].copy_from_slice(&rest[..length]);
        self.1 += length;
        Ok(length)
    }
}

impl Write for Stranger {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn nothing_is_kept_and_the_limit_leaves_room() {
    let tls = Tls::default();
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let own = ours.issue(&Profile {
        usage: rcgen::ExtendedKeyUsagePurpose::ClientAuth,
        ..Profile::default()
    });
    let options = TlsClient {
        credentials: Some(&own),
        ..ours.options()
    };
    let mut held = None;
    for round in 0..20 {
        for version in [&TLS12, &TLS13] {
            let authority = if round % 2 == 0 { &ours } else { &other };
            let serves = authority.issue(&Profile::default());
            let server = Server::new(version, &serves, Some(&ours.der));
            if let Ok(mut session) = block_on(tls.connect(server, &options, Some(NOW))) {
                block_on(session.write_all(GOODBYE)).expect("written");
                assert_eq!(block_on(session.read(&mut [0])), Ok(0));
            }
        }
        // What PSA keeps for good is there after the first round.
        assert_eq!(*held.get_or_insert(heap_use().now), heap_use().now);
    }
    println!("{:?}", heap_use());
    assert!(held < Some(1024), "{held:?}");
    assert!(heap_use().peak < HEAP_LIMIT / 2 + HEAP_LIMIT / 4);

    // Whatever a server says is answered with a failure, and given back.
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let record = (20..25_u8, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(
        |(kind, body): (u8, Vec<u8>)| {
            let mut record = vec![kind, 3, 3];
            record.extend((body.len() as u16).to_be_bytes());
            record.extend(body);
            record
        },
    );
    let hello = proptest::collection::vec(any::<u8>(), 32..120).prop_map(|body| {
        let mut hello = vec![
            22,
            3,
            3,
            0,
            body.len() as u8 + 6,
            2,
            0,
            0,
            body.len() as u8 + 2,
            3,
            3,
        ];
        hello.extend(body);
        hello
    });
    let says = proptest::collection::vec(prop_oneof![record, hello], 0..4);
    runner
        .run(&says, |says| {
            let stranger = Stranger(says.concat(), 0);
            let outcome = block_on(tls.connect(stranger, &options, Some(NOW)));
            let told = matches!(
                outcome.err(),
                Some(TlsFailure::Protocol | TlsFailure::Closed | TlsFailure::AlertReceived(_))
            );
            prop_assert!(told);
            prop_assert_eq!(held, Some(heap_use().now));
            Ok(())
        })
        .expect("every server is answered");
}
