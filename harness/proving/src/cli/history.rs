//! `proving history`.

use std::fmt::Write;

use report::ExitStatus;
use report::ledger::{History, Record};

use super::arguments::HistoryArguments;
use super::{CommandError, print};

pub(super) fn history(arguments: &HistoryArguments) -> Result<ExitStatus, CommandError> {
    let history =
        History::read(&arguments.ledger).map_err(CommandError::unreadable(&arguments.ledger))?;
    let mut text = String::new();
    for (board, record) in &history.boards {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "board     {board}: {}, {}{}",
            counts(record),
            rate("broken", record, record.broken),
            since(record),
        );
    }
    let mut flaky: Vec<_> = history
        .cases
        .iter()
        .filter(|(_, record)| record.flaky > 0 || (record.failed > 0 && record.passed > 0))
        .collect();
    flaky.sort_by_key(|(_, record)| std::cmp::Reverse(record.flaky + record.failed));
    for (case, record) in flaky {
        let trouble = record.flaky + record.failed;
        let _ = writeln!(
            text,
            "case      {case}: {}, {}{}",
            counts(record),
            rate("flaky or failed", record, trouble),
            since(record),
        );
    }
    if history.unread > 0 {
        let _ = writeln!(text, "note      {} lines could not be read", history.unread);
    }
    if text.is_empty() {
        text.push_str("the ledger is empty\n");
    }
    print(&text)
}

fn counts(record: &Record) -> String {
    format!(
        "{} passed, {} failed, {} broken, {} flaky",
        record.passed, record.failed, record.broken, record.flaky
    )
}

fn rate(what: &str, record: &Record, trouble: u64) -> String {
    let (rate, low, high) = record.rate(trouble);
    format!("{rate:.1} % {what} (95 %: {low:.1} to {high:.1} %)")
}

fn since(record: &Record) -> String {
    match &record.since {
        Some(run) => format!(", in each run since {run}"),
        None => String::new(),
    }
}
