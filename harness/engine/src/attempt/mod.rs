//! One attempt at one case: builds its world, takes its steps, and says how it ended.
//!
//! Runs in a worker process, on one thread. The trace is the only result; its last event is
//! [`trace::Finished`].

mod board_access;
mod boards;
mod booted;
mod claim;
mod cloud_faults;
mod cloud_side;
mod clouds;
mod console;
mod console_port;
mod contracts;
mod discover;
mod esp8266;
mod external_cloud;
mod factory_data;
mod hand_over;
mod handed_files;
mod hint;
mod old_tls;
mod phones;
mod probe_link;
mod problem;
mod program;
mod provision;
mod raw_steps;
mod seen;
mod session_steps;
mod silence;
mod starvation;
mod steps;
mod storage_damage;
mod surroundings;
mod thingsboard_steps;
mod told;
mod transcript;
mod values;
mod web;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use capture::Capture;
use clock::Clock;
use language::{Captures, Case, read_file};
use trace::{Finished, StepEnded, StepStarted, Trace, Verdict, Witness, WitnessReport};

use crate::expect::{Expectations, NeverWatch};
use crate::run::{BoardKind, Job, Pcap};

pub use board_access::{BoardAccess, ReachError, board_access};
pub use boards::Chosen;
pub use cloud_side::CloudSide;
pub use factory_data::{BROKER_HOST, TIME_HOST};
pub use handed_files::{everything, write_hand_over};
pub use problem::LabError;
pub use surroundings::{Lab, Outsiders, Surroundings, auth_mode, hostapd};
pub use world::{HOME, World};

use booted::BootWatch;
use contracts::{ContractWatch, Judged};
use problem::{Problem, Where, finish, finish_with};
use seen::Subject;
use starvation::Starvation;

/// What a real board's line takes at the most until it is in the trace: a UART sends a long one in 20 ms, and the
/// rest is a busy host.
const LOG_DELAY: Duration = Duration::from_millis(500);

/// Runs the attempt that `job` asks for; the trace says how it ended.
pub fn run(job: &Job) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("failed to start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(attempt(job));
    // A thread that waits for a dead probe must not keep the worker.
    runtime.shutdown_background();
    ended
}

async fn attempt(job: &Job) -> ExitCode {
    let chosen = match Chosen::of(job) {
        Ok(chosen) => chosen,
        Err(error) => {
            eprintln!("{}", trace::in_full(&error));
            return ExitCode::FAILURE;
        }
    };
    let board = &chosen.model;
    let clock = match board.kind {
        BoardKind::Native => Clock::start(job.speed),
        BoardKind::Qemu | BoardKind::Rig => Clock::start_fixed(board.time_factor(job.speed).into()),
    };
    let trace = match Trace::create(clock.clone(), &job.trace()) {
        Ok(trace) => trace,
        Err(error) => {
            eprintln!("{}", trace::in_full(&error));
            return ExitCode::FAILURE;
        }
    };
    if let Some(secrets) = job.pcap.secrets() {
        match Capture::create(clock.clone(), &job.out.join(Pcap::FILE), secrets) {
            Ok(capture) => trace.capture_into(capture),
            Err(error) => {
                eprintln!(
                    "failed to create {} in the attempt's folder: {error}",
                    Pcap::FILE
                );
                return ExitCode::FAILURE;
            }
        }
    }
    trace.emit(None, &job.setup);
    report_lag(&clock, &trace);
    let finished = match case_of(job) {
        Ok(case) => run_case(job, &chosen, &case, &trace).await,
        Err(error) => {
            let problem = Problem::Lab(error);
            let at = Where {
                label: "reading the scenario again".into(),
                ..Where::default()
            };
            finish(problem, at, &trace)
        }
    };
    trace.emit(None, &finished);
    // A verdict does not depend on it.
    if let Some(Err(error)) = trace.capture().map(Capture::end) {
        eprintln!("the capture is not whole: {error}");
    }
    match trace.take_failure() {
        None => ExitCode::SUCCESS,
        Some(error) => {
            eprintln!("failed to write the trace: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The case that `job` names, from the scenario's file as it is now.
fn case_of(job: &Job) -> Result<Case, LabError> {
    let known = language::known()?;
    let cases = read_file(&job.scenario_file, &known)
        .map_err(|error| LabError::Scenario(trace::in_full(&error)))?;
    cases
        .into_iter()
        .find(|case| case.id == job.case_id)
        .ok_or_else(|| {
            LabError::Scenario(format!("the scenario has no case {} any more", job.case_id))
        })
}

async fn run_case(job: &Job, chosen: &Chosen, case: &Case, trace: &Trace) -> Finished {
    let board = &chosen.model;
    let mut at = Where {
        label: "building the world".into(),
        ..Where::default()
    };
    let built = async {
        let surroundings = surroundings::around(chosen, case, trace).await?;
        World::build(&case.scenario.world, surroundings, job, chosen, trace).await
    };
    let mut world = match built.await {
        Ok(world) => world,
        Err(error) => return finish(Problem::Lab(error), at, trace),
    };
    let log_delay = match &chosen.real {
        Some(_) => LOG_DELAY,
        None => Duration::ZERO,
    };
    let mut attempt = Attempt {
        job,
        case,
        trace,
        expectations: Expectations::new(trace.clone()).with_log_delay(log_delay),
        captures: Captures::default(),
        starvation: (board.kind == BoardKind::Qemu)
            .then(|| Starvation::new(board.time_factor(job.speed))),
    };
    let mut never = match NeverWatch::of_scenario(trace.clone(), &case.scenario) {
        Ok(never) => never,
        Err(error) => {
            let problem = Problem::Lab(LabError::Scenario(error.to_string()));
            return finish(problem, at, trace);
        }
    };
    let mut contracts = ContractWatch::new(trace.clone(), &world.facts(), &case.scenario.except);
    let mut booted = BootWatch::new(trace.clone(), job, chosen);
    let result = tokio::select! {
        biased;
        error = booted.other_firmware() => Err(Problem::Lab(error)),
        violation = never.violated() => {
            at = Where {
                step: None,
                label: violation.label(),
                place: violation.span().map(|span| span.in_file(&case.file)),
                catches: violation.catches(),
                subject: Subject::of_patterns(violation.pattern()),
                began: 0,
            };
            Err(Problem::from_miss(violation.miss()))
        }
        never = contracts.watch() => match never {},
        result = attempt.all_steps(&mut world, &mut at) => result,
    };
    let judged = contracts.end();
    let of_contract = |id: &str| Where {
        label: format!("contract {id}"),
        ..Where::default()
    };
    let result = match (result, judged) {
        (Ok(()), Judged::Broken(breach)) => {
            at = of_contract(breach.contract.id);
            Err(Problem::Missed(contracts::missed(&breach)))
        }
        (Ok(()), Judged::Unable(unable)) => {
            at = of_contract(unable.contract);
            Err(Problem::Lab(LabError::Contract(unable)))
        }
        (result, _) => result,
    };
    let finished = match result {
        Ok(()) => Finished {
            verdict: Verdict::Passed,
            failure: None,
        },
        Err(problem) => {
            let mut advice = None;
            if matches!(problem, Problem::Missed(_)) {
                advice = silent_board(chosen, &mut world, trace).await;
                if let Some(starvation) = &attempt.starvation {
                    starvation.testify(trace);
                }
                world.testify().await;
            }
            finish_with(problem, at, trace, advice)
        }
    };
    world.end().await;
    finished
}

/// What is likely where a board is silent, which its testimony tells.
async fn silent_board(chosen: &Chosen, world: &mut World, trace: &Trace) -> Option<String> {
    let (_, board) = chosen.real.as_ref()?;
    let names: Vec<String> = world.devices().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        if let Some(silence) = silence::of(trace, &name, board).await {
            silence.testify(trace, &name);
            return Some(silence.advice);
        }
    }
    None
}

struct Attempt<'a> {
    job: &'a Job,
    case: &'a Case,
    trace: &'a Trace,
    expectations: Expectations,
    captures: Captures,
    /// Only where devices are emulated.
    starvation: Option<Starvation>,
}

impl Attempt<'_> {
    async fn all_steps(&mut self, world: &mut World, at: &mut Where) -> Result<(), Problem> {
        for (index, step) in self.case.scenario.steps.iter().enumerate() {
            let place = step.span.in_file(&self.case.file);
            if let Some(starvation) = &mut self.starvation {
                starvation.begin();
            }
            *at = Where {
                step: Some(index + 1),
                label: steps::label(step),
                place: Some(place.clone()),
                catches: step.catches().iter().map(|bug| bug.value.clone()).collect(),
                subject: Subject::of_step(step),
                began: self.trace.len(),
            };
            self.trace.emit(
                None,
                &StepStarted {
                    step: index + 1,
                    label: at.label.clone(),
                    place,
                },
            );
            self.capture_comment(&format!("step {}: {}", index + 1, at.label));
            let result = self.step(step, world).await;
            self.trace.emit(
                None,
                &StepEnded {
                    step: index + 1,
                    ok: result.is_ok(),
                },
            );
            if result.is_err() {
                self.capture_comment(&format!("step {} missed", index + 1));
            }
            result?;
        }
        *at = Where {
            label: "settling".into(),
            began: self.trace.len(),
            ..Where::default()
        };
        self.trace.clock().sleep(self.case.scenario.settle).await;
        Ok(())
    }
}

impl Attempt<'_> {
    /// Says in the capture, if there is one, what happens now.
    fn capture_comment(&self, text: &str) {
        if let Some(capture) = self.trace.capture() {
            capture.comment(&self.trace.secrets().redact_text(text));
        }
    }
}

/// The host's lags become the testimony of a witness.
fn report_lag(clock: &Clock, trace: &Trace) {
    let witness = trace.clone();
    clock.on_lag(move |late| {
        witness.emit(
            None,
            &WitnessReport {
                witness: Witness::Host,
                sound: false,
                detail: format!("host too slow: the lab ran {} ms late", late.as_millis()),
            },
        );
    });
}
