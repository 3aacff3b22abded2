//! TLS with a server in the same memory, whose keys are known.

mod server;

use alloc::rc::Rc;
use alloc::vec;
use core::cell::RefCell;

use device::board::{CertificateProblems, Tls as _, TlsClient, TlsFailure};
use embassy_futures::block_on;
use embassy_time::Instant;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use factory::Credentials;
use server::{Server, Version};
use tls_mbedtls::Tls;

const AUTHORITY: &[u8] = include_bytes!("../../keys/authority.der");
const CLIENT: &[u8] = include_bytes!("../../keys/client.der");
const CLIENT_KEY: &[u8] = include_bytes!("../../keys/client.key.der");

/// 2027-01-01; the certificates are valid from 2026-01-01 to 2046-01-01.
const NOW: u64 = 1_798_761_600;
/// 2050-01-01.
const TOO_LATE: u64 = 2_524_608_000;

/// Steps after which a server that has sent nothing will not.
const STEPS: u32 = 4;

/// The client's end of the connection. The server computes whenever the client would wait.
struct Socket(Rc<RefCell<Server>>);

impl ErrorType for Socket {
    type Error = ErrorKind;
}

impl Read for Socket {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut server = self.0.borrow_mut();
        // A step may end with nothing to send; if all do, the server has closed.
        for _ in 0..STEPS {
            if server.to_client().is_empty() {
                server.step();
            }
        }
        let length = bytes.len().min(server.to_client().len());
        for (place, byte) in bytes.iter_mut().zip(server.to_client().drain(..length)) {
            *place = byte;
        }
        Ok(length)
    }
}

impl Write for Socket {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().to_server().extend(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

fn credentials() -> Credentials {
    Credentials {
        chain: vec![CLIENT.to_vec()],
        key: CLIENT_KEY.to_vec(),
    }
}

/// Shakes hands with the server, which asks for a certificate, and has a word come back.
fn talk(
    version: Version,
    server_name: &str,
    credentials: Option<&Credentials>,
    now: u64,
) -> Result<(), TlsFailure> {
    let random = crate::random::source(1);
    let tls = Tls::new(random);
    let options = TlsClient {
        server_name,
        authority: AUTHORITY,
        credentials,
        check_authority: true,
        check_dates: true,
        check_name: true,
        max_fragment: None,
    };
    let socket = Socket(Server::new(random, version));
    let start = Instant::now();
    let mut session = block_on(tls.connect(socket, &options, Some(now)))?;
    let took = start.elapsed().as_micros() / u64::from(mps2::clock::factor());
    log::info!(target: "tls", "{version:?}: client and server took {took} us for the handshake");
    block_on(async {
        let failed =
            |error| Tls::failure_of::<Socket>(&error).expect("sockets in memory do not fail");
        session.write_all(b"known keys").await.map_err(failed)?;
        session.flush().await.map_err(failed)?;
        let mut answer = [0; 10];
        let length = session.read(&mut answer).await.map_err(failed)?;
        assert_eq!(&answer[..length], b"known keys");
        Ok(())
    })
}

#[embedded_test::tests]
mod tests {
    use super::*;

    #[test]
    #[timeout(120)]
    fn a_server_with_known_keys_is_talked_to_by_tls_1_2() {
        let credentials = credentials();
        let talked = talk(Version::Tls12, "broker.test", Some(&credentials), NOW);
        assert_eq!(talked, Ok(()));
    }

    #[test]
    #[timeout(120)]
    fn a_server_with_known_keys_is_talked_to_by_tls_1_3() {
        let credentials = credentials();
        let talked = talk(Version::Tls13, "broker.test", Some(&credentials), NOW);
        assert_eq!(talked, Ok(()));
    }

    #[test]
    #[timeout(120)]
    fn another_name_is_refused() {
        let refused = TlsFailure::Certificate(CertificateProblems::NAME_MISMATCH);
        let credentials = credentials();
        let talked = talk(Version::Tls13, "other.test", Some(&credentials), NOW);
        assert_eq!(talked, Err(refused));
    }

    #[test]
    #[timeout(120)]
    fn a_certificate_whose_time_has_passed_is_refused() {
        let credentials = credentials();
        let talked = talk(Version::Tls13, "broker.test", Some(&credentials), TOO_LATE);
        let Err(TlsFailure::Certificate(problems)) = talked else {
            panic!("{talked:?}");
        };
        assert!(problems.contains(CertificateProblems::EXPIRED));
    }

    /// MbedTLS as server may close without an alert, so what is heard is not told apart here.
    #[test]
    #[timeout(120)]
    fn a_server_that_requires_a_certificate_refuses_a_client_without() {
        let talked = talk(Version::Tls12, "broker.test", None, NOW);
        let Err(TlsFailure::AlertReceived(_) | TlsFailure::Closed) = talked else {
            panic!("{talked:?}");
        };
    }

    #[test]
    #[timeout(120)]
    fn the_longest_computations_leave_a_quarter_of_the_stack() {
        crate::crypto::security_2();
        talk(Version::Tls13, "broker.test", Some(&credentials()), NOW).unwrap();
        let stack = mps2::memory::thread_stack();
        let heap = mps2::heap::heap();
        log::info!(
            target: "memory",
            "at most {} of {} bytes of stack and {} of {} bytes of heap were in use",
            stack.peak(), stack.size(), heap.peak(), heap.size()
        );
        assert!(stack.peak() <= stack.size() / 4 * 3);
        assert!(heap.peak() <= heap.size() / 4 * 3);
    }
}
