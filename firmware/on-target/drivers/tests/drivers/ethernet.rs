//! The Ethernet controller, which talks to itself.

use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Waker};

use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;

use embassy_net_driver::{Driver, RxToken, TxToken};
use mps2::ethernet::Wire;

const MAC: [u8; 6] = [0x24, 0x0A, 0xC4, 0x0A, 0xBC, 0x00];

/// Shorter frames are padded on the way (IEEE 802.3 §4.2.3.3).
const SHORTEST: usize = 60;

/// The controller in its loopback.
fn wire() -> Wire {
    let mut wire = mps2::ethernet::wire(MAC).unwrap();
    wire.set_loopback(true).unwrap();
    wire
}

fn send(wire: &mut Wire, frame: &[u8]) {
    let mut context = Context::from_waker(Waker::noop());
    let token = wire.transmit(&mut context).unwrap();
    token.consume(frame.len(), |place| place.copy_from_slice(frame));
}

fn receive(wire: &mut Wire, waker: &Waker) -> Option<Vec<u8>> {
    let (received, _) = wire.receive(&mut Context::from_waker(waker))?;
    Some(received.consume(|frame| frame.to_vec()))
}

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[embedded_test::tests]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_lengths_come_back_as_they_were() {
        let mut wire = wire();
        for length in (SHORTEST..=lan9118::MAX_FRAME)
            .step_by(11)
            .chain([lan9118::MAX_FRAME])
        {
            let frame: Vec<u8> = (0..length)
                .map(|index| (index * 7 + length) as u8)
                .collect();
            send(&mut wire, &frame);
            assert_eq!(receive(&mut wire, Waker::noop()), Some(frame));
        }
        let statistics = wire.statistics();
        assert_eq!((statistics.damaged, statistics.not_sent), (0, 0));
    }

    #[test]
    fn a_short_frame_comes_back_padded() {
        let mut wire = wire();
        send(&mut wire, &[7; 17]);
        let frame = receive(&mut wire, Waker::noop()).unwrap();
        assert_eq!(frame.len(), SHORTEST);
        assert_eq!((&frame[..17], &frame[17..]), (&[7; 17][..], &[0; 43][..]));
    }

    #[test]
    fn several_frames_wait_in_their_order() {
        let mut wire = wire();
        for number in 0..6 {
            send(&mut wire, &[number; 100]);
        }
        for number in 0..6 {
            assert_eq!(receive(&mut wire, Waker::noop()).unwrap(), [number; 100]);
        }
        assert_eq!(receive(&mut wire, Waker::noop()), None);
    }

    #[test]
    fn a_frame_interrupts_once_and_wakes() {
        let mut wire = wire();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        for round in 1..=3 {
            assert_eq!(receive(&mut wire, &waker), None);
            send(&mut wire, &[7; 64]);
            assert_eq!(count.0.load(Ordering::Relaxed), round);
            assert!(receive(&mut wire, &waker).is_some());
        }
    }
}
