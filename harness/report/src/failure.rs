//! What people read when a case did not pass.

use std::fmt::Write;

use trace::{Event, Failure, Place, Verdict};

use crate::event_text::{lab_time, one_line, text_of};
use crate::excerpt::Excerpt;
use crate::human::{seconds, shell_word, verdict_title};
use crate::{AttemptResult, CaseResult, Paint};

/// Why `case` did not pass, in some twenty lines that end with a line feed: what was wanted, when
/// it was missed, whose fault that is, what came nearest, what the device said last, where to look.
pub fn failure_block(case: &CaseResult, paint: Paint) -> String {
    let title = title(case, paint);
    let rows = match case.telling_attempt() {
        Some(attempt) => attempt_block(case, attempt, paint),
        None => {
            let reason = one_line(case.skipped.as_deref().unwrap_or("not run"));
            let mut block = Block::new(paint);
            block.row(
                "but",
                format!("skipped, which --no-skips forbids: {reason}"),
            );
            block.text
        }
    };
    title + &rows
}

/// The rows of one attempt, without a title.
pub(crate) fn attempt_block(case: &CaseResult, attempt: &AttemptResult, paint: Paint) -> String {
    let mut block = Block::new(paint);
    if let Some(failure) = &attempt.failure {
        block.failure(failure, &Excerpt::of(&attempt.trace()));
    }
    block.rows(
        "stderr",
        attempt.stderr_tail.iter().map(|line| one_line(line)),
    );
    block.rows(
        "leaked",
        attempt.leaked.iter().map(|process| one_line(process)),
    );
    block.row("trace", attempt.trace().display());
    block.row("again", again(case, attempt));
    block.text
}

fn title(case: &CaseResult, paint: Paint) -> String {
    let mut title = format!(
        "{} {}",
        verdict_title(case.verdict, 0, paint),
        paint.strong(one_line(&case.case)),
    );
    if case.verdict == Verdict::Flaky {
        let count = |verdict| {
            case.attempts
                .iter()
                .filter(|a| a.verdict == verdict)
                .count()
        };
        let failed = count(Verdict::Failed);
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            title,
            ": {failed} of {} attempts failed",
            case.attempts.len()
        );
    }
    title.push('\n');
    title
}

/// The command that runs the same attempt once more.
pub(crate) fn again(case: &CaseResult, attempt: &AttemptResult) -> String {
    let conditions = &attempt.conditions;
    let name = conditions.case_id.as_ref().unwrap_or(&case.case);
    let mut command = format!(
        "proving run {} -E {} --seed {}",
        shell_word(&case.scenario.to_string_lossy()),
        shell_word(&format!("name(={name})")),
        attempt.seed,
    );
    for (option, value) in conditions.options() {
        let _ = write!(command, " {option} {}", shell_word(&value));
    }
    if let Some(bug) = &attempt.bug {
        let _ = write!(command, " --bug {}", shell_word(bug));
    }
    command
}

struct Block {
    text: String,
    paint: Paint,
}

impl Block {
    fn new(paint: Paint) -> Self {
        Self {
            text: String::new(),
            paint,
        }
    }

    fn failure(&mut self, failure: &Failure, excerpt: &Excerpt) {
        let moment = excerpt.moment(failure);
        self.row("wanted", one_line(&failure.label));
        if let Some(place) = &failure.place {
            self.row("", at(place, failure.step));
        }
        self.rows("but", failure.message.lines().map(one_line));
        if let Some(moment) = moment {
            self.row("when", when(moment, excerpt));
        }
        self.rows("blame", failure.blame.lines().map(one_line));
        let device = excerpt.several_devices();
        if let Some(nearest) = &failure.nearest {
            match excerpt.event(nearest.seq) {
                Some(event) => self.row("nearest", self.event(event, device)),
                None => self.row("nearest", format!("event {}", nearest.seq)),
            }
            self.row("", format!("but {}", one_line(&nearest.lacks)));
        }
        let instead = failure.instead.iter().filter_map(|seq| excerpt.event(*seq));
        let instead: Vec<_> = instead.collect();
        self.events("instead", &instead, device);
        let mut last = excerpt.last_lines(moment);
        let nearest = failure.nearest.as_ref().map(|nearest| nearest.seq);
        last.retain(|event| {
            nearest != Some(event.seq) && !instead.iter().any(|shown| shown.seq == event.seq)
        });
        self.events("log", &last, device);
        let unread: Vec<_> = excerpt.unread().take(1).collect();
        self.events("unread", &unread, device);
        if let Some(diagnosis) = &failure.diagnosis {
            self.rows("look at", diagnosis.lines().map(one_line));
        }
    }

    fn events(&mut self, title: &str, events: &[&Event], device: bool) {
        let lines: Vec<_> = events
            .iter()
            .map(|event| self.event(event, device))
            .collect();
        self.rows(title, lines);
    }

    fn event(&self, event: &Event, device: bool) -> String {
        let mut line = self.paint.faint(format!("{:>11}", lab_time(event.lab_us)));
        if device && let Some(device) = &event.device {
            let _ = write!(line, " {}", one_line(device));
        }
        let _ = write!(line, " {}", text_of(event));
        line
    }

    fn rows(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        for (index, line) in lines.into_iter().enumerate() {
            self.row(if index == 0 { title } else { "" }, line);
        }
    }

    fn row(&mut self, title: &str, line: impl std::fmt::Display) {
        let title = self.paint.faint(format!("{title:<8}"));
        let _ = writeln!(self.text, "  {title} {line}");
    }
}

fn at(place: &Place, step: Option<usize>) -> String {
    let at = format!("{}:{}:{}", one_line(&place.file), place.line, place.column);
    match step {
        Some(step) => format!("{at} (step {step})"),
        None => at,
    }
}

fn when(moment: &Event, excerpt: &Excerpt) -> String {
    let lab = seconds(moment.lab_us / 1000);
    match excerpt.device_ms(Some(moment)) {
        Some(ms) => format!(
            "{lab} of lab time; the device's last line says {}",
            seconds(ms)
        ),
        None => format!("{lab} of lab time; the device never said what time it had"),
    }
}
