//! GitHub Actions: annotations at the scenario's line, and a step summary.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::PathBuf;

use trace::Verdict;

use crate::event_text::one_line;
use crate::{CaseResult, Human, Message, Paint, Reporter, RunSummary, failure_block};

/// Annotations of one kind that a step may have; what is above them vanishes without a word.
const ANNOTATIONS: usize = 10;
/// Bytes of a step summary; one above 1 MiB is lost as a whole.
const SUMMARY: usize = 1000 * 1024;
/// Characters of a message.
const MESSAGE: usize = 4000;

/// Writes for people, keeps what devices log from being taken for commands, and ends with annotations.
pub struct GitHub<W> {
    human: Human<io::Sink>,
    out: W,
    /// Ends the stretch in which nothing is a command.
    token: String,
    /// Where the step's summary is appended.
    step_summary: Option<PathBuf>,
}

impl<W: Write> GitHub<W> {
    /// Writes to `out`; appends the summary to the file that GitHub names in GITHUB_STEP_SUMMARY.
    pub fn new(out: W, step_summary: Option<PathBuf>) -> Self {
        // A device cannot know it, and so cannot end the stretch.
        let token = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Self {
            human: Human::plain(io::sink(), Paint::new(false)),
            out,
            token,
            step_summary,
        }
    }

    fn finished(&mut self, summary: &RunSummary) -> io::Result<()> {
        writeln!(self.out, "::{}::", self.token)?;
        self.out.write_all(annotations(summary).as_bytes())?;
        if let Some(path) = &self.step_summary {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(step_summary(summary).as_bytes()))?;
        }
        self.out.flush()
    }
}

impl<W: Write> Reporter for GitHub<W> {
    fn take(&mut self, message: &Message) -> io::Result<()> {
        if let Message::RunStarted { .. } = message {
            writeln!(self.out, "::stop-commands::{}", self.token)?;
        }
        self.out.write_all(self.human.text(message).as_bytes())?;
        self.out.flush()?;
        match message {
            Message::RunFinished { summary, .. } => self.finished(summary),
            _ => Ok(()),
        }
    }
}

/// An annotation for each case that did not pass: an error for what failed, a warning for the rest.
pub fn annotations(summary: &RunSummary) -> String {
    let mut text = String::new();
    let of = |case: &&CaseResult, error: bool| {
        let counts = summary.counts_for_exit(case);
        let wanted = match case.verdict {
            Verdict::Failed => counts == error,
            Verdict::Broken | Verdict::Flaky => !error,
            Verdict::Passed | Verdict::Skipped => false,
        };
        wanted.then_some(())
    };
    for (command, error) in [("error", true), ("warning", false)] {
        let cases: Vec<&CaseResult> = summary
            .cases
            .iter()
            .filter(|case| of(case, error).is_some())
            .collect();
        let most = if cases.len() > ANNOTATIONS {
            ANNOTATIONS - 1
        } else {
            ANNOTATIONS
        };
        for case in cases.iter().take(most) {
            text.push_str(&annotation(command, case, summary));
        }
        if cases.len() > most {
            let _ = writeln!(
                text,
                "::{command} title={} more::{} more did not pass: see the step's summary",
                cases.len() - most,
                cases.len() - most,
            );
        }
    }
    text
}

fn annotation(command: &str, case: &CaseResult, summary: &RunSummary) -> String {
    let failure = case.telling_attempt().and_then(|a| a.failure.as_ref());
    let mut message = match failure {
        Some(failure) => failure.message.clone(),
        None => case.skipped.clone().unwrap_or_default(),
    };
    if let Some(failure) = failure {
        if let Some(diagnosis) = &failure.diagnosis {
            message = format!("{diagnosis}\n{message}");
        }
        message.push_str(&format!("\nblame: {}", failure.blame));
    }
    if let Some(quarantine) = summary.quarantined.get(&case.case) {
        message.push_str(&format!("\n{}", quarantine.told()));
    }
    let message: String = message.chars().take(MESSAGE).collect();
    let place = failure.and_then(|failure| failure.place.as_ref());
    let file = case.scenario.to_string_lossy();
    let (file, at) = match place {
        Some(place) => (
            place.file.as_str(),
            format!(",line={},col={}", place.line, place.column),
        ),
        None => (&*file, String::new()),
    };
    format!(
        "::{command} file={}{at},title={}::{}\n",
        property(file.strip_prefix("./").unwrap_or(file)),
        property(&format!(
            "{} {}",
            crate::result::verdict_word(case.verdict),
            case.case
        )),
        data(&message),
    )
}

/// A message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The step's summary in Markdown: of each case that did not pass, the diagnosis first.
pub fn step_summary(summary: &RunSummary) -> String {
    let counts = summary.counts();
    let mut text = format!(
        "## Proving: {} passed, {} failed, {} broken, {} flaky, {} skipped\n\n",
        counts.passed, counts.failed, counts.broken, counts.flaky, counts.skipped
    );
    let not_passed =
        |case: &&CaseResult| !matches!(case.verdict, Verdict::Passed | Verdict::Skipped);
    let cases: Vec<&CaseResult> = summary.cases.iter().filter(not_passed).collect();
    for (number, case) in cases.iter().enumerate() {
        let section = section(case, summary);
        // Room for the line that says how many are left out.
        if text.len() + section.len() > SUMMARY - 200 {
            let _ = writeln!(text, "{} more are left out here.", cases.len() - number);
            break;
        }
        text.push_str(&section);
    }
    text
}

fn section(case: &CaseResult, summary: &RunSummary) -> String {
    let word = crate::result::verdict_word(case.verdict);
    let mut text = format!("### {word}: {}\n\n", escaped(&case.case));
    if let Some(quarantine) = summary.quarantined.get(&case.case) {
        let _ = writeln!(text, "{}\n", escaped(&quarantine.told()));
    }
    let failure = case.telling_attempt().and_then(|a| a.failure.as_ref());
    if let Some(diagnosis) = failure.and_then(|failure| failure.diagnosis.as_ref()) {
        for line in diagnosis.lines() {
            let _ = writeln!(text, "> {}  ", escaped(line));
        }
        text.push('\n');
    }
    let block = failure_block(case, Paint::new(false));
    let fence = fence(&block);
    let _ = write!(text, "{fence}text\n{block}{fence}\n\n");
    text
}

/// A fence longer than any run of backticks inside.
fn fence(text: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len);
    "`".repeat(runs.max().unwrap_or(0).max(2) + 1)
}

/// Text of others in Markdown, in one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // Would mention somebody.
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_logs_ends_no_command_and_begins_none() {
        assert_eq!(data("100 %\r\n::error::x"), "100 %25%0D%0A::error::x");
        assert_eq!(property("a: b, c\nd"), "a%3A b%2C c%0Ad");
    }

    #[test]
    fn markdown_of_others_stays_text() {
        assert_eq!(
            escaped("<img src=x> @all `a` | *b*"),
            "&lt;img src=x&gt; &#64;all \\`a\\` \\| \\*b\\*"
        );
        assert_eq!(fence("a ``` b"), "````");
        assert_eq!(fence("a"), "```");
    }
}
