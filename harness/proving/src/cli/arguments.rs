//! What can be said on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ::trace::{Level, Source};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::captures::{Captures, OpenTrace};
use super::choice::Shard;
use super::hardware::arguments::RigFile;
use super::prepared::OnBoards;
use engine::run::{BrokenProbe, Flash, Settings};
use engine::up::Forward;
use language::duration;

/// Proving: takes a device from factory-fresh to bound to an account, and says what went wrong.
#[derive(Debug, Parser)]
#[command(name = "proving", version, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a first scenario, a rig file and a workflow into a repository of yours
    Init(super::init::Init),
    /// Run scenarios and judge the device
    #[command(after_help = EXIT_CODES)]
    Run(Run),
    /// Run scenarios many times, and keep what that proves as evidence
    #[command(after_help = QUALIFY_EXIT_CODES)]
    Qualify(Box<super::qualify::Qualify>),
    /// Verify evidence of a qualification
    Evidence(super::evidence::EvidenceArguments),
    /// Walk at random over what may be done to a device, and shrink what fails to a scenario
    Explore(super::explore::Explore),
    /// List the cases of scenarios
    List(List),
    /// Look for mistakes in scenarios; runs nothing
    Check(Check),
    /// List the rules that every device is judged by, and how often a run exercised each
    Contracts(ContractsArguments),
    /// Name the first cause of a failure from the logs of a device and its broker
    Diagnose(Diagnose),
    /// Find the world in which the virtual board fails as a device in the field has
    Reproduce(Reproduce),
    /// Pack attempts and logs into one file that another machine can diagnose and replay
    Bundle(Bundle),
    /// Tell from a ledger which board is ill, which case is flaky, and since when
    History(HistoryArguments),
    /// Write what a board's firmware is told of the world into a folder, without the board
    HandOver(HandOver),
    /// Write out the scenarios that this program carries
    Scenarios(super::scenarios::Scenarios),
    /// Print the JSON Schema of scenarios
    Schema,
    /// Mint certificates, good and bad, as PEM and DER
    Certs(Certs),
    /// Look at a trace
    Trace(Trace),
    /// Bring up a scenario's world and device for other programs; runs none of its steps
    Up(Up),
    /// Provision a device, step by step or at once
    Prov(Box<super::prov::arguments::Prov>),
    /// List boards and what is attached to this host, and whether each answers
    Boards(super::hardware::arguments::Boards),
    /// Look at what a board of the rig file needs of this host, and say what mends the rest
    Doctor(Doctor),
    /// Flash a board
    Flash(super::hardware::arguments::Flash),
    /// Follow the log of a board
    Log(super::hardware::arguments::Log),
    /// Print the completions of a shell, to be put where it looks for them
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Run tests on a board itself
    Test(super::hardware::arguments::Test),
}

const EXIT_CODES: &str = "\
Exit code: 0 all passed, 1 some failed or flaky, 2 mistake in the command line or a scenario,
3 none failed but some broken (the lab's or the host's fault), 4 nothing selected, 130 interrupted.";

const QUALIFY_EXIT_CODES: &str = "\
Exit code: 0 qualified, 1 not qualified, 2 mistake in the command line or a scenario,
3 not qualified, though the device is not at fault (lab, host, cases that were not run),
4 nothing selected, 130 interrupted.
A run that does not come to its end leaves no evidence.";

/// Which cases.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Scenario files, and folders of such [default: scenarios]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Run only cases that match, such as 'tag(smoke) & !name(isolation)'
    #[arg(short = 'E', long, value_name = "EXPR")]
    pub(super) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) boards: OnBoards,
    /// Fault to put into the debug probes of emulated boards, to see that runs end broken
    #[arg(long, value_name = "FAULT", value_parser = probe_faults())]
    pub(super) probe_fault: Option<BrokenProbe>,
    /// How many cases at the same time [default: two for each core]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Number of attempts for each case; a case that both fails and passes is flaky
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeat: u32,
    /// How often to try a case again that has failed; one that passes then is flaky, which fails the run
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "repeat", value_parser = clap::value_parser!(u32).range(..=100))]
    pub(super) retries: u32,
    /// How many flaky cases do not make the run fail
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) max_flaky: usize,
    /// Run only this part of the cases, such as 1/4; the same cases are always parted alike
    #[arg(long, value_name = "N/M")]
    pub(super) shard: Option<Shard>,
    /// Run only the cases that did not pass in the last run in the folder of --out
    #[arg(long)]
    pub(super) last_failed: bool,
    /// File of cases whose verdict does not count for a while; they are run and told apart
    #[arg(long, value_name = "FILE")]
    pub(super) quarantine: Option<PathBuf>,
    /// Start no further case once one did not pass
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Seed of all random values, to repeat a run [default: a new one for each run]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Lab seconds per host second while no task is busy; 1 is real time, and emulated boards have an
    /// upper limit
    #[arg(long, value_name = "FACTOR", default_value_t = Settings::SPEED, value_parser = speed)]
    pub(super) speed: f64,
    /// Wall time after which an attempt counts as broken; an emulated board on a busy host gets more
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = time)]
    pub(super) timeout: Duration,
    /// Renew transcripts instead of comparing them
    #[arg(long)]
    pub(super) accept: bool,
    /// Count skipped cases as failed
    #[arg(long)]
    pub(super) no_skips: bool,
    /// Put this bug into the devices, to see scenarios catch it
    #[arg(long, value_name = "NAME", value_parser = bug)]
    pub(super) bug: Option<String>,
    /// Folder in which the run's folder is made
    #[arg(long, value_name = "DIR", default_value = "proving-out")]
    pub(super) out: PathBuf,
    /// Add what became of each case to the ledger in this folder, which `proving history` reads
    #[arg(long, value_name = "DIR")]
    pub(super) ledger: Option<PathBuf>,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    #[command(flatten)]
    pub(super) captures: Captures,
    /// Format of the output: text, or a JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
    /// Who reads the output: people, a program (a JSON object per line), GitHub (annotations, and the
    /// step's summary), or what reads JUnit
    #[arg(long, value_name = "NAME", conflicts_with = "message_format")]
    pub(super) reporter: Option<ReporterName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReporterName {
    // Not documented one by one, which would make the help of every option long.
    Human,
    Json,
    Github,
    Junit,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Say which cases would run on this board, and of the others why not: native, qemu, or one of the
    /// rig file
    #[arg(short, long, value_name = "NAME", conflicts_with = "bugs")]
    pub(super) board: Option<String>,
    #[command(flatten)]
    pub(super) rig: RigFile,
    /// List the bugs that can be put into a device instead, and who claims to catch them
    #[arg(long)]
    pub(super) bugs: bool,
    /// How to tell: for people, or a JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
}

#[derive(Debug, Args)]
pub(super) struct HandOver {
    /// The board, a name in the rig file
    #[arg(short, long, value_name = "NAME")]
    pub(super) board: String,
    #[command(flatten)]
    pub(super) rig: RigFile,
    /// The scenario whose world it is told of [default: one with everything that it can be told of]
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    /// Case of the scenario, if there are several [default: the first]
    #[arg(short = 'E', long, value_name = "EXPR", requires = "scenario")]
    pub(super) filter: Option<String>,
    /// The folder, which must not be there yet. Secrets stand in it: its files are yours alone
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files, and folders of such [default: scenarios]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Diagnose {
    /// Logs, traces and bundles of one incident, such as a device's and its broker's; - is standard input
    #[arg(value_name = "LOG", default_value = "-")]
    pub(super) logs: Vec<PathBuf>,
    /// How to tell: for people, or as a JSON object
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 a world fails in the same stage, 1 none does, 2 the log cannot be read, 4 no world is known for what the log tells."
)]
pub(super) struct Reproduce {
    /// Logs, traces and bundles of one incident; - is standard input
    #[arg(value_name = "LOG", default_value = "-")]
    pub(super) logs: Vec<PathBuf>,
    /// Where to write the scenario that comes nearest [default: it is printed]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// How many worlds to try
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(super) most: u8,
    /// How to tell: for people, or as a JSON object
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Holds traces, logs, jobs, scenarios and rig file, never factory data or flash. What looks like a secret is named and nothing is written, unless --redact replaces it.\nExit code: 0 written or unpacked, 1 secrets were found, 2 a file cannot be read or a bundle is refused."
)]
pub(super) struct Bundle {
    /// Folders of attempts, as reports name them, and logs; or the bundle to unpack
    #[arg(value_name = "ATTEMPT", required = true)]
    pub(super) parts: Vec<PathBuf>,
    /// The bundle to write
    #[arg(long, value_name = "FILE", required_unless_present = "unpack")]
    pub(super) out: Option<PathBuf>,
    /// Replace what looks like a secret
    #[arg(long, conflicts_with = "unpack")]
    pub(super) redact: bool,
    /// Unpack a bundle into this folder, which must not be there yet
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub(super) unpack: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    /// The ledger's folder, as of `run --ledger`
    #[arg(value_name = "DIR")]
    pub(super) ledger: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ContractsArguments {
    /// Count over the traces of this run, by its folder
    #[arg(value_name = "RUN")]
    pub(super) run: Option<PathBuf>,
    /// How to tell: for people, or a JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MessageFormat {
    // Not documented one by one, which would make the help of every option long.
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FlashWhen {
    // Not documented one by one, which would make the help of every option long.
    Changed,
    Always,
}

impl From<FlashWhen> for Flash {
    fn from(when: FlashWhen) -> Self {
        match when {
            FlashWhen::Changed => Self::Changed,
            FlashWhen::Always => Self::Always,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing, opens no port and runs none of the rig file's commands.\nExit code: 0 nothing is not ok, 2 mistake in the command line or rig file, 3 something is not ok."
)]
pub(super) struct Doctor {
    /// The board: a name in the rig file
    #[arg(long, value_name = "NAME")]
    pub(super) board: String,
    #[command(flatten)]
    pub(super) rig: RigFile,
    /// How to tell: for people, or a JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Certs {
    #[command(subcommand)]
    pub(super) command: Option<CertsCommand>,
    /// Where to write them; existing files stay as they are
    #[arg(long, value_name = "DIR", required = true)]
    pub(super) out: Option<PathBuf>,
    /// Host names and addresses for server certificates
    #[arg(long = "name", value_name = "NAME", default_value = "localhost")]
    pub(super) names: Vec<String>,
    /// Common name for client certificates
    #[arg(long, value_name = "NAME", default_value = "device")]
    pub(super) client: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum CertsCommand {
    /// Make the images of an ESP8266's flash (NONOS SDK), check where they go, and print the commands
    Esp8266(Box<super::esp8266::Esp8266>),
}

#[derive(Debug, Args)]
pub(super) struct Trace {
    #[command(subcommand)]
    pub(super) command: TraceCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TraceCommand {
    /// Print events: lab time in s, source, device, text
    Show(ShowTrace),
    /// Write a page for a browser of one attempt, of several side by side, or of a run
    Open(OpenTrace),
}

#[derive(Debug, Args)]
pub(super) struct ShowTrace {
    /// The trace, or the attempt's folder
    pub(super) file: PathBuf,
    /// Print only this source, such as 'log' or 'mqtt'; several are alternatives
    #[arg(long = "source", value_name = "SOURCE", value_parser = super::trace::source)]
    pub(super) sources: Vec<Source>,
    /// Print only events of this device
    #[arg(long = "device", value_name = "NAME")]
    pub(super) devices: Vec<String>,
    /// Print only events of this kind, such as 'line' or 'handshake'
    #[arg(long = "kind", value_name = "KIND")]
    pub(super) kinds: Vec<String>,
    /// Only log lines of this level (error, warn, info, debug, trace) or graver
    #[arg(long, value_name = "LEVEL", value_parser = super::trace::level)]
    pub(super) level: Option<Level>,
    /// Print only events whose text matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(super) grep: Option<regex::Regex>,
    /// As JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    /// The scenario; without one, a device that is provisioned over SoftAP
    pub(super) scenario: Option<PathBuf>,
    /// Case to bring up, if there are several [default: the first]
    #[arg(short = 'E', long, value_name = "EXPR")]
    pub(super) filter: Option<String>,
    /// Make a port of the device one of this host, such as '127.0.0.1:8080=softap:80' or
    /// 'udp:127.0.0.1:0=sta:5683'
    #[arg(long = "forward", value_name = "[udp:]ADDR=SIDE:PORT")]
    pub(super) forwards: Vec<Forward>,
    /// Make the device's console a Unix socket at this path
    #[arg(long, value_name = "PATH")]
    pub(super) console: Option<PathBuf>,
    /// Where to write endpoints.json, certificates and the trace
    #[arg(long, value_name = "DIR", required_unless_present = "as_rig")]
    pub(super) out: Option<PathBuf>,
    /// Stand as a rig instead: the reference device as the board `device` of DIR/rig.toml, on a UART
    /// and radios of this host that are imitated. DIR has to be new, empty, or left by such a rig
    #[arg(long, value_name = "DIR", conflicts_with_all = ["scenario", "filter", "forwards", "console", "out"])]
    pub(super) as_rig: Option<PathBuf>,
    /// Where the device of --as-rig has its console
    #[arg(long, value_name = "WHERE", default_value = "log", requires = "as_rig")]
    pub(super) console_on: ConsoleOn,
    /// Log component whose lines the device of --as-rig does not print, such as 'app'; may be given
    /// several times
    #[arg(long = "without-component", value_name = "TAG", requires = "as_rig")]
    pub(super) without_components: Vec<String>,
    /// Offer UART, Bluetooth and Ethernet of --as-rig as Unix sockets in DIR, for a virtual machine with
    /// radios and a serial port of its own, instead of imitating those on this host
    #[arg(long, requires = "as_rig", conflicts_with = "console_on")]
    pub(super) sockets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ConsoleOn {
    // Not documented one by one, which would make the help of every option long.
    Log,
    Uart,
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("expected a time such as 500ms, 90s or 5m".to_owned()),
    }
}

fn probe_faults() -> impl TypedValueParser<Value = BrokenProbe> {
    let values = BrokenProbe::ALL.map(|(_, name, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(values).try_map(|wanted| {
        let known = BrokenProbe::ALL.into_iter();
        let found = known.into_iter().find(|(_, name, _)| *name == wanted);
        found.map(|(fault, _, _)| fault).ok_or("unknown")
    })
}

pub(super) fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (1.0..=1e6).contains(&speed) => Ok(speed),
        _ => Err("expected a number from 1 to 1000000".to_owned()),
    }
}

pub(super) fn bug(text: &str) -> Result<String, String> {
    let known = language::bugs();
    if known.iter().any(|bug| bug == text) {
        return Ok(text.to_owned());
    }
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(match language::nearest(text, &words) {
        Some(word) => format!("did you mean {word}? `proving list --bugs` lists all"),
        None => format!("there are: {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_and_speeds_have_bounds() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert!(time("0s").is_err() && time("5").is_err());
        assert_eq!(speed("1"), Ok(1.0));
        assert!(speed("0.5").is_err() && speed("NaN").is_err() && speed("inf").is_err());
    }
}
