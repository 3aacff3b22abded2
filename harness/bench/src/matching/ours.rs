//! Our matching: fifty patterns over what is in a trace.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use board::Board;
use clock::Clock;
use engine::expect::{Expectations, NeverWatch};
use language::{Captures, Case, Clause, Expect, Known, Step, parse};
use trace::{Source, Trace};

use super::text::{self, Text};
use crate::setup::{Outcome, Setup};
use crate::talker;

/// Lines that arrive between two turns of the readers: what the lab takes from a device at once.
const AT_ONCE: usize = 800;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRoute {
    /// Log to a trace with a file, as a worker has it, and match.
    File,
    /// Log to a trace in memory, and match.
    Memory,
    /// Match what is in the trace already.
    Matching,
    /// From another process, over a device's tether, to a trace with a file, and match.
    Tether,
}

impl LogRoute {
    pub const ALL: [Self; 4] = [Self::File, Self::Memory, Self::Matching, Self::Tether];

    /// The search window of the pexpect that stands beside it.
    pub fn peer(self) -> Option<&'static str> {
        match self {
            Self::File => Some("default"),
            Self::Memory => Some("4096"),
            Self::Matching | Self::Tether => None,
        }
    }

    /// How it is measured.
    pub fn note(self) -> &'static str {
        match self {
            Self::File => {
                "each line goes through redaction (8 secrets), the trace in memory and its file on \
                 disk, 40 `never` patterns and an `any_order` of 10; 10 of the 50 are regular \
                 expressions. pexpect reads the same text from a file and looks for one"
            }
            Self::Memory => "the same without the file",
            Self::Matching => {
                "the trace is there already; 40 `never` patterns, then `any_order` of 10"
            }
            Self::Tether => {
                "another process writes the lines to a native device's tether; from the first line's \
                 arrival on. Both processes compute, so one core each"
            }
        }
    }
}

impl fmt::Display for LogRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "trace file and all",
            Self::Memory => "trace in memory",
            Self::Matching => "matching alone",
            Self::Tether => "from a device's process",
        })
    }
}

/// Takes the time.
pub fn take(setup: &Setup, route: LogRoute, log: &Text) -> Outcome<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock = Clock::start(1000.0);
        let trace = match route {
            LogRoute::File | LogRoute::Tether => {
                Trace::create(clock.clone(), &setup.folder()?.join("trace.jsonl"))?
            }
            LogRoute::Memory | LogRoute::Matching => Trace::in_memory(clock.clone()),
        };
        for number in 0..8 {
            let secret = format!("{number}-quite-secret-{number}");
            trace.secrets().add(&format!("secret {number}"), secret);
        }
        let cases = parse("matching.yaml", &text::scenario(), &Known::default())?;
        let readers = Readers::new(&trace, &cases[0])?;
        // As while a device computes: lab time must not run ahead.
        let _busy = clock.busy();
        let time = match route {
            LogRoute::File | LogRoute::Memory => logged(&trace, readers, log).await?,
            LogRoute::Matching => {
                for line in &log.lines {
                    trace.log("device", line.clone());
                }
                let began = Instant::now();
                readers.read().await?;
                began.elapsed()
            }
            LogRoute::Tether => from_process(setup, &trace, readers, log.bytes).await?,
        };
        match trace.take_failure() {
            Some(error) => Err(error.into()),
            None => Ok(time),
        }
    })
}

async fn logged(trace: &Trace, readers: Readers<'_>, log: &Text) -> Outcome<Duration> {
    let mut lines = log.lines.clone().into_iter();
    let began = Instant::now();
    let logging = async {
        while lines.len() > 0 {
            let together = trace.gather();
            for line in lines.by_ref().take(AT_ONCE) {
                trace.log("device", line);
            }
            drop(together);
            tokio::task::yield_now().await;
        }
    };
    let ((), read) = tokio::join!(logging, readers.read());
    read?;
    Ok(began.elapsed())
}

async fn from_process(
    setup: &Setup,
    trace: &Trace,
    readers: Readers<'_>,
    bytes: usize,
) -> Outcome<Duration> {
    let mut board = talker::board(setup, trace, talker::Speech::Flood { bytes })?;
    board.power_on().await?;
    readers.read().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let events = trace.since(0);
    let first = events.iter().find(|event| event.source == Source::Log);
    let first = first.ok_or("no line came")?.wall_us;
    board.power_off().await?;
    Ok(now.saturating_sub(Duration::from_micros(first)))
}

/// Whatever reads the trace in an attempt.
struct Readers<'c> {
    trace: Trace,
    never: NeverWatch,
    clause: &'c Clause,
}

impl<'c> Readers<'c> {
    fn new(trace: &Trace, case: &'c Case) -> Outcome<Self> {
        let never = NeverWatch::new(trace.clone(), case.scenario.never.clone())?;
        let clause = case
            .scenario
            .steps
            .iter()
            .find_map(|step| match &step.value {
                Step::Expect(Expect::Clause(clause)) => Some(clause),
                _ => None,
            });
        Ok(Self {
            trace: trace.clone(),
            never,
            clause: clause.ok_or("the scenario expects nothing")?,
        })
    }

    /// Reads until the expectation is met, as an attempt does.
    async fn read(mut self) -> Outcome<()> {
        let mut expectations = Expectations::new(self.trace.clone());
        let mut captures = Captures::default();
        let start = self.trace.clock().now();
        let violation = tokio::select! {
            biased;
            violation = self.never.violated() => Some(violation),
            met = expectations.meet(self.clause, &mut captures, start) => {
                met.map_err(|miss| miss.message)?;
                self.never.poll()
            }
        };
        match violation {
            Some(violation) => {
                Err(format!("matched what is not there: {}", violation.label()).into())
            }
            None => Ok(()),
        }
    }
}
