//! What clients learn from the time server.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::{Sntp, SntpFaults};
use support::{event_of, run};
use tokio::net::UdpSocket;
use trace::{Source, Trace};

/// 2026-11-22.
const NOW: u64 = 1_795_305_600;

async fn server(faults: SntpFaults) -> (Sntp, Trace) {
    let clock = clock::Clock::start(1000.0);
    clock.set_epoch(Duration::from_secs(NOW));
    let trace = Trace::in_memory(clock);
    let sntp = Sntp::start(trace.clone(), faults).await.unwrap();
    (sntp, trace)
}

async fn ask(sntp: &Sntp, trace: &Trace, request: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(request, sntp.address()).await.unwrap();
    let mut reply = vec![0; 100];
    let clock = trace.clock().clone();
    let received = clock
        .timeout(Duration::from_secs(15), socket.recv_from(&mut reply))
        .await;
    let (length, _) = received.ok()?.unwrap();
    reply.truncate(length);
    Some(reply)
}

fn request(version: u8) -> Vec<u8> {
    let mut request = vec![0; 48];
    request[0] = version << 3 | 3;
    request[40..].copy_from_slice(b"original");
    request
}

/// Unix time in s in the transmit timestamp.
fn told(reply: &[u8]) -> u64 {
    let seconds = u32::from_be_bytes(reply[40..44].try_into().unwrap());
    u64::from(seconds) - 2_208_988_800
}

#[test]
fn a_client_is_told_the_time_of_the_lab() {
    run(async {
        for version in 1..=4 {
            let (sntp, trace) = server(SntpFaults::default()).await;
            let reply = ask(&sntp, &trace, &request(version)).await.unwrap();
            assert_eq!(reply.len(), 48);
            assert_eq!(reply[0], version << 3 | 4);
            assert_eq!(reply[1], 2, "stratum");
            assert_eq!(&reply[24..32], b"original");
            assert!((NOW..NOW + 3).contains(&told(&reply)));
            let answered = event_of(&trace, Source::Sntp, "answered").await;
            assert_eq!(
                (&answered["version"], &answered["offset_s"]),
                (&version.into(), &0.into())
            );
        }
    });
}

#[test]
fn faults_are_told_in_the_trace() {
    run(async {
        let (sntp, trace) = server(SntpFaults {
            offset_s: -86_400,
            ..SntpFaults::default()
        })
        .await;
        let reply = ask(&sntp, &trace, &request(4)).await.unwrap();
        assert!((NOW - 86_400..NOW - 86_390).contains(&told(&reply)));
        let answered = event_of(&trace, Source::Sntp, "answered").await;
        assert_eq!(answered["offset_s"], -86_400);

        let (sntp, trace) = server(SntpFaults {
            kiss_of_death: Some(*b"RATE"),
            ..SntpFaults::default()
        })
        .await;
        let reply = ask(&sntp, &trace, &request(4)).await.unwrap();
        assert_eq!(
            (reply[0] >> 6, reply[1], &reply[12..16]),
            (3, 0, &b"RATE"[..])
        );
        let answered = event_of(&trace, Source::Sntp, "answered").await;
        assert_eq!(answered["kiss_of_death"], "RATE");

        let (sntp, trace) = server(SntpFaults {
            silent: true,
            ..SntpFaults::default()
        })
        .await;
        assert_eq!(ask(&sntp, &trace, &request(4)).await, None);
        event_of(&trace, Source::Sntp, "kept_silent").await;
        sntp.set_faults(SntpFaults::default());
        assert!(ask(&sntp, &trace, &request(4)).await.is_some());
    });
}

#[test]
fn garbage_is_shown_and_not_answered() {
    run(async {
        let (sntp, trace) = server(SntpFaults::default()).await;
        assert_eq!(ask(&sntp, &trace, b"what time is it?").await, None);
        let garbage = event_of(&trace, Source::Sntp, "garbage").await;
        assert_eq!(garbage["reason"], "shorter than 48 bytes");
        assert_eq!(garbage["hex"], hex::encode(b"what time is it?"));
        // Its own answers must not come back to it.
        let mut answer = request(4);
        answer[0] = 4 << 3 | 4;
        assert_eq!(ask(&sntp, &trace, &answer).await, None);
    });
}

#[test]
fn a_probe_leaves_no_trace_and_is_blind_to_faults() {
    run(async {
        let (sntp, trace) = server(SntpFaults {
            silent: true,
            ..SntpFaults::default()
        })
        .await;
        let before = trace.len();
        sntp.probe().await.unwrap();
        assert_eq!(trace.len(), before);
    });
}

#[test]
fn an_unusable_answer_breaks_one_rule_and_is_an_hour_wrong() {
    use cloud::Unusable;
    run(async {
        let answer = async |unusable| {
            let (sntp, trace) = server(SntpFaults {
                unusable: Some(unusable),
                ..SntpFaults::default()
            })
            .await;
            let reply = ask(&sntp, &trace, &request(4)).await.unwrap();
            sntp.probe().await.unwrap();
            reply
        };
        let unsynchronised = answer(Unusable::Unsynchronised).await;
        assert_eq!(unsynchronised[0] >> 6, 3);
        assert!(told(&unsynchronised).abs_diff(NOW - 3600) < 100);
        let another = answer(Unusable::AnotherRequest).await;
        assert_ne!(&another[24..32], b"original");
        assert_eq!(answer(Unusable::NoRequest).await[24..32], [0; 8]);
        assert_eq!(answer(Unusable::AnotherMode).await[0] & 7, 3);
        assert_eq!(answer(Unusable::StratumSixteen).await[1], 16);
        assert_eq!(answer(Unusable::CutShort).await.len(), 47);
        assert_eq!(answer(Unusable::NoTime).await[40..48], [0; 8]);
    });
}
