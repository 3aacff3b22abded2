//! Each combinator, met and missed.

mod lines;
mod long;
mod never;

use std::time::Duration;

use clock::{Clock, LabTime};
use language::{Captures, Clause, Expect, Known, Never, Placed, Step, parse};
use proptest::prelude::*;
use trace::mqtt::{PayloadForm, Publish};
use trace::{Level, LogLine, Trace};

use super::*;

/// A trace with expectations over it.
struct Lab {
    trace: Trace,
    expectations: Expectations,
    captures: Captures,
}

impl Lab {
    fn new() -> Self {
        let trace = Trace::in_memory(Clock::start(1000.0));
        Self {
            expectations: Expectations::new(trace.clone()),
            captures: Captures::default(),
            trace,
        }
    }

    fn log(&self, text: &str) -> u64 {
        self.line("device", Level::Info, "app", text)
    }

    fn line(&self, device: &str, level: Level, tag: &str, text: &str) -> u64 {
        let line = LogLine {
            level,
            tag: tag.into(),
            text: text.into(),
            device_ms: None,
            place: None,
        };
        self.trace.emit(Some(device), &line)
    }

    fn publish(&self, topic: &str, qos: u8, json: serde_json::Value) -> u64 {
        let packet = Publish {
            topic: Some(topic.into()),
            qos: Some(qos),
            form: Some(PayloadForm::Json),
            payload: Some(json),
            ..Publish::default()
        };
        self.trace.emit(Some("device"), &packet)
    }

    /// Logs `text` after `seconds` from now.
    fn log_later(&self, seconds: u64, text: &'static str) {
        let trace = self.trace.clone();
        let sleep = trace.clock().sleep(Duration::from_secs(seconds));
        tokio::spawn(async move {
            sleep.await;
            let line = LogLine {
                level: Level::Info,
                tag: "app".into(),
                text: text.into(),
                device_ms: None,
                place: None,
            };
            trace.emit(Some("device"), &line);
        });
    }

    async fn expect(&mut self, clause: &str) -> Result<(), Miss> {
        let start = self.trace.clock().now();
        self.expectations
            .meet(&clause_of(clause), &mut self.captures, start)
            .await
    }

    async fn misses(&mut self, clause: &str) -> Miss {
        self.expect(clause).await.expect_err(clause)
    }

    fn now(&self) -> LabTime {
        self.trace.clock().now()
    }
}

fn steps(steps: &str, never: &str) -> language::Scenario {
    let text = format!(
        "name: A try
world: {{ cloud: {{ linkkit: {{}} }}, devices: {{ device: {{}}, other: {{}} }}, phones: [alice] }}
steps: [query: {{ device: device, phone: alice, capture: {{ value: /x, token: /y }} }}, {steps}]
never: [{never}]"
    );
    let cases = parse("try.yaml", &text, &Known::default());
    cases.expect("a scenario").remove(0).scenario
}

fn clause_of(clause: &str) -> Clause {
    match steps(&format!("expect: {clause}"), "")
        .steps
        .remove(1)
        .value
    {
        Step::Expect(Expect::Clause(clause)) => clause,
        other => panic!("{other:?}"),
    }
}

fn never_of(clause: &str) -> Vec<Placed<Never>> {
    steps("wait: 1s", clause).never
}

#[tokio::test]
async fn what_came_before_the_step_counts_at_once() {
    let mut lab = Lab::new();
    lab.log("Provisioning started");
    let before = lab.now();
    lab.expect("{ log: { text: Provisioning }, within: 5s }")
        .await
        .expect("met");
    assert!(lab.now() - before < Duration::from_secs(1));
}

#[tokio::test]
async fn what_comes_in_time_counts_and_what_comes_late_does_not() {
    let mut lab = Lab::new();
    lab.log_later(3, "in time");
    lab.log_later(30, "late");
    lab.expect("{ log: { text: in time }, within: 5s }")
        .await
        .expect("met");
    let before = lab.now();
    let miss = lab.misses("{ log: { text: late }, within: 5s }").await;
    assert_eq!(miss.message, "log \"late\" did not come within 5s");
    let waited = lab.now() - before;
    assert!(
        waited >= Duration::from_secs(5) && waited < Duration::from_secs(20),
        "{waited:?}"
    );
    assert_eq!(miss.until, miss.from + Duration::from_secs(5));
}

#[tokio::test]
async fn each_event_is_consumed_once() {
    let mut lab = Lab::new();
    lab.log("tick");
    lab.log("tick");
    lab.expect("{ log: { text: tick }, within: 1s }")
        .await
        .expect("the first");
    lab.expect("{ log: { text: tick }, within: 1s }")
        .await
        .expect("the second");
    let miss = lab.misses("{ log: { text: tick }, within: 1s }").await;
    assert!(
        miss.nearest
            .expect("the second")
            .lacks
            .contains("reads on from there")
    );
    lab.expect("{ log: { text: tick }, since: start, within: 1s }")
        .await
        .expect("again");
}

#[tokio::test]
async fn since_now_reads_only_what_comes() {
    let mut lab = Lab::new();
    lab.log("tick");
    lab.misses("{ log: { text: tick }, since: now, within: 1s }")
        .await;
    lab.log_later(1, "tick");
    lab.expect("{ log: { text: tick }, since: now, within: 5s }")
        .await
        .expect("the new one");
}

#[tokio::test]
async fn since_power_and_since_fault_read_from_their_last_step_whatever_came_behind_it() {
    let mut lab = Lab::new();
    let clause = |since: &str| format!("{{ log: {{ text: tick }}, since: {since}, within: 0s }}");
    lab.expectations.step_begins(Sets::Power);
    lab.log("tick");
    lab.expectations.step_begins(Sets::Fault);
    lab.misses(&clause("fault")).await;
    lab.expect(&clause("power"))
        .await
        .expect("behind the power");
    lab.log("tick");
    lab.expectations.step_begins(Sets::Nothing);
    lab.misses(&clause("now")).await;
    lab.expect(&clause("fault"))
        .await
        .expect("behind the fault");
}

#[tokio::test]
async fn each_source_and_each_device_has_its_own_cursor() {
    let mut lab = Lab::new();
    lab.publish("t", 0, serde_json::Value::Null);
    lab.line("other", Level::Info, "app", "hello");
    lab.log("hello");
    lab.log("bye");
    lab.expect("{ device: device, log: { text: bye }, within: 1s }")
        .await
        .expect("bye");
    lab.expect("{ mqtt: publish, within: 1s }")
        .await
        .expect("another source");
    lab.expect("{ device: other, log: { text: hello }, within: 1s }")
        .await
        .expect("another device");
    lab.misses("{ device: device, log: { text: hello }, within: 1s }")
        .await;
}

#[tokio::test]
async fn a_line_matches_by_level_tag_and_text() {
    let mut lab = Lab::new();
    lab.line("device", Level::Error, "wifi", "Disconnect reason : 201");
    for clause in [
        "{ log: {}, since: start, within: 0s }",
        "{ log: { level: error }, since: start, within: 0s }",
        "{ log: { tag: wifi, text: 'reason : 201' }, since: start, within: 0s }",
        "{ log: { text: '/reason : 20[1-4]$/' }, since: start, within: 0s }",
    ] {
        lab.expect(clause).await.expect(clause);
    }
    for (clause, lacks) in [
        (
            "{ log: { level: warn, text: reason }, within: 0s }",
            "level is `error`, not `warn`",
        ),
        (
            "{ log: { tag: wif, text: reason }, since: start, within: 0s }",
            "tag is `wifi`, not `wif`",
        ),
        (
            "{ log: { text: 'Disconnect reason : 2 ' }, since: start, within: 0s }",
            "text is `Disconnect reason : 201`, without",
        ),
        (
            "{ log: { text: '/^reason : 2/' }, since: start, within: 0s }",
            "without `/^reason : 2/`",
        ),
    ] {
        let miss = lab.misses(clause).await;
        let nearest = miss.nearest.expect(clause);
        assert!(nearest.lacks.contains(lacks), "{clause}: {}", nearest.lacks);
        assert_eq!(
            miss.instead.last(),
            (!clause.contains("warn")).then_some(&1),
            "{clause}"
        );
    }
}

#[tokio::test]
async fn an_event_matches_by_kind_and_values() {
    let mut lab = Lab::new();
    let seq = lab.publish(
        "/sys/pk/dn/thing/match",
        1,
        serde_json::json!({ "id": "7", "n": 5 }),
    );
    for clause in [
        "{ mqtt: publish, since: start, within: 0s }",
        "{ mqtt: { kind: publish, where: { /qos: 1, /payload/id: '7' } }, since: start, within: 0s }",
        "{ mqtt: { where: { /topic: '/thing.match$/' } }, since: start, within: 0s }",
        "{ mqtt: { where: { /payload/n: '5' } }, since: start, within: 0s }",
    ] {
        lab.expect(clause).await.expect(clause);
    }
    let miss = lab
        .misses(
            "{ mqtt: { kind: publish, where: { /qos: 0, /payload/x: 1 } }, since: start, within: 0s }",
        )
        .await;
    let nearest = miss.nearest.expect("it was near");
    assert_eq!(nearest.seq, seq);
    assert_eq!(nearest.lacks, "/qos is `1`; /payload/x is not there");
    assert_eq!(miss.instead, [seq]);
}

#[tokio::test]
async fn in_order_takes_them_one_after_the_other() {
    let mut lab = Lab::new();
    for text in ["b", "a", "x", "b", "c"] {
        lab.log(text);
    }
    let abc = "{ in_order: [{ log: { text: a } }, { log: { text: b } }, { log: { text: c } }], within: 1s }";
    lab.expect(abc).await.expect("met");
    let mut lab = Lab::new();
    for text in ["c", "a", "b", "bc is what c wants"] {
        lab.log(text);
    }
    lab.log("a");
    let cba = "{ in_order: [{ log: { text: /^c$/ } }, { log: { text: /^b$/ } }, { log: { text: /^a b$/ } }], within: 1s }";
    let miss = lab.misses(cba).await;
    assert_eq!(
        miss.message,
        "2 of 3 events came in order; log /^a b$/ did not follow within 1s"
    );
    assert_eq!(miss.instead, [1, 2, 3, 4, 5][3..]);
}

#[tokio::test]
async fn in_order_one_event_meets_one_pattern() {
    let mut lab = Lab::new();
    lab.log("tick");
    let twice = "{ in_order: [{ log: { text: tick } }, { log: { text: tick } }], within: 1s }";
    lab.misses(twice).await;
    lab.log("tick");
    lab.expect(twice).await.expect("two of them");
}

#[tokio::test]
async fn any_order_finds_a_distribution_and_consumes_the_set() {
    let mut lab = Lab::new();
    lab.log("alpha beta");
    lab.log("alpha");
    lab.publish("t", 0, serde_json::Value::Null);
    let set = "{ any_order: [{ mqtt: publish }, { log: { text: alpha } }, { log: { text: beta } }], within: 1s }";
    lab.expect(set)
        .await
        .expect("the first event moves to the third pattern");
    let miss = lab.misses(set).await;
    assert_eq!(
        miss.message,
        "these events did not come within 1s: mqtt publish, log \"alpha\", log \"beta\""
    );
}

#[tokio::test]
async fn any_order_needs_an_event_for_each() {
    let mut lab = Lab::new();
    lab.log("alpha beta");
    let miss = lab
        .misses("{ any_order: [{ log: { text: alpha } }, { log: { text: beta } }], within: 1s }")
        .await;
    assert!(miss.message.ends_with("log \"beta\""), "{}", miss.message);
}

#[tokio::test]
async fn count_within_ends_when_there_are_enough() {
    let mut lab = Lab::new();
    for second in 1..=4 {
        lab.log_later(second, "tick");
    }
    let before = lab.now();
    lab.expect("{ log: { text: tick }, count: 3, within: 60s }")
        .await
        .expect("three");
    assert!(lab.now() - before < Duration::from_secs(20));
    let miss = lab
        .misses("{ log: { text: tick }, count: { at_least: 2 }, within: 5s }")
        .await;
    assert_eq!(
        miss.message,
        "expected at least 2 log \"tick\" in 5s, saw 1"
    );
}

#[tokio::test]
async fn count_for_looks_at_the_whole_time() {
    let mut lab = Lab::new();
    for second in [1, 2, 3, 40] {
        lab.log_later(second, "tick");
    }
    lab.expect("{ log: { text: tick }, count: 3, for: 10s }")
        .await
        .expect("three in ten seconds");
    assert!(lab.now() >= LabTime::from_secs(10));
    let miss = lab
        .misses("{ log: { text: tick }, count: { at_least: 3, at_most: 5 }, for: 60s }")
        .await;
    assert_eq!(miss.message, "expected 3 to 5 log \"tick\" in 1m, saw 1");
}

#[tokio::test]
async fn one_too_many_fails_at_once() {
    let mut lab = Lab::new();
    for second in 1..=3 {
        lab.log_later(second, "tick");
    }
    let miss = lab
        .misses("{ log: { text: tick }, count: { at_most: 2 }, for: 600s }")
        .await;
    assert!(lab.now() < LabTime::from_secs(60));
    assert_eq!(
        miss.message,
        "expected at most 2 log \"tick\", and one more event matched"
    );
    assert_eq!(miss.nearest.expect("the third").seq, 3);
}

#[tokio::test]
async fn captured_values_are_put_into_later_patterns() {
    let mut lab = Lab::new();
    lab.trace
        .secrets()
        .add_numbered("token", "4786F0F6E1CC7BF8");
    lab.publish("t", 1, serde_json::json!({ "token": "4786F0F6E1CC7BF8" }));
    lab.log("sending 4786F0F6E1CC7BF8 (to app)");
    lab.expect("{ mqtt: publish, capture: { token: /payload/token }, within: 1s }")
        .await
        .expect("met");
    assert_eq!(lab.captures.fill("${token}").as_deref(), Ok("<token 1>"));
    lab.expect("{ log: { text: 'sending ${token}' }, since: start, within: 0s }")
        .await
        .expect("literal");
    lab.expect("{ log: { text: '/ing ${token} .to/' }, since: start, within: 0s }")
        .await
        .expect("regex");
    lab.expect("{ mqtt: { where: { /payload/token: '${token}' } }, since: start, within: 0s }")
        .await
        .expect("field");
    let miss = lab
        .misses("{ log: { text: '${value}' }, within: 0s }")
        .await;
    assert!(
        miss.message.contains("was not captured"),
        "{}",
        miss.message
    );
    let miss = lab
        .misses("{ mqtt: publish, since: start, capture: { value: /payload/nothing }, within: 1s }")
        .await;
    assert!(
        miss.message
            .contains("there is nothing at `/payload/nothing`"),
        "{}",
        miss.message
    );
}

#[tokio::test]
async fn a_secret_in_a_pattern_is_found_all_the_same() {
    let mut lab = Lab::new();
    lab.trace.secrets().add("passphrase home", "correct horse");
    lab.log("Password : correct horse");
    lab.expect("{ log: { text: 'Password : correct horse' }, since: start, within: 0s }")
        .await
        .expect("literal");
    lab.expect("{ log: { text: '/: correct horse$/' }, since: start, within: 0s }")
        .await
        .expect("regex");
    lab.expect("{ log: { text: '<passphrase home>' }, since: start, within: 0s }")
        .await
        .expect("its name");
}

/// A pass for each pattern would take fifty times as long. Counted is what this thread has computed, whatever
/// else the host does.
#[tokio::test]
async fn many_patterns_cost_little_more_than_one_for_each_line() {
    let computed = |patterns: usize| {
        let trace = Trace::in_memory(Clock::start(1000.0));
        let patterns: Vec<String> = (0..patterns)
            .map(|number| format!("{{ log: {{ text: 'wanted number {number} ' }} }}"))
            .collect();
        let clauses = never_of(&patterns.join(", "));
        let mut watch = NeverWatch::new(trace.clone(), clauses).expect("no captures");
        for number in 0..5_000 {
            let line = LogLine {
                level: Level::Info,
                tag: "app".into(),
                text: format!(
                    "wanted something else, line {number} of the device's log, as always"
                ),
                device_ms: None,
                place: None,
            };
            trace.emit(Some("device"), &line);
        }
        let began = thread_time();
        assert!(watch.poll().is_none());
        thread_time() - began
    };
    let least = |patterns| (0..3).map(|_| computed(patterns)).min().unwrap_or_default();
    let (one, fifty) = (least(1), least(50));
    assert!(fifty < one * 10, "{one:?} for one, {fifty:?} for fifty");
}

/// What this thread has computed so far.
fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes `time` alone.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(read, 0);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

proptest! {
    #[test]
    fn any_order_meets_what_some_order_meets(order in Just(vec![0, 1, 2, 3]).prop_shuffle()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut lab = Lab::new();
            let texts = ["a", "a b", "a b c", "a b c d"];
            for index in order {
                lab.log(texts[index]);
            }
            lab.expect("{ any_order: [{ log: { text: a } }, { log: { text: b } }, { log: { text: c } }, { log: { text: d } }], within: 0s }")
                .await
                .expect("there is exactly one distribution");
        });
    }
}
