//! The loop that starts workers and waits for them: one thread, no locks.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use board::lease::Turn;
use report::{
    AttemptResult, CaseResult, ExitStatus, FORMAT_VERSION, Message, Reporter, RunSummary,
};
use trace::{Event, Failure, FirmwareBooted, Setup, StepEnded, StepStarted, UnreadLines, Verdict};

use super::boards;
use super::cases::{Attempt, Cases};
use super::checkups::Checkups;
use super::judge::{self, OpenStep};
use super::signals::Signals;
use super::turns::Turns;
use super::worker::{EndReason, Remains, Worker};
use super::{Job, Plan, RunError, Settings, conditions, folder, group, setup};

/// No more different firmwares than that are told of in the result of an attempt.
const MOST_BOOTED: usize = 8;

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
    let setups = setup::of(plan, settings);
    let (name, folder) = folder::create(&settings.out)?;
    let started = (Instant::now(), SystemTime::now());
    let mut dispatcher = Dispatcher {
        settings,
        reporter: Some(reporter),
        signals,
        folder: folder.clone(),
        setups,
        cases: Cases::new(plan),
        waiting: plan.attempts().collect(),
        running: Vec::new(),
        turns: Turns::new(settings.leases.clone()),
        checkups: Checkups::new(settings.recheck.clone()),
        stopping: None,
    };
    dispatcher.report(&Message::RunStarted {
        version: FORMAT_VERSION,
        run: name.clone(),
        folder: folder.clone(),
        seed: settings.seed,
        cases: plan.cases.len(),
        repeat: plan.attempts_per_case(),
        jobs: settings.jobs.get(),
    });
    dispatcher.dispatch();
    let summary = RunSummary {
        version: FORMAT_VERSION,
        run: name,
        folder,
        seed: settings.seed,
        started_ms: millis(started.1.duration_since(UNIX_EPOCH).unwrap_or_default()),
        wall_ms: millis(started.0.elapsed()),
        interrupted: dispatcher.stopping == Some(Stop::Interrupted),
        setups: dispatcher.setups.values().cloned().collect(),
        cases: dispatcher.cases.results(),
        allowed_flaky: settings.allowed_flaky,
        quarantined: settings.quarantined.clone(),
    };
    let stored = store(&summary);
    let exit = match &stored {
        Ok(()) => summary.exit_status(),
        Err(_) => ExitStatus::Broken,
    };
    dispatcher.report(&Message::RunFinished {
        exit: exit as u8,
        summary: Box::new(summary.clone()),
    });
    stored.map(|()| summary)
}

struct Dispatcher<'r> {
    settings: &'r Settings,
    /// None once the output is gone.
    reporter: Option<&'r mut dyn Reporter>,
    signals: Signals,
    folder: PathBuf,
    /// By the names of boards.
    setups: BTreeMap<String, Setup>,
    cases: Cases<'r>,
    waiting: VecDeque<Attempt>,
    running: Vec<Running>,
    turns: Turns,
    /// Boards whose last attempt was broken.
    checkups: Checkups,
    stopping: Option<Stop>,
}

struct Running {
    attempt: Attempt,
    job: Job,
    worker: Worker,
    open: Option<OpenStep>,
    /// What the boot logs told, each once.
    booted: Vec<FirmwareBooted>,
    /// What its phones use of this host; nothing if they use none.
    turn: Option<Turn>,
}

/// Why nothing more is started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    FailFast,
    Interrupted,
}

impl Dispatcher<'_> {
    fn dispatch(&mut self) {
        loop {
            self.fill();
            if self.running.is_empty() && !self.checkups.is_busy() && self.waiting.is_empty() {
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
            for text in self.checkups.news() {
                self.report(&Message::Notice { text });
            }
            if let Some(reporter) = &mut self.reporter {
                reporter.tick();
            }
        }
    }

    /// Starts workers while there are places and attempts.
    fn fill(&mut self) {
        while self.running.len() < self.settings.jobs.get() {
            let Some((attempt, turn)) = self.next() else {
                return;
            };
            let case = self.cases.case(attempt);
            let taken_out = || self.checkups.reason(&case.board).map(str::to_owned);
            let skip = case.skip.clone().or_else(taken_out);
            let result = match (skip, self.stopping) {
                (_, Some(Stop::Interrupted)) => {
                    self.cases.let_go(attempt, "interrupted".to_owned(), false)
                }
                (_, Some(Stop::FailFast)) => {
                    let reason = "not run after a failure (--fail-fast)".to_owned();
                    self.cases.let_go(attempt, reason, false)
                }
                (Some(reason), None) => {
                    let forbidden = self.settings.no_skips;
                    self.cases.let_go(attempt, reason, forbidden)
                }
                (None, None) => {
                    self.start(attempt, turn);
                    None
                }
            };
            self.case_finished(result);
        }
    }

    /// The first attempt that has not to wait, with what its phones use of this host.
    fn next(&mut self) -> Option<(Attempt, Option<Turn>)> {
        let mut held = Vec::new();
        for index in 0..self.waiting.len() {
            let attempt = self.waiting[index];
            let case = self.cases.case(attempt);
            if self.has_to_wait(attempt) || held.contains(&&case.phones) {
                continue;
            }
            let is_open = case.skip.is_none() && self.stopping.is_none();
            let longest = self.settings.timeout + case.lasts + 2 * self.settings.grace;
            let turn = match is_open {
                true => self.turns.take(case, longest),
                false => Ok(None),
            };
            match turn {
                Ok(turn) => {
                    self.waiting.remove(index);
                    return Some((attempt, turn));
                }
                Err(news) => {
                    held.push(&case.phones);
                    if let Some(text) = news {
                        self.report(&Message::Notice { text });
                    }
                }
            }
        }
        None
    }

    /// Whether the only board that it can have is in use or looked at, or what its phones use of this
    /// host is in use.
    fn has_to_wait(&self, attempt: Attempt) -> bool {
        let case = self.cases.case(attempt);
        let is_in_the_way = |running: &Running| {
            let other = self.cases.case(running.attempt);
            case.is_alone && other.board == case.board
                || case.phones.iter().any(|part| other.phones.contains(part))
        };
        let is_open = case.skip.is_none() && self.stopping.is_none();
        let is_looked_at = is_open && self.checkups.is_looking_at(&case.board);
        is_looked_at || case.skip.is_none() && self.running.iter().any(is_in_the_way)
    }

    fn start(&mut self, attempt: Attempt, turn: Option<Turn>) {
        let case = self.cases.case(attempt);
        let lasts = case.lasts;
        let job = Job {
            scenario_file: case.scenario.clone(),
            case_id: case.case_id.clone(),
            bindings: case.bindings.clone(),
            seed: self.seed_of(attempt),
            speed: match case.in_real_time {
                true => 1.0,
                false => boards::speed(&case.board, self.settings.speed),
            },
            accept: self.settings.accept,
            bug: self.settings.bug.clone(),
            out: self.folder.join(self.cases.folder(attempt)),
            own_transcripts: case.own_transcripts,
            board: case.board.clone(),
            device: self.settings.device.clone(),
            image: case.image.clone(),
            rig: case.rig.clone(),
            setup: self.setups.get(&case.board).cloned().unwrap_or_default(),
            flash: self.settings.flash,
            uses_host_radios: case.uses_host_radios,
            probe_fault: self.settings.probe_fault,
            pcap: self.settings.pcap,
        };
        match self.spawn(&job, lasts) {
            Ok(worker) => {
                self.report(&Message::AttemptStarted {
                    case: case.id.clone(),
                    attempt: attempt.number,
                    folder: job.out.clone(),
                });
                self.running.push(Running {
                    attempt,
                    job,
                    worker,
                    open: None,
                    booted: Vec::new(),
                    turn,
                });
            }
            Err(failure) => {
                let result = AttemptResult {
                    verdict: Verdict::Broken,
                    failure: Some(*failure),
                    ..self.result(attempt, job)
                };
                self.ended(attempt, result);
            }
        }
    }

    fn spawn(&self, job: &Job, lasts: Duration) -> Result<Worker, Box<Failure>> {
        let not_started = |error: &dyn std::error::Error| Box::new(judge::not_started(error));
        folder::make(&job.out).map_err(|error| not_started(&error))?;
        let file = job.write().map_err(|error| not_started(&error))?;
        Worker::start(job, &file, self.settings, lasts).map_err(|error| not_started(&error))
    }

    /// Waits for a signal, a deadline or the next tick.
    fn wait(&mut self) {
        let now = Instant::now();
        let next = self
            .running
            .iter()
            .filter_map(|running| running.worker.next(now));
        let longest = match next.min() {
            Some(at) => at.saturating_duration_since(now),
            None if self.checkups.is_busy() || !self.waiting.is_empty() => TICK,
            None => Duration::ZERO,
        };
        self.signals.wait(longest.min(TICK));
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
        let case = self.cases.case(running.attempt).id.clone();
        let attempt = running.attempt.number;
        let message = if let Some(StepStarted { step, label, place }) = event.payload() {
            running.open = Some(OpenStep {
                step,
                label: label.clone(),
                place,
            });
            Message::StepStarted {
                case,
                attempt,
                step,
                label,
            }
        } else if let Some(StepEnded { step, ok }) = event.payload() {
            running.open = None;
            Message::StepEnded {
                case,
                attempt,
                step,
                ok,
            }
        } else if let Some(booted) = event.payload::<FirmwareBooted>() {
            if running.booted.len() < MOST_BOOTED && !running.booted.contains(&booted) {
                running.booted.push(booted);
            }
            return;
        } else if let Some(text) =
            unread(&case, self.cases.case(running.attempt).judges_levels, event)
        {
            Message::Notice { text }
        } else {
            return;
        };
        self.report(&message);
    }

    fn judge(&mut self, running: Running) {
        let Running {
            attempt,
            job,
            worker,
            open,
            booted,
            turn,
        } = running;
        // Nothing is left of the worker.
        drop(turn);
        let remains = worker.remains();
        // There is none if the worker did not come so far.
        let _ = std::fs::remove_dir_all(job.boards());
        let (verdict, failure) = judge::judge(&remains, open.as_ref());
        let Remains {
            wall,
            status,
            lab_us,
            leaked,
            stderr_tail,
            ..
        } = remains;
        let in_order = status.is_some_and(|status| status.success());
        let result = AttemptResult {
            verdict,
            failure,
            wall_ms: millis(wall),
            lab_ms: lab_us.map(|us| us / 1000),
            stderr_tail: if in_order { Vec::new() } else { stderr_tail },
            leaked,
            booted,
            ..self.result(attempt, job)
        };
        let case = self.cases.case(attempt);
        if result.verdict == Verdict::Broken && case.rig.is_some() && self.stopping.is_none() {
            self.checkups.begin(&case.board);
        }
        self.ended(attempt, result);
    }

    /// Attempts of `--repeat` differ by their seeds; one that is made again is the same.
    fn seed_of(&self, attempt: Attempt) -> u64 {
        let number = match self.settings.retries {
            0 => attempt.number - 1,
            _ => 0,
        };
        self.settings.seed.wrapping_add(u64::from(number))
    }

    /// The result of an attempt of which nothing is known yet.
    fn result(&self, attempt: Attempt, job: Job) -> AttemptResult {
        AttemptResult {
            case: self.cases.case(attempt).id.clone(),
            attempt: attempt.number,
            verdict: Verdict::Skipped,
            seed: job.seed,
            bug: job.bug,
            conditions: conditions::of(self.cases.case(attempt), self.settings),
            wall_ms: 0,
            lab_ms: None,
            folder: job.out,
            booted: Vec::new(),
            failure: None,
            stderr_tail: Vec::new(),
            leaked: Vec::new(),
        }
    }

    fn ended(&mut self, attempt: Attempt, result: AttemptResult) {
        let good = matches!(result.verdict, Verdict::Passed | Verdict::Skipped);
        // One that broke says nothing of the device, and making it again would say no more.
        let is_again = result.verdict == Verdict::Failed
            && self.stopping.is_none()
            && attempt.number <= self.settings.retries;
        if is_again {
            let next = self.cases.again(attempt);
            self.waiting.push_front(next);
        }
        if !good && !is_again && self.settings.fail_fast {
            self.stopping.get_or_insert(Stop::FailFast);
        }
        self.report(&Message::AttemptFinished {
            result: Box::new(result.clone()),
        });
        let result = self.cases.ended(attempt, result);
        self.case_finished(result);
    }

    fn case_finished(&mut self, result: Option<CaseResult>) {
        if let Some(result) = result {
            self.report(&Message::CaseFinished {
                result: Box::new(result),
            });
        }
    }

    fn interrupt(&mut self) {
        let now = Instant::now();
        let again = self.stopping == Some(Stop::Interrupted);
        self.stopping = Some(Stop::Interrupted);
        self.checkups.call_off();
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
        // If it fails, no process stopped, and all go on at once.
        let _ = self.signals.stop_here();
        for running in &mut self.running {
            running.worker.resume(now.elapsed());
        }
    }

    fn report(&mut self, message: &Message) {
        if let Some(reporter) = &mut self.reporter
            && reporter.take(message).is_err()
        {
            // The reader of standard output is gone; the summary still gets written.
            self.reporter = None;
        }
    }
}

fn store(summary: &RunSummary) -> Result<(), RunError> {
    let path = summary.folder.join(RunSummary::FILE);
    serde_json::to_vec_pretty(summary)
        .map_err(io::Error::from)
        .and_then(|text| report::write_whole(&path, text))
        .map_err(|source| RunError::Summary { path, source })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is told of lines whose level nothing tells, where a `never` has judged levels.
fn unread(case: &str, judges_levels: bool, event: &Event) -> Option<String> {
    let UnreadLines { unknown, of } = event.payload().filter(|_| judges_levels)?;
    Some(format!(
        "{case}: {unknown} of {of} log lines were in no known form or in one without levels: `never` cannot tell their level"
    ))
}

#[cfg(test)]
mod tests {
    use trace::Trace;

    use super::*;
    use language::{Known, parse};

    #[tokio::test]
    async fn lines_that_tell_no_level_are_told_of_where_never_has_judged_levels() {
        let trace = Trace::in_memory(clock::Clock::start(1.0));
        trace.emit(Some("device"), &UnreadLines { unknown: 3, of: 40 });
        let event = trace.since(0).pop().expect("it was emitted");
        let judged = |steps: &str, rest: &str| {
            let text = format!(
                "name: T\nworld: {{ devices: {{ device: {{}} }} }}\nsteps: [{steps}]\n{rest}\n"
            );
            let cases = parse("t.yaml", &text, &Known::default()).expect("a scenario");
            unread("a case", cases[0].scenario.judges_levels(), &event)
        };
        let told = "a case: 3 of 40 log lines were in no known form or in one without levels: `never` cannot tell their level";
        let always = "never: [{ log: { level: error } }]";
        assert_eq!(judged("power: on", always).as_deref(), Some(told));
        let step = "{ power: on }, { expect: { never: [{ log: { level: error } }], for: 1s } }";
        assert_eq!(judged(step, "").as_deref(), Some(told));
        for (steps, rest) in [
            ("power: on", ""),
            ("power: on", "never: [{ log: { text: panic } }]"),
            (
                "{ power: on }, { expect: { log: { level: info }, within: 1s } }",
                "",
            ),
        ] {
            assert_eq!(judged(steps, rest), None, "{steps} {rest}");
        }
    }
}
