//! How long a peer is waited for, and in whose time.

use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clock::Clock;

const LIMIT: Duration = Duration::from_millis(300);

fn on_one_thread<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn a_program_of_the_host_has_the_hosts_time_although_lab_time_runs_ahead() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let _lives_here = clock.inhabitant(peer(2));
        let (lab, host) = (clock.now(), Instant::now());
        let others = async {
            loop {
                clock.sleep(Duration::from_secs(1)).await;
            }
        };
        let error = tokio::select! {
            ended = clock.timeout_for(peer(1), LIMIT, pending::<()>()) => ended,
            () = others => unreachable!("they wait for ever"),
        };
        assert!(host.elapsed() >= LIMIT, "{:?}", host.elapsed());
        assert!(clock.now().since(lab) > 10 * LIMIT, "lab time ran ahead");
        assert_eq!(
            error.expect_err("nobody answers").to_string(),
            "not done within 300ms"
        );
    });
}

#[test]
fn who_lives_in_the_lab_has_lab_time() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let _lives_here = clock.inhabitant(peer(1));
        let (lab, host) = (clock.now(), Instant::now());
        let limit = Duration::from_secs(30);
        let ended = clock.timeout_for(peer(1), limit, pending::<()>()).await;
        assert!(ended.is_err());
        assert!(clock.now().since(lab) >= limit);
        assert!(host.elapsed() < limit / 3);
    });
}

#[test]
fn a_socket_may_be_named_after_the_limit_has_begun_and_only_as_long_as_it_is_used() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        let patience = clock.patience(Duration::from_secs(30));
        let first = clock.inhabitant(peer(1));
        let second = clock.inhabitant(peer(1));
        drop(first);
        let host = Instant::now();
        clock.lost_patience(patience, peer(1)).await;
        assert!(host.elapsed() < Duration::from_secs(10));
        drop(second);
        let host = Instant::now();
        let patience = clock.patience(LIMIT);
        clock.lost_patience(patience, peer(1)).await;
        assert!(host.elapsed() >= LIMIT);
    });
}

#[test]
fn what_is_done_in_time_comes_through() {
    on_one_thread(async {
        let clock = Clock::start(1000.0);
        assert_eq!(clock.timeout_for(peer(1), LIMIT, async { 7 }).await, Ok(7));
    });
}
