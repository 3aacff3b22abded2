//! The radio's packets on the tether.

use std::io::Read;
use std::os::unix::net::UnixStream;

use airlink::tether::{Decoder, FromDevice};
use airlink::{Packet, Request, decode_request};
use device::board::Radio as _;
use embassy_futures::block_on;
use native::{OverTether, Radio, Tether};

#[test]
fn a_request_leaves_as_one_packet_on_the_tether() {
    let (mut lab, theirs) = UnixStream::pair().expect("a pair");
    let tether = Tether::new(theirs);
    let radio = Radio::new(OverTether::new(&tether), [2; 6]);
    block_on(radio.scan(3, true));
    tether.flush().expect("the lab listens");

    let mut chunk = [0; 1024];
    let length = lab.read(&mut chunk).expect("readable");
    let mut decoder = Decoder::default();
    decoder.push(&chunk[..length]);
    let Ok(Some(FromDevice::Packet(bytes))) = decoder.pop() else {
        panic!("no packet");
    };
    let packet = Packet::decode(&bytes).expect("a packet");
    let scan = Request::Scan {
        channel: 3,
        passive: true,
    };
    assert_eq!(decode_request(&packet), Ok(scan));
    assert!(matches!(decoder.pop::<FromDevice>(), Ok(None)));
}
