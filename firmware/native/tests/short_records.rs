//! What rustls cannot ask a server for.

#[expect(
    dead_code,
    reason = "shared with the other tests of TLS, which need more of it"
)]
mod server;

use device::board::{MaxFragment, Tls as _, TlsClient, TlsFailure};
use embassy_futures::block_on;
use native::Tls;
use rustls::version::TLS12;
use server::{Authority, NOW, Profile, Server};

#[test]
fn a_session_that_needs_short_records_is_not_opened_without_them() {
    let ours = Authority::new("ours");
    let options = TlsClient {
        max_fragment: MaxFragment::of(512),
        ..ours.options()
    };
    let mut server = Server::new(&TLS12, &ours.issue(&Profile::default()), None);
    let opened = block_on(Tls::default().connect(&mut server, &options, Some(NOW)));
    assert_eq!(opened.err(), Some(TlsFailure::Configuration));
}

#[test]
fn only_the_lengths_of_the_rfc_are_lengths() {
    for (bytes, code) in [(512, 1), (1024, 2), (2048, 3), (4096, 4)] {
        assert_eq!(
            MaxFragment::of(bytes).map(|length| length as u8),
            Some(code)
        );
    }
    for bytes in [0, 256, 1000, 8192, 16384] {
        assert_eq!(MaxFragment::of(bytes), None);
    }
}
