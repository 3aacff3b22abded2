//! Expectations over a trace most of which is in its file alone.

use super::*;

/// Far more than stay in memory.
const LINES: u64 = 40_000;

/// A lab whose trace has a file, and in it one odd line and then many that are alike.
fn long(folder: &tempfile::TempDir) -> Lab {
    let path = folder.path().join("trace.jsonl");
    let trace = Trace::create(Clock::start(1000.0), &path).expect("a trace");
    let lab = Lab {
        expectations: Expectations::new(trace.clone()),
        captures: Captures::default(),
        trace,
    };
    lab.line("device", Level::Error, "app", "the odd one");
    lab.publish("odd", 1, serde_json::json!({ "token": "T0K3N" }));
    let _gather = lab.trace.gather();
    for number in 0..LINES {
        lab.log(&format!("line {number}: {}", "x".repeat(60)));
    }
    lab
}

#[tokio::test]
async fn what_is_in_the_file_alone_is_expected_captured_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lab = long(&folder);
    lab.expect("{ log: { text: the odd one, level: error }, within: 0s }")
        .await
        .expect("the first line");
    lab.expect("{ mqtt: publish, capture: { token: /payload/token }, within: 0s }")
        .await
        .expect("the only packet");
    assert_eq!(lab.captures.fill("${token}").as_deref(), Ok("T0K3N"));
    lab.expect(&format!(
        "{{ log: {{ tag: app, level: info }}, count: {LINES}, within: 0s }}"
    ))
    .await
    .expect("every line");
    // All of them are consumed now; `since: start` sees them all the same.
    lab.misses("{ log: { text: line 17 }, within: 0s }").await;
    lab.expect("{ log: { text: 'line 17:' }, since: start, within: 0s }")
        .await
        .expect("line 17");
    lab.expect("{ log: { text: '/odd/' }, since: start, within: 0s }")
        .await
        .expect("the first line");
}

#[tokio::test]
async fn never_sees_what_is_in_the_file_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = long(&folder);
    let clauses = never_of("{ log: { level: error } }");
    let mut watch = NeverWatch::new(lab.trace.clone(), clauses).expect("ready");
    let violation = watch.poll().expect("the first line");
    assert_eq!(violation.event.seq, 1);
    assert!(watch.poll().is_none());
}

#[tokio::test]
async fn a_miss_names_what_came_instead_of_all_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lab = long(&folder);
    let miss = lab
        .misses("{ log: { text: 'line 39999: y' }, within: 0s }")
        .await;
    let last = LINES + 2;
    assert_eq!(miss.instead, (last - 4..=last).collect::<Vec<_>>());
    assert!(miss.nearest.is_some());
}

#[tokio::test]
async fn patterns_that_do_not_compile_together_are_an_error() {
    let lab = Lab::new();
    // As large as one may be, each with a value that is known only when it runs.
    let clauses: Vec<_> = ('a'..='z')
        .flat_map(|letter| {
            let mut clauses = never_of("{ log: { text: anything } }");
            for clause in &mut clauses {
                let text = format!("/{letter}\\w{{60}}/");
                clause.value.pattern.text = Some(Placed::new(text, clause.span));
            }
            clauses
        })
        .collect();
    let error = NeverWatch::new(lab.trace.clone(), clauses).err();
    assert!(matches!(error, Some(NotReady::Expressions(_))), "{error:?}");
}
