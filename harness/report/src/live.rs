//! The running steps, below the lines of a terminal.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use trace::Verdict;

use crate::event_text::one_line;
use crate::{Message, Paint};

/// A spinner for each running attempt and a bar for the whole run.
pub(crate) struct Live {
    bars: MultiProgress,
    total: ProgressBar,
    running: BTreeMap<(String, u32), ProgressBar>,
    trouble: usize,
    paint: Paint,
}

impl Live {
    pub(crate) fn new(paint: Paint) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let total = bars.add(ProgressBar::new(0).with_style(style("{bar:30} {pos}/{len} {msg}")));
        Self {
            bars,
            total,
            running: BTreeMap::new(),
            trouble: 0,
            paint,
        }
    }

    /// Runs `write`, which writes whole lines to the same terminal.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bars.suspend(write)
    }

    pub(crate) fn tick(&self) {
        for bar in self.running.values() {
            bar.tick();
        }
    }

    pub(crate) fn take(&mut self, message: &Message) {
        match message {
            Message::RunStarted { cases, .. } => self.total.set_length(*cases as u64),
            Message::AttemptStarted { case, attempt, .. } => self.start(case, *attempt),
            Message::StepStarted {
                case,
                attempt,
                step,
                label,
            } => {
                if let Some(bar) = self.running.get(&(case.clone(), *attempt)) {
                    bar.set_message(format!("step {step}: {}", one_line(label)));
                }
            }
            Message::AttemptFinished { result } => {
                let key = (result.case.clone(), result.attempt);
                if let Some(bar) = self.running.remove(&key) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            Message::CaseFinished { result } => {
                self.total.inc(1);
                if !matches!(result.verdict, Verdict::Passed | Verdict::Skipped) {
                    self.trouble += 1;
                    let text = format!("{} did not pass", self.trouble);
                    self.total.set_message(self.paint.bad(text));
                }
            }
            Message::RunFinished { .. } => self.total.finish_and_clear(),
            Message::StepEnded { .. } | Message::Notice { .. } => {}
        }
    }

    fn start(&mut self, case: &str, attempt: u32) {
        let bar = ProgressBar::new_spinner()
            .with_style(style("{spinner} {elapsed:>4} {prefix}  {wide_msg}"))
            .with_prefix(one_line(case));
        let bar = self.bars.insert_before(&self.total, bar);
        bar.tick();
        self.running.insert((case.to_owned(), attempt), bar);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}
