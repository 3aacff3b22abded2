//! The device's whole log against a snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use language::Transcript;
use trace::{Level, Trace};

use super::problem::{Missed, Problem};
use crate::run::Job;

/// Folder of the snapshots, beside the scenario.
const FOLDER: &str = "snapshots";

/// What differs from run to run, and the name that stands in its place.
const FILTERS: [(&str, &str); 6] = [
    // Bytes of the MAC, as ESP-IDF's documents write such a name.
    (r"PROV_[0-9A-F]{6}", "PROV_XXXXXX"),
    (r"\b([0-9A-F]{2}:){5}[0-9A-F]{2}\b", "<mac>"),
    (r"\b\d{1,3}(\.\d{1,3}){3}\b", "<address>"),
    (r"\b\d{10}(\d{3}|\d{6})?\b", "<unix time>"),
    (r#""remainTime":\d+"#, r#""remainTime":<ms>"#),
    (r"\b\d+ ms\b", "<n> ms"),
];

/// Compares the log of `device` so far, lines of level info and graver, with the snapshot; renews
/// the snapshot if the job says so.
pub fn compare(job: &Job, wanted: &Transcript, device: &str, trace: &Trace) -> Result<(), Problem> {
    let log: String = trace
        .events_from(0)
        .filter(|event| event.device.as_deref() == Some(device))
        .filter_map(|event| {
            let line = event.line().filter(|line| line.level <= Level::Info)?;
            let letter = line.level.letter();
            Some(format!("{letter} {}: {}\n", line.tag, line.text))
        })
        .collect();
    let scenario =
        std::path::absolute(&job.scenario_file).unwrap_or_else(|_| job.scenario_file.clone());
    let folder = scenario.parent().unwrap_or(Path::new("/")).join(FOLDER);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_input_file(&scenario);
    for (pattern, name) in FILTERS {
        settings.add_filter(pattern, name);
    }
    let name = if job.own_transcripts {
        format!("{}.{}", wanted.name, job.board)
    } else {
        wanted.name.value.clone()
    };
    let compared = catch_unwind(AssertUnwindSafe(|| {
        settings.bind(|| insta::assert_snapshot!(name.as_str(), log));
    }));
    compared.map_err(|_| {
        Missed::saying(format!(
            "the log of {device} is not the transcript {}: the difference is in worker.out; if it \
             is right, renew it with `proving run --accept`",
            wanted.name
        ))
    })
}
