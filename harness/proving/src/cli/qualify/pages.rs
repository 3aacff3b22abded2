//! A qualification as a page for a browser.

use std::collections::BTreeMap;
use std::path::Path;

use report::{HtmlError, PageSection, RunSummary, html_of_run_with};

use super::record::Record;
use super::told;

/// The page of the run, with the verdict and the numbers on top. Traces are read below `root`, and scenarios, by
/// their paths, are those of `texts`.
pub(super) fn page(
    summary: &RunSummary,
    root: &Path,
    record: &Record,
    texts: &BTreeMap<String, String>,
) -> Result<String, HtmlError> {
    let mut sections = vec![PageSection {
        title: told::verdict(record),
        lines: told::numbers(record),
    }];
    if let Some(comparison) = &record.comparison {
        sections.push(PageSection {
            title: "Beside the earlier release".to_owned(),
            lines: told::differences(comparison, &record.changed_sources),
        });
    }
    html_of_run_with(summary, root, sections, texts)
}
