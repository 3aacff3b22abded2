//! The executor and its clock, with the lab's end of the tether in another thread.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use airlink::tether::{Decoder, FromDevice, ToDevice, ToDeviceBody, encode};
use embassy_futures::yield_now;
use embassy_time::{Instant, Timer};
use native::{Tether, TetherEnd, block_on};

/// The lab's end.
struct Lab {
    stream: UnixStream,
    decoder: Decoder,
}

impl Lab {
    /// What the device says next.
    fn hear(&mut self) -> FromDevice {
        loop {
            if let Some(message) = self.decoder.pop().expect("a message") {
                return message;
            }
            let mut chunk = [0; 1024];
            let length = self.stream.read(&mut chunk).expect("readable");
            assert_ne!(length, 0, "the device went away");
            self.decoder.push(&chunk[..length]);
        }
    }

    fn hear_idle(&mut self) -> (Option<u64>, u64) {
        match self.hear() {
            FromDevice::Idle { until_us, consumed } => (until_us, consumed),
            other => panic!("not idle: {other:?}"),
        }
    }

    fn say(&mut self, now_us: u64, body: ToDeviceBody) {
        let bytes = encode(&ToDevice { now_us, body });
        self.stream.write_all(&bytes).expect("writable");
    }
}

/// Runs `device` in this thread and `lab` in another.
fn together<T>(device: impl FnOnce(Rc<Tether>) -> T, lab: impl FnOnce(Lab) + Send + 'static) -> T {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let lab = thread::spawn(|| {
        lab(Lab {
            stream: ours,
            decoder: Decoder::default(),
        });
    });
    let output = device(Tether::new(theirs));
    lab.join().expect("the lab is content");
    output
}

#[test]
fn an_hour_passes_when_the_lab_says_so() {
    let passed = together(
        |tether| {
            block_on(&tether, |_| {}, async {
                let begun = Instant::now();
                Timer::after_secs(3600).await;
                begun.elapsed()
            })
        },
        |mut lab| {
            let (until, consumed) = lab.hear_idle();
            let until = until.expect("there is a timer");
            assert!((3_600_000_000..3_660_000_000).contains(&until), "{until}");
            assert_eq!(consumed, 0);
            lab.say(until, ToDeviceBody::Wake);
        },
    );
    assert!(passed.expect("the tether held").as_secs() >= 3600);
}

#[test]
fn a_wake_before_the_time_is_answered_with_the_same_deadline() {
    let ended = together(
        |tether| block_on(&tether, |_| {}, Timer::at(Instant::from_secs(100))),
        |mut lab| {
            assert_eq!(lab.hear_idle(), (Some(100_000_000), 0));
            lab.say(40_000_000, ToDeviceBody::Wake);
            assert_eq!(lab.hear_idle(), (Some(100_000_000), 1));
            lab.say(100_000_000, ToDeviceBody::Wake);
        },
    );
    assert_eq!(ended, Ok(()));
}

#[test]
fn a_device_without_timers_waits_for_packets_alone() {
    let packets = RefCell::new(Vec::new());
    let ended = together(
        |tether| {
            let take = |body| {
                if let ToDeviceBody::Packet(packet) = body {
                    packets.borrow_mut().push(packet);
                }
            };
            block_on(&tether, take, pending::<()>())
        },
        |mut lab| {
            assert_eq!(lab.hear_idle(), (None, 0));
            lab.say(1, ToDeviceBody::Packet(vec![1, 2]));
            assert_eq!(lab.hear_idle(), (None, 1));
            lab.say(2, ToDeviceBody::Packet(vec![3]));
            lab.say(3, ToDeviceBody::Wake);
            while lab.hear_idle() != (None, 3) {}
        },
    );
    assert_eq!(ended, Err(TetherEnd::Closed));
    assert_eq!(packets.into_inner(), [vec![1, 2], vec![3]]);
}

#[test]
fn a_future_that_never_rests_still_hears_the_tether() {
    let heard = RefCell::new(false);
    let ended = together(
        |tether| {
            let work = async {
                while !*heard.borrow() {
                    yield_now().await;
                }
            };
            block_on(&tether, |_| *heard.borrow_mut() = true, work)
        },
        |mut lab| lab.say(1, ToDeviceBody::Packet(vec![0])),
    );
    assert_eq!(ended, Ok(()));
}

#[test]
fn what_was_sent_is_on_its_way_before_the_device_rests() {
    let ended = together(
        |tether| {
            let mut polls = 0;
            let speak = poll_fn(|_| {
                polls += 1;
                tether.send(&FromDevice::Packet(vec![polls]));
                if polls < 2 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            });
            let ears = |_| {};
            // Nothing wakes the first poll's future but its timer.
            block_on(&tether, ears, async {
                embassy_futures::select::select(speak, Timer::after_secs(1)).await;
            })
        },
        |mut lab| {
            assert_eq!(lab.hear(), FromDevice::Packet(vec![1]));
            let (until, _) = lab.hear_idle();
            lab.say(until.expect("a timer"), ToDeviceBody::Wake);
            assert_eq!(lab.hear(), FromDevice::Packet(vec![2]));
        },
    );
    assert_eq!(ended, Ok(()));
}

#[test]
fn garbage_ends_the_device() {
    let ended = together(
        |tether| block_on(&tether, |_| {}, pending::<()>()),
        |mut lab| {
            lab.stream.write_all(&[0xFF; 8]).expect("writable");
            lab.hear_idle();
        },
    );
    assert!(matches!(ended, Err(TetherEnd::Garbage(_))), "{ended:?}");
}
