//! Records of several lines.

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
