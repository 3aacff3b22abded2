//! How fast lab time runs, and for whom.

#![expect(
    clippy::disallowed_methods,
    reason = "host time is what lab time is compared with"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clock::{Clock, LabTime};

fn on_one_thread<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

#[test]
fn a_long_wait_is_short_when_everybody_waits() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let began = Instant::now();
        clock.sleep(Duration::from_secs(30)).await;
        assert!(clock.now() >= LabTime::from_secs(30));
        assert!(began.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn time_runs_at_the_hosts_pace_while_somebody_is_busy() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let busy = clock.busy();
        // In this order, whatever comes between the two.
        let began = Instant::now();
        let before = clock.now();
        tokio::time::sleep(Duration::from_millis(60)).await;
        let passed = clock.now() - before;
        // Lab time counts whole microseconds: the first reading may be one less than it was.
        let most = began.elapsed() + Duration::from_micros(1);
        assert!(passed <= most, "{passed:?}");
        assert!(passed >= Duration::from_millis(55), "{passed:?}");
        drop(busy);
    });
}

#[test]
fn a_timer_due_while_somebody_is_busy_fires_at_the_hosts_pace() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let _busy = clock.busy();
        let began = Instant::now();
        clock.sleep(Duration::from_millis(40)).await;
        assert!(began.elapsed() >= Duration::from_millis(40));
    });
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let local = tokio::task::LocalSet::new();
        for n in [3_u64, 1, 2] {
            let (clock, order) = (clock.clone(), order.clone());
            local.spawn_local(async move {
                clock.sleep(Duration::from_secs(n)).await;
                order.borrow_mut().push(n);
            });
        }
        local.await;
        assert_eq!(*order.borrow(), [1, 2, 3]);
    });
}

#[test]
fn a_timeout_says_how_long_it_waited() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let error = clock
            .timeout(Duration::from_secs(5), std::future::pending::<()>())
            .await
            .expect_err("a pending future ended");
        assert_eq!(error.to_string(), "not done within 5s");
        assert_eq!(
            clock.timeout(Duration::from_secs(5), async { 7 }).await,
            Ok(7)
        );
    });
}

#[test]
fn bytes_from_outside_stop_the_rush() {
    on_one_thread(async {
        let clock = Clock::start(100.0);
        let touched = clock.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            touched.touch();
        });
        let began = clock.now();
        // Nobody but this timer waits; the touch lands a third of the way through.
        clock.sleep(Duration::from_secs(10)).await;
        assert!(clock.now() - began >= Duration::from_secs(10));
        thread.join().expect("the toucher ended");
    });
}

#[test]
fn the_calendar_can_be_moved() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        clock.set_epoch(Duration::from_secs(1_000));
        clock.sleep(Duration::from_secs(5)).await;
        assert!(clock.unix_now() >= Duration::from_secs(1_005));
        assert!(clock.unix_now() < Duration::from_secs(1_006));
    });
}

#[test]
fn a_fixed_pace_holds_while_somebody_is_busy_and_while_everybody_waits() {
    on_one_thread(async {
        let clock = Clock::start_fixed(10.0);
        for busy in [true, false] {
            let _busy = busy.then(|| clock.busy());
            let (lab, wall) = (clock.now(), Instant::now());
            clock.sleep(Duration::from_secs(1)).await;
            let lab = clock.now().since_start() - lab.since_start();
            let ratio = lab.as_secs_f64() / wall.elapsed().as_secs_f64();
            assert!((9.9..10.1).contains(&ratio), "{ratio}, busy: {busy}");
            assert!(lab >= Duration::from_secs(1));
        }
    });
}

#[test]
fn whoever_is_told_that_the_host_was_late_may_ask_for_the_time() {
    on_one_thread(async {
        let clock = Clock::start_fixed(1.0);
        let told = Arc::new(AtomicU64::new(0));
        clock.on_lag({
            let (clock, told) = (clock.clone(), told.clone());
            move |_| told.store(clock.now().since_start().as_micros() as u64, Relaxed)
        });
        for _ in 0..2 {
            let before = told.swap(0, Relaxed);
            let waits = clock.sleep(Duration::from_millis(10));
            let blocks = async {
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_millis(400));
            };
            tokio::join!(waits, blocks);
            clock.sleep(Duration::from_millis(10)).await;
            assert!(told.load(Relaxed) > before);
        }
    });
}

/// Whether lab time runs ahead: how far it comes during 100 ms of the host's time.
async fn advance(clock: &Clock) -> Duration {
    let before = clock.now().since_start();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(100) {
        clock.sleep(Duration::from_millis(20)).await;
    }
    clock.now().since_start() - before
}

#[test]
fn a_call_holds_lab_time_unless_its_service_waits_for_a_device() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let fast = Duration::from_secs(1);
        let call = clock.call("hci0");
        let wall = Instant::now();
        clock.sleep(Duration::from_millis(50)).await;
        assert!(wall.elapsed() >= Duration::from_millis(49), "called");
        let waiting = clock.waiting("hci0");
        assert!(advance(&clock).await > fast, "the service waits");
        {
            let _other = clock.call("hci1");
            let wall = Instant::now();
            clock.sleep(Duration::from_millis(50)).await;
            assert!(wall.elapsed() >= Duration::from_millis(49), "another calls");
        }
        drop(waiting);
        let wall = Instant::now();
        clock.sleep(Duration::from_millis(50)).await;
        assert!(
            wall.elapsed() >= Duration::from_millis(49),
            "the answer is under way"
        );
        drop(call);
        assert!(advance(&clock).await > fast, "answered");
    });
}

#[test]
fn a_call_that_was_given_up_does_not_make_the_next_one_fast() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let given_up = clock.call("hci0");
        let in_vain = clock.waiting("hci0");
        drop(given_up);
        let next = clock.call("hci0");
        for _ in 0..2 {
            let wall = Instant::now();
            clock.sleep(Duration::from_millis(50)).await;
            assert!(wall.elapsed() >= Duration::from_millis(49));
        }
        let waiting = clock.waiting("hci0");
        drop(in_vain);
        // The end of the old one is not taken for that of the new one.
        let wall = Instant::now();
        clock.sleep(Duration::from_secs(100)).await;
        assert!(wall.elapsed() < Duration::from_secs(50));
        drop((waiting, next));
    });
}

#[test]
fn a_service_that_nobody_calls_changes_nothing_by_waiting() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let _waiting = clock.waiting("hci0");
        let _call = clock.call("hci0");
        let wall = Instant::now();
        clock.sleep(Duration::from_millis(50)).await;
        assert!(wall.elapsed() >= Duration::from_millis(49));
    });
}
