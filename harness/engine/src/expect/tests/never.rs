//! What must not happen: for a time, in a whole scenario, and without being asked for.

use super::*;

#[tokio::test]
async fn never_holds_for_its_time() {
    let mut lab = Lab::new();
    lab.log_later(20, "too late to hurt");
    lab.expect("{ never: [{ log: { text: hurt } }], for: 10s }")
        .await
        .expect("nothing came");
    assert!(lab.now() >= LabTime::from_secs(10));
    let miss = lab
        .misses("{ never: [{ mqtt: publish }, { log: { text: hurt } }], for: 60s }")
        .await;
    assert_eq!(
        miss.message,
        "expected for 1m never mqtt publish, log \"hurt\", but such an event came"
    );
    assert_eq!(miss.nearest.expect("it came").seq, 1);
    lab.expect("{ log: { text: hurt }, within: 0s }")
        .await
        .expect("it was not consumed");
}

#[tokio::test]
async fn never_at_top_level_sees_every_event() {
    let lab = Lab::new();
    let clauses = never_of("{ log: { level: error } }, { mqtt: publish, catches: [] }");
    let mut watch = NeverWatch::new(lab.trace.clone(), clauses).expect("no captures");
    lab.log("fine");
    assert!(watch.poll().is_none());
    lab.publish("t", 0, serde_json::Value::Null);
    let seq = lab.line("device", Level::Error, "app", "bad");
    let first = watch.poll().expect("a publish");
    assert_eq!(first.label(), "never mqtt publish");
    let second = watch.violated().await;
    assert_eq!(second.event.seq, seq);
    assert_eq!(
        second.miss().message,
        "log (level error) must never come, but it did"
    );
    lab.log_later(5, "fine");
    let rest = lab
        .trace
        .clock()
        .timeout(Duration::from_secs(10), watch.violated())
        .await;
    assert!(rest.is_err());
}

/// The watch of a scenario with `steps` and with `rest` at its top level.
fn watch_of(lab: &Lab, steps: &str, rest: &str) -> NeverWatch {
    let text =
        format!("name: T\nworld: {{ devices: {{ device: {{}} }} }}\nsteps:\n  - {steps}\n{rest}\n");
    let known = Known {
        bugs: vec!["panic-on-got-ip".into()],
        ..Known::default()
    };
    let cases = parse("t.yaml", &text, &known).expect("a scenario");
    NeverWatch::of_scenario(lab.trace.clone(), &cases[0].scenario).expect("no captures")
}

fn exited(panic: Option<&str>) -> trace::Exited {
    trace::Exited {
        how: "exit code 7".into(),
        panic: panic.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_device_that_ends_unasked_fails_a_scenario_that_does_not_speak_of_it() {
    let restarted = trace::Restarted {
        cause: trace::RestartCause::Brownout,
        said: "Brownout detector was triggered".into(),
    };
    let lab = Lab::new();
    let mut watch = watch_of(&lab, "power: on", "unasked: { catches: [panic-on-got-ip] }");
    lab.trace.emit(Some("device"), &exited(None));
    lab.trace.emit(Some("device"), &exited(Some("got an IP")));
    lab.trace.emit(Some("device"), &restarted);
    let found: Vec<_> = std::iter::from_fn(|| watch.poll()).collect();
    let messages: Vec<_> = found.iter().map(|found| found.miss().message).collect();
    assert_eq!(
        messages,
        [
            "device exited unasked: exit code 7",
            "device panicked: got an IP",
            "device restarted unasked: Brownout detector was triggered",
        ]
    );
    assert!(
        found
            .iter()
            .all(|found| found.catches() == ["panic-on-got-ip"])
    );
    assert!(found.iter().all(|found| found.span().is_some()));
}

#[tokio::test]
async fn a_device_may_end_as_its_scenario_says() {
    let expect = "expect: { board: exited, within: 1s }";
    let forbids = "expect: { never: [{ board: exited }], for: 1s }";
    for (steps, rest, passes) in [
        ("power: on", "unasked: { expected: [exit] }", true),
        ("power: on", "unasked: { expected: [restart] }", false),
        (expect, "", true),
        (forbids, "", false),
    ] {
        let lab = Lab::new();
        let mut watch = watch_of(&lab, steps, rest);
        lab.trace.emit(Some("device"), &exited(None));
        assert_eq!(watch.poll().is_none(), passes, "{steps} {rest}");
    }
}
