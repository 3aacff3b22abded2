//! Programs of the host are waited for in the host's time, however fast lab time passes.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
#![expect(
    clippy::disallowed_methods,
    reason = "programs of the host live in the host's time"
)]

mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use clock::Clock;
use cloud::{BrokerSettings, Limits, Strangers};
use support::*;

/// Longer in the lab than any limit of a broker, shorter in the host's time than any.
const PAUSE: Duration = Duration::from_millis(300);

/// Does `work` while lab time runs ahead, as it does while every device waits; says how far it came.
async fn rushing<T>(clock: &Clock, work: impl Future<Output = T>) -> (T, Duration) {
    let began = clock.now();
    let others = async {
        loop {
            clock.sleep(Duration::from_secs(1)).await;
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = others => unreachable!("they wait for ever"),
    };
    (done, clock.now().since(began))
}

#[test]
fn a_program_that_computes_for_long_before_connect_is_let_in() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut slow = Wire::to(&broker).await;
        let ((), passed) = rushing(trace.clock(), tokio::time::sleep(PAUSE)).await;
        assert!(passed > 3 * Limits::default().connect, "{passed:?}");
        slow.send(&connect("slow")).await;
        slow.expect(&[0x20, 2, 0, 0], "connack").await;
    });
}

#[test]
fn a_program_keeps_its_connection_for_its_keep_alive_in_the_hosts_time() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut waiting = Wire::to(&broker).await;
        waiting.send(&connect_with(2, 1, &[&text("waiting")])).await;
        waiting.expect(&[0x20, 2, 0, 0], "connack").await;
        let ((), passed) = rushing(trace.clock(), tokio::time::sleep(PAUSE)).await;
        assert!(passed > Duration::from_secs(10), "{passed:?}");
        waiting.quiet("still there").await;
        let began = Instant::now();
        waiting.closed("silent").await;
        assert!(began.elapsed() >= Duration::from_millis(1400), "1.5 s");
        let closed = event(&trace, |e| e.kind == "connection_closed").await;
        assert_eq!(closed.data["end"], "keep-alive");
    });
}

#[test]
fn a_program_has_time_to_read_why_it_was_refused() {
    run(async {
        let settings = BrokerSettings {
            strangers: Strangers::Refused,
            ..BrokerSettings::plain()
        };
        let (broker, trace) = broker(settings).await;
        let mut refused = Wire::to(&broker).await;
        refused.send(&connect("refused")).await;
        let ((), _) = rushing(trace.clock(), tokio::time::sleep(PAUSE)).await;
        // A socket that is closed before this was read would answer it by a reset, which takes the
        // CONNACK with it.
        refused.send(&[0xc0, 0]).await;
        rushing(trace.clock(), tokio::time::sleep(PAUSE)).await;
        refused.expect(&[0x20, 2, 0, 5], "connack").await;
    });
}

#[test]
fn a_program_that_never_says_connect_is_let_go_in_the_hosts_time() {
    run(async {
        let settings = BrokerSettings {
            limits: Limits {
                connect: PAUSE,
                ..Limits::default()
            },
            ..BrokerSettings::plain()
        };
        let (broker, trace) = broker(settings).await;
        let mut silent = Wire::to(&broker).await;
        let began = Instant::now();
        silent.closed("silent").await;
        assert!(began.elapsed() >= PAUSE, "{:?}", began.elapsed());
        let closed = event(&trace, |e| e.kind == "connection_closed").await;
        assert_eq!(closed.data["end"], "timed-out");
    });
}
