//! The loop that starts workers and waits for them: one thread, no locks.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use report::{AttemptResult, CaseResult, FORMAT_VERSION, Message, Reporter, RunSummary};
use trace::{Event, Failure, StepEnded, StepStarted, Verdict};

use super::judge::{self, OpenStep};
use super::signals::Signals;
use super::worker::{EndReason, Worker};
use super::{Case, Job, Plan, RunError, Settings, folder, group};

/// How often the traces are read and progress is drawn.
const TICK: Duration = Duration::from_millis(100);

/// Runs `plan`, tells `reporter` what happens, and returns how it ended.
///
/// Workers die with the calling thread; it must live until this returns, which it does once
/// nothing is left of any worker. SIGINT, SIGTERM and SIGHUP end the run in order, a second one at
/// once. Several calls in one process do not disturb each other, except that each is woken by the
/// others' children.
pub fn run(
    plan: &Plan,
    settings: &Settings,
    reporter: &mut dyn Reporter,
) -> Result<RunSummary, RunError> {
    let signals = Signals::install().map_err(RunError::Signals)?;
    group::adopt_orphans();
    let (name, folder) = folder::create(&settings.out)?;
    let mut run = Dispatcher::new(plan, settings, reporter, signals, folder);
    run.report(&Message::RunStarted {
        version: FORMAT_VERSION,
        run: name.clone(),
        folder: run.folder.clone(),
        seed: settings.seed,
        cases: plan.cases.len(),
        repeat: plan.repeat.max(1),
        jobs: settings.jobs.get(),
    });
    run.dispatch();
    let summary = run.summary(name);
    run.store(&summary);
    run.report(&Message::RunFinished {
        exit: summary.exit_status() as u8,
        summary: summary.clone(),
    });
    Ok(summary)
}

struct Dispatcher<'r> {
    settings: &'r Settings,
    /// None once the output is gone.
    reporter: Option<&'r mut dyn Reporter>,
    signals: Signals,
    folder: PathBuf,
    started: Instant,
    started_at: SystemTime,
    cases: Vec<CaseRun<'r>>,
    waiting: VecDeque<Next>,
    running: Vec<Running>,
    stopping: Option<Stop>,
}

struct CaseRun<'r> {
    case: &'r Case,
    folder: String,
    /// Attempts that are waiting or running.
    open: u32,
    attempts: Vec<AttemptResult>,
    result: Option<CaseResult>,
}

/// An attempt that waits for its worker.
#[derive(Clone, Copy)]
struct Next {
    case: usize,
    attempt: u32,
}

struct Running {
    next: Next,
    seed: u64,
    folder: PathBuf,
    worker: Worker,
    open: Option<OpenStep>,
}

/// Why nothing more is started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    FailFast,
    Interrupted,
}

impl<'r> Dispatcher<'r> {
    fn new(
        plan: &'r Plan,
        settings: &'r Settings,
        reporter: &'r mut dyn Reporter,
        signals: Signals,
        folder: PathBuf,
    ) -> Self {
        let repeat = plan.repeat.max(1);
        let names = folder::names(plan.cases.iter().map(|case| case.id.as_str()));
        let cases: Vec<_> = plan
            .cases
            .iter()
            .zip(names)
            .map(|(case, folder)| CaseRun {
                case,
                folder,
                open: repeat,
                attempts: Vec::new(),
                result: None,
            })
            .collect();
        let waiting = (0..cases.len())
            .flat_map(|case| (1..=repeat).map(move |attempt| Next { case, attempt }))
            .collect();
        Self {
            settings,
            reporter: Some(reporter),
            signals,
            folder,
            started: Instant::now(),
            started_at: SystemTime::now(),
            cases,
            waiting,
            running: Vec::new(),
            stopping: None,
        }
    }

    fn dispatch(&mut self) {
        loop {
            self.fill();
            if self.running.is_empty() {
                break;
            }
            self.wait();
            if self.signals.take_end() {
                self.interrupt();
            }
            if self.signals.take_pause() {
                self.pause();
            }
            self.look_after_workers();
            if let Some(reporter) = &mut self.reporter {
                reporter.tick();
            }
        }
    }

    /// Starts workers while there are places and attempts.
    fn fill(&mut self) {
        while self.running.len() < self.settings.jobs.get() {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            if let Some(reason) = self.why_not(next) {
                self.let_go(next, &reason);
            } else {
                self.start(next);
            }
        }
    }

    fn why_not(&self, next: Next) -> Option<String> {
        match self.stopping {
            _ if self.cases[next.case].case.skip.is_some() => {
                self.cases[next.case].case.skip.clone()
            }
            Some(Stop::FailFast) => Some("not run after a failure (--fail-fast)".to_owned()),
            Some(Stop::Interrupted) => Some("interrupted".to_owned()),
            None => None,
        }
    }

    fn start(&mut self, next: Next) {
        let run = &self.cases[next.case];
        let case = run.case;
        let folder = self.folder.join(&run.folder).join(next.attempt.to_string());
        let job = Job {
            scenario_file: case.scenario.clone(),
            case_id: case.case_id.clone(),
            bindings: case.bindings.clone(),
            seed: self.settings.seed.wrapping_add(u64::from(next.attempt - 1)),
            speed: self.settings.speed,
            accept: self.settings.accept,
            bug: self.settings.bug.clone(),
            out: folder.clone(),
            board: case.board.clone(),
        };
        match self.spawn(&job) {
            Ok(worker) => {
                self.report(&Message::AttemptStarted {
                    case: case.id.clone(),
                    attempt: next.attempt,
                    folder: folder.clone(),
                });
                self.running.push(Running {
                    next,
                    seed: job.seed,
                    folder,
                    worker,
                    open: None,
                });
            }
            Err(failure) => self.ended(
                next,
                AttemptResult {
                    case: case.id.clone(),
                    attempt: next.attempt,
                    verdict: Verdict::Broken,
                    seed: job.seed,
                    bug: job.bug.clone(),
                    wall_ms: 0,
                    lab_ms: None,
                    folder,
                    failure: Some(failure),
                    stderr_tail: Vec::new(),
                    leaked: Vec::new(),
                },
            ),
        }
    }

    fn spawn(&self, job: &Job) -> Result<Worker, Failure> {
        folder::make(&job.out).map_err(|error| judge::not_started(&error))?;
        let file = job.write().map_err(|error| judge::not_started(&error))?;
        Worker::start(job, &file, self.settings).map_err(|error| judge::not_started(&error))
    }

    /// Waits for a signal, a deadline or the next tick.
    fn wait(&mut self) {
        let now = Instant::now();
        let deadline = self
            .running
            .iter()
            .filter_map(|running| running.worker.next(now))
            .min()
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        self.signals.wait(deadline.min(TICK));
    }

    fn look_after_workers(&mut self) {
        for mut running in std::mem::take(&mut self.running) {
            // Advanced first: what a worker wrote before it ended is read afterwards.
            running.worker.advance(Instant::now());
            for event in running.worker.follow() {
                self.progress(&mut running, &event);
            }
            if running.worker.next(Instant::now()).is_some() {
                self.running.push(running);
            } else {
                self.judge(running);
            }
        }
    }

    fn progress(&mut self, running: &mut Running, event: &Event) {
        let case = || self.cases[running.next.case].case.id.clone();
        let attempt = running.next.attempt;
        let message = if let Some(StepStarted { step, label, place }) = event.payload() {
            running.open = Some(OpenStep {
                step,
                label: label.clone(),
                place,
            });
            Message::StepStarted {
                case: case(),
                attempt,
                step,
                label,
            }
        } else if let Some(StepEnded { step, ok }) = event.payload() {
            running.open = None;
            Message::StepEnded {
                case: case(),
                attempt,
                step,
                ok,
            }
        } else {
            return;
        };
        self.report(&message);
    }

    fn judge(&mut self, running: Running) {
        let Running {
            next,
            seed,
            folder,
            worker,
            open,
        } = running;
        let remains = worker.remains();
        let (verdict, failure) = judge::judge(&remains, open.as_ref());
        let by_itself = remains.status.is_some_and(|status| status.success());
        let result = AttemptResult {
            case: self.cases[next.case].case.id.clone(),
            attempt: next.attempt,
            verdict,
            seed,
            bug: self.settings.bug.clone(),
            wall_ms: millis(remains.wall),
            lab_ms: remains.lab_us.map(|us| us / 1000),
            folder,
            failure,
            stderr_tail: if by_itself {
                Vec::new()
            } else {
                remains.stderr_tail
            },
            leaked: remains.leaked,
        };
        self.ended(next, result);
    }

    fn ended(&mut self, next: Next, result: AttemptResult) {
        self.report(&Message::AttemptFinished {
            result: result.clone(),
        });
        let good = matches!(result.verdict, Verdict::Passed | Verdict::Skipped);
        if !good && self.settings.fail_fast {
            self.stopping.get_or_insert(Stop::FailFast);
        }
        let run = &mut self.cases[next.case];
        run.attempts.push(result);
        let reason = (run.attempts.last())
            .filter(|attempt| attempt.verdict == Verdict::Skipped && attempt.failure.is_none())
            .map(|_| "interrupted".to_owned());
        self.close(next, reason);
    }

    /// An attempt that is not made.
    fn let_go(&mut self, next: Next, reason: &str) {
        self.close(next, Some(reason.to_owned()));
    }

    /// Counts an attempt off its case and, with the last, reports the case. `reason` says why the
    /// attempt was not made or not to its end.
    fn close(&mut self, next: Next, reason: Option<String>) {
        let no_skips = self.settings.no_skips && self.stopping.is_none();
        let run = &mut self.cases[next.case];
        run.open -= 1;
        if run.open > 0 {
            return;
        }
        let skipped_by_engine = || run.attempts.iter().find_map(skip_reason);
        let verdict = CaseResult::verdict_of(&run.attempts);
        let skipped = match verdict {
            Some(_) => None,
            None => reason.or_else(skipped_by_engine),
        };
        let verdict = match verdict {
            Some(verdict) => verdict,
            None if no_skips => Verdict::Failed,
            None => Verdict::Skipped,
        };
        let result = CaseResult {
            case: run.case.id.clone(),
            name: run.case.name.clone(),
            scenario: run.case.scenario.clone(),
            board: run.case.board.clone(),
            verdict,
            skipped,
            attempts: std::mem::take(&mut run.attempts),
        };
        run.result = Some(result.clone());
        self.report(&Message::CaseFinished { result });
    }

    fn interrupt(&mut self) {
        let now = Instant::now();
        let again = self.stopping == Some(Stop::Interrupted);
        self.stopping = Some(Stop::Interrupted);
        for running in &mut self.running {
            if again {
                running.worker.kill(now);
            } else {
                running.worker.terminate(EndReason::Interrupted, now);
            }
        }
        let text = if again {
            "interrupted again: killing what still runs"
        } else {
            "interrupted: ending what runs; once more kills it"
        };
        self.report(&Message::Notice {
            text: text.to_owned(),
        });
    }

    /// Ctrl-Z: everybody stops, and deadlines do not count the time.
    fn pause(&mut self) {
        let now = Instant::now();
        for running in &self.running {
            running.worker.pause();
        }
        // If it fails, nobody stopped, and all go on at once.
        let _ = self.signals.stop_here();
        for running in &mut self.running {
            running.worker.resume(now.elapsed());
        }
    }

    fn summary(&mut self, name: String) -> RunSummary {
        let started = self
            .started_at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        RunSummary {
            version: FORMAT_VERSION,
            run: name,
            folder: self.folder.clone(),
            seed: self.settings.seed,
            started_ms: millis(started),
            wall_ms: millis(self.started.elapsed()),
            interrupted: self.stopping == Some(Stop::Interrupted),
            cases: self
                .cases
                .iter_mut()
                .filter_map(|run| run.result.take())
                .collect(),
        }
    }

    fn store(&mut self, summary: &RunSummary) {
        let path = self.folder.join("summary.json");
        let stored = serde_json::to_vec_pretty(summary)
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&path, text));
        if let Err(error) = stored {
            self.report(&Message::Notice {
                text: format!("failed to write {}: {error}", path.display()),
            });
        }
    }

    fn report(&mut self, message: &Message) {
        if let Some(reporter) = &mut self.reporter
            && reporter.take(message).is_err()
        {
            // Nobody reads any more; the summary still gets written.
            self.reporter = None;
        }
    }
}

/// Why an attempt that ended in order was skipped.
fn skip_reason(attempt: &AttemptResult) -> Option<String> {
    let failure = attempt.failure.as_ref()?;
    (attempt.verdict == Verdict::Skipped).then(|| failure.message.clone())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
