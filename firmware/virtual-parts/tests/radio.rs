//! The radio: requests out, notices and frames in.

mod timeless;

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

use airlink::{
    AccessPoint, AuthMode, Notice, Packet, Port, Request, decode_request, encode_notice,
};
use device::board::{Mode, Radio as _, RadioEvent};
use embassy_futures::{block_on, poll_once};
use embassy_net_driver::{Driver, HardwareAddress, LinkState, RxToken, TxToken};
use virtual_parts::Carrier;

type Radio = virtual_parts::Radio<Recorder>;
type Interface = virtual_parts::Interface<Recorder>;

/// A carrier that keeps what is sent.
#[derive(Clone, Debug, Default)]
struct Recorder(Rc<RefCell<Vec<Packet>>>);

impl Carrier for Recorder {
    async fn send(&self, packet: &Packet) {
        self.send_or_lose(packet);
    }

    fn send_or_lose(&self, packet: &Packet) {
        self.0.borrow_mut().push(packet.clone());
    }
}

struct Bench {
    radio: Radio,
    sent: Recorder,
}

impl Bench {
    fn new() -> Self {
        let sent = Recorder::default();
        Self {
            radio: Radio::new(sent.clone(), [2, 0, 0, 0, 0, 0xFF]),
            sent,
        }
    }

    /// What the air gets.
    fn sent(&self) -> Vec<Packet> {
        self.sent.0.take()
    }

    fn notice(&self, notice: &Notice) {
        self.radio.receive(encode_notice(notice));
    }

    fn frame(&self, port: Port, byte: u8) {
        let frame = vec![byte; 60];
        self.radio.receive(Packet { port, frame });
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn is_up(interface: &mut Interface) -> bool {
    matches!(interface.link_state(&mut context()), LinkState::Up)
}

fn received(interface: &mut Interface) -> Option<u8> {
    let (frame, _) = interface.receive(&mut context())?;
    Some(frame.consume(|frame| frame[0]))
}

fn home() -> AccessPoint {
    AccessPoint {
        ssid: b"home".to_vec(),
        bssid: [6; 6],
        channel: 6,
        rssi: -41,
        auth: AuthMode::Wpa2Psk,
    }
}

#[test]
fn commands_leave_as_requests() {
    let bench = Bench::new();
    block_on(async {
        bench.radio.set_mode(Mode::Both).await;
        bench.radio.join(b"home", "correct horse").await;
        bench.radio.scan(3, true).await;
        bench.radio.start_soft_ap(b"PROV_1", "", 1, 4).await;
        bench.radio.stop_soft_ap().await;
        bench.radio.leave().await;
    });
    let requests: Vec<Request> = bench
        .sent()
        .iter()
        .map(|packet| decode_request(packet).expect("a request"))
        .collect();
    assert_eq!(
        requests,
        [
            Request::SetMode(airlink::Mode::Both),
            Request::Join {
                ssid: b"home".to_vec(),
                passphrase: "correct horse".into(),
            },
            Request::Scan {
                channel: 3,
                passive: true,
            },
            Request::StartSoftAp {
                ssid: b"PROV_1".to_vec(),
                passphrase: String::new(),
                channel: 1,
                max_stations: 4,
            },
            Request::StopSoftAp,
            Request::Leave,
        ]
    );
}

#[test]
fn notices_are_events_in_their_order() {
    let bench = Bench::new();
    bench.notice(&Notice::Joined(home()));
    bench.notice(&Notice::Left { reason: 202 });
    bench.notice(&Notice::StationJoined([7; 6]));
    let next = || block_on(bench.radio.event());
    match next() {
        RadioEvent::Joined(access_point) => {
            assert_eq!((access_point.rssi, access_point.auth), (-41, 3));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(next(), RadioEvent::Left { reason: 202 });
    assert_eq!(next(), RadioEvent::StationJoined([7; 6]));
    assert!(poll_once(bench.radio.event()).is_pending());
}

#[test]
fn the_stations_link_follows_joining_and_leaving() {
    let bench = Bench::new();
    let mut station = bench.radio.station();
    assert!(!is_up(&mut station));
    bench.notice(&Notice::Joined(home()));
    assert!(is_up(&mut station));
    bench.notice(&Notice::Left { reason: 8 });
    assert!(!is_up(&mut station));
    bench.notice(&Notice::Joined(home()));
    block_on(bench.radio.leave());
    assert!(!is_up(&mut station));
}

#[test]
fn the_soft_aps_link_follows_its_start_and_the_mode() {
    let bench = Bench::new();
    let mut soft_ap = bench.radio.soft_ap();
    block_on(bench.radio.start_soft_ap(b"PROV_1", "", 1, 4));
    assert!(is_up(&mut soft_ap));
    block_on(bench.radio.set_mode(Mode::Station));
    assert!(!is_up(&mut soft_ap));
}

#[test]
fn frames_reach_the_interface_they_are_for_while_its_link_is_up() {
    let bench = Bench::new();
    let (mut station, mut soft_ap) = (bench.radio.station(), bench.radio.soft_ap());
    bench.frame(Port::Station, 1);
    assert_eq!(received(&mut station), None);
    bench.notice(&Notice::Joined(home()));
    block_on(bench.radio.start_soft_ap(b"PROV_1", "", 1, 4));
    bench.frame(Port::Station, 2);
    bench.frame(Port::SoftAp, 3);
    assert_eq!(received(&mut station), Some(2));
    assert_eq!(received(&mut soft_ap), Some(3));
    assert_eq!(received(&mut station), None);
}

#[test]
fn frames_that_are_not_read_are_lost_beyond_a_bound() {
    let bench = Bench::new();
    let mut station = bench.radio.station();
    bench.notice(&Notice::Joined(home()));
    for byte in 0..=255 {
        bench.frame(Port::Station, byte);
    }
    let kept: Vec<u8> = std::iter::from_fn(|| received(&mut station)).collect();
    assert_eq!(kept, (0..64).collect::<Vec<u8>>());
}

#[test]
fn frames_are_sent_only_while_the_link_is_up() {
    let bench = Bench::new();
    let mut station = bench.radio.station();
    let mut send = |byte| {
        let leave = station.transmit(&mut context()).expect("room");
        leave.consume(60, |frame| frame.fill(byte));
    };
    send(1);
    bench.notice(&Notice::Joined(home()));
    send(2);
    let sent: Vec<(Port, u8)> = bench.sent().iter().map(|p| (p.port, p.frame[0])).collect();
    assert_eq!(sent, [(Port::Station, 2)]);
}

#[test]
fn the_soft_aps_address_is_the_stations_and_one_more() {
    let bench = Bench::new();
    let address = |interface: Interface| interface.hardware_address();
    assert!(address(bench.radio.station()) == HardwareAddress::Ethernet([2, 0, 0, 0, 0, 0xFF]));
    assert!(address(bench.radio.soft_ap()) == HardwareAddress::Ethernet([2, 0, 0, 0, 0, 0]));
}

#[test]
fn noise_is_no_event() {
    let bench = Bench::new();
    let mut control = encode_notice(&Notice::Left { reason: 1 });
    control.frame.truncate(16);
    bench.radio.receive(control);
    assert!(poll_once(bench.radio.event()).is_pending());
}
