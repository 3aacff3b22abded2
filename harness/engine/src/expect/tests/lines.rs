//! Lines of a log: records of several, and those that are late.

use super::*;

#[tokio::test]
async fn a_regular_expression_is_matched_on_a_record_and_on_each_of_its_lines() {
    for (text, is_met) in [
        ("/^Received Wi-Fi credentials$/", true),
        ("/^\\tSSID +: lab$/", true),
        ("/: secret$/", true),
        ("/credentials\\n\\tSSID/", true),
        ("/^SSID/", false),
        ("/^$/", false),
    ] {
        let mut lab = Lab::new();
        lab.log("Received Wi-Fi credentials\n\tSSID     : lab\n\tPassword : secret");
        let clause = format!("{{ log: {{ text: '{text}' }}, within: 1s }}");
        assert_eq!(lab.expect(&clause).await.is_ok(), is_met, "{text}");
    }
    // One record counts once, however many of its lines match.
    let mut lab = Lab::new();
    lab.log("a row\na row\na row");
    lab.expect("{ log: { text: '/^a row$/' }, count: 1, for: 1s }")
        .await
        .expect("one record");
}

#[tokio::test]
async fn a_line_is_given_the_time_that_its_wire_takes_and_other_events_are_not() {
    let mut lab = Lab::new();
    lab.expectations = Expectations::new(lab.trace.clone()).with_log_delay(Duration::from_secs(3));
    lab.log_later(2, "on the wire");
    lab.expect("{ log: { text: on the wire }, within: 0s }")
        .await
        .expect("met");
    let before = lab.now();
    lab.misses("{ mqtt: { kind: publish }, within: 0s }").await;
    lab.expect("{ never: [{ log: { text: bad } }], for: 0s }")
        .await
        .expect("met");
    assert!(lab.now() - before < Duration::from_secs(1));
    lab.log_later(2, "on the wire again");
    let publishes_late = {
        let trace = lab.trace.clone();
        let sleep = trace.clock().sleep(Duration::from_secs(1));
        async move {
            sleep.await;
            trace.emit(Some("device"), &Publish::default());
        }
    };
    tokio::spawn(publishes_late);
    lab.misses(
        "{ any_order: [{ log: { text: again } }, { mqtt: { kind: publish } }], within: 0s }",
    )
    .await;
}
