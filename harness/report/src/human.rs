//! Messages for people: plain lines, and live progress where a terminal can show it.

use std::io::{self, Write};

use trace::Verdict;

use crate::live::Live;
use crate::result::verdict_word;
use crate::{CaseResult, Counts, Message, Paint, Reporter, RunSummary, failure_block};

/// Writes for people: a line per case as it ends, then a block for each that did not pass, then
/// the summary line.
pub struct Human<W> {
    out: W,
    paint: Paint,
    live: Option<Live>,
}

impl<W: Write> Human<W> {
    /// Writes plain lines to `out`.
    pub fn plain(out: W, paint: Paint) -> Self {
        Self {
            out,
            paint,
            live: None,
        }
    }

    /// Writes lines to `out`, which is a terminal, and the running steps below them.
    pub fn live(out: W, paint: Paint) -> Self {
        Self {
            out,
            paint,
            live: Some(Live::new(paint)),
        }
    }

    /// What a message says to people; nothing for one that only live progress shows.
    pub(crate) fn text(&self, message: &Message) -> String {
        match message {
            Message::RunStarted {
                cases,
                repeat,
                jobs,
                seed,
                folder,
                ..
            } => {
                let mut line = format!("{cases} {}", plural(*cases, "case", "cases"));
                if *repeat > 1 {
                    line.push_str(&format!(", {repeat} attempts each"));
                }
                line.push_str(&format!(
                    ", {jobs} at a time, seed {seed}, into {}\n",
                    folder.display(),
                ));
                self.paint.faint(line)
            }
            Message::CaseFinished { result } => case_line(result, self.paint),
            Message::Notice { text } => format!("{}\n", self.paint.odd(text)),
            Message::RunFinished { summary, .. } => self.finished(summary),
            Message::AttemptStarted { .. }
            | Message::AttemptFinished { .. }
            | Message::StepStarted { .. }
            | Message::StepEnded { .. } => String::new(),
        }
    }

    fn lines(&mut self, text: &str) -> io::Result<()> {
        let Self { out, live, .. } = self;
        let mut write = || {
            out.write_all(text.as_bytes())?;
            out.flush()
        };
        match live {
            Some(live) => live.suspend(&mut write),
            None => write(),
        }
    }

    fn finished(&self, summary: &RunSummary) -> String {
        let mut text = String::new();
        for case in &summary.cases {
            if !matches!(case.verdict, Verdict::Passed | Verdict::Skipped) {
                text.push('\n');
                text.push_str(&failure_block(case, self.paint));
            }
        }
        text.push('\n');
        text.push_str(&crate::skips::lines(summary, self.paint));
        text.push_str(&quarantine_lines(summary, self.paint));
        text.push_str(&summary_line(summary, self.paint));
        text.push('\n');
        text
    }
}

impl<W: Write> Reporter for Human<W> {
    fn take(&mut self, message: &Message) -> io::Result<()> {
        if let Some(live) = &mut self.live {
            live.take(message);
        }
        match self.text(message) {
            text if text.is_empty() => Ok(()),
            text => self.lines(&text),
        }
    }

    fn tick(&mut self) {
        if let Some(live) = &mut self.live {
            live.tick();
        }
    }
}

fn case_line(case: &CaseResult, paint: Paint) -> String {
    let title = verdict_title(case.verdict, 7, paint);
    let id = crate::event_text::one_line(&case.case);
    let mut line = match &case.skipped {
        Some(_) => format!("{title} {:>9}  {id}", ""),
        None => format!("{title} {:>9}  {id}", seconds(case.wall_ms())),
    };
    if let Some(reason) = &case.skipped {
        line.push_str(&format!(": {}", crate::event_text::one_line(reason)));
    }
    if case.skipped.is_none()
        && let Some(why) = &case.difference
    {
        line.push_str(&paint.faint(format!("  (otherwise here: {why})")));
    }
    let not_passed = !matches!(case.verdict, Verdict::Passed | Verdict::Skipped);
    if not_passed && let Some(place) = place_of(case) {
        line.push_str(&paint.faint(format!("  {place}")));
    }
    line.push('\n');
    line
}

fn place_of(case: &CaseResult) -> Option<String> {
    let place = case.telling_attempt()?.failure.as_ref()?.place.as_ref()?;
    Some(format!("{}:{}:{}", place.file, place.line, place.column))
}

/// The cases in quarantine, and what became of them; nothing if there are none.
fn quarantine_lines(summary: &RunSummary, paint: Paint) -> String {
    let mut text = String::new();
    for (case, quarantine) in &summary.quarantined {
        let verdict = summary.cases.iter().find(|result| &result.case == case);
        let Some(verdict) = verdict.map(|result| result.verdict) else {
            continue;
        };
        let line = format!(
            "{} {}: {}",
            verdict_word(verdict),
            crate::event_text::one_line(case),
            crate::event_text::one_line(&quarantine.told()),
        );
        text.push_str(&paint.odd(line));
        text.push('\n');
    }
    text
}

/// `N passed, N failed, N broken, N flaky, N skipped in X s`.
fn summary_line(summary: &RunSummary, paint: Paint) -> String {
    let Counts {
        passed,
        failed,
        broken,
        flaky,
        skipped,
    } = summary.counts();
    let count = |number: usize, verdict: Verdict| {
        let text = format!("{number} {}", verdict_word(verdict));
        if number == 0 {
            return text;
        }
        match verdict {
            Verdict::Passed => paint.good(text),
            Verdict::Failed | Verdict::Flaky => paint.bad(text),
            Verdict::Broken | Verdict::Skipped => paint.odd(text),
        }
    };
    let mut line = format!(
        "{}, {}, {}, {}, {} in {}",
        count(passed, Verdict::Passed),
        count(failed, Verdict::Failed),
        count(broken, Verdict::Broken),
        count(flaky, Verdict::Flaky),
        count(skipped, Verdict::Skipped),
        seconds(summary.wall_ms),
    );
    if summary.interrupted {
        line.push_str(&paint.odd(" (interrupted)"));
    }
    line
}

/// A verdict in capitals, at least `width` characters wide.
pub(crate) fn verdict_title(verdict: Verdict, width: usize, paint: Paint) -> String {
    let word = format!("{:>width$}", verdict_word(verdict).to_uppercase());
    match verdict {
        Verdict::Passed => paint.good(word),
        Verdict::Failed | Verdict::Flaky => paint.bad(word),
        Verdict::Broken | Verdict::Skipped => paint.odd(word),
    }
}

/// `ms` in s with three decimals, such as `1.240 s`.
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

pub(crate) fn plural<'w>(number: usize, one: &'w str, many: &'w str) -> &'w str {
    if number == 1 { one } else { many }
}

/// `word` such that a shell takes it as one.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
