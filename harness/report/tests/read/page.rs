//! Pages for a browser, as far as no browser is needed to judge them.

use std::fs;

use proptest::prelude::*;
use report::{HtmlError, html_of_run, html_of_traces};

use crate::world::World;

/// Script elements of a page: the overview, the script, and the events of each attempt.
fn scripts(page: &str) -> usize {
    assert_eq!(
        page.matches("<script").count(),
        page.matches("</script>").count()
    );
    page.matches("<script").count()
}

#[test]
fn the_page_of_a_run_has_the_events_of_each_attempt_that_wrote_any() {
    let world = World::new();
    let page = html_of_run(&world.summary()).unwrap();
    // Of wrong_pop, of its like in the flaky case, and the empty one of expired.
    assert_eq!(scripts(&page), 2 + 3);
    assert!(page.contains("\"absent\":\"failed to open "));
}

#[test]
fn a_run_that_was_moved_is_found_below_its_folder() {
    let world = World::new();
    let mut summary = world.summary();
    let was = "/where/it/was";
    for attempt in summary.cases.iter_mut().flat_map(|case| &mut case.attempts) {
        let below = attempt
            .folder
            .strip_prefix(world.path())
            .unwrap()
            .to_owned();
        attempt.folder = std::path::Path::new(was).join(below);
    }
    summary.folder = was.into();
    let text = serde_json::to_vec(&summary).unwrap();
    fs::write(world.path().join("summary.json"), text).unwrap();
    let page = html_of_traces(&[world.path().to_owned()]).unwrap();
    assert_eq!(scripts(&page), 2 + 3);
}

#[test]
fn what_is_no_trace_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let error = html_of_traces(&[folder.path().to_owned()]).unwrap_err();
    assert!(matches!(error, HtmlError::NoTrace(_)), "{error}");
    let missing = folder.path().join("no-such-file");
    let error = html_of_traces(&[missing]).unwrap_err();
    assert!(matches!(error, HtmlError::Read { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_of_a_trace_become_markup(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in ".{0,40}(</script>|<!--|]]>|<script>)?.{0,40}",
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let line = format!(
            "{{\"seq\":0,\"lab_us\":0,\"wall_us\":0,\"source\":\"engine\",\"kind\":\"finished\",\
             \"data\":{{\"verdict\":\"failed\",\"failure\":{{\"label\":{text},\"message\":{text},\
             \"blame\":{text}}}}}}}\n",
            text = serde_json::json!(text)
        );
        fs::write(&path, [line.as_bytes(), &bytes].concat()).unwrap();
        let page = html_of_traces(&[path]).unwrap();
        prop_assert_eq!(scripts(&page), 3);
    }
}
