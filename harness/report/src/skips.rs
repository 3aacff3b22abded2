//! Skipped cases, grouped by reason.

use std::collections::BTreeMap;

use trace::Verdict;

use crate::event_text::one_line;
use crate::{Paint, RunSummary};

/// A line per reason, such as `12 skipped: needs power`: the most frequent first, then by text.
pub(crate) fn lines(summary: &RunSummary, paint: Paint) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for case in &summary.cases {
        if case.verdict == Verdict::Skipped {
            let reason = one_line(case.skipped.as_deref().unwrap_or("not run"));
            *counts.entry(reason).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    // Stable: equal counts stay sorted by text.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let line = |(reason, count): (String, usize)| {
        format!("{}: {reason}\n", paint.odd(format!("{count} skipped")))
    };
    counts.into_iter().map(line).collect()
}
