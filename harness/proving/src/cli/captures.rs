//! What a run leaves besides its traces, and pages made of traces.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use engine::run::Pcap;
use report::{ExitStatus, RunSummary};

use super::{CommandError, print};

/// What a run leaves besides its traces.
#[derive(Debug, Default, Args)]
pub(super) struct Captures {
    /// Write a page for a browser, in one file that needs no network: cases, and what every source said
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Capture packets of the air and of Bluetooth beside each attempt's trace, as capture.pcapng. What
    /// devices send in the clear stands in it as it was
    #[arg(long)]
    pub(super) pcap: bool,
    /// Write the secrets of the broker's TLS sessions into the captures, so that Wireshark decrypts them
    #[arg(long, requires = "pcap")]
    pub(super) with_secrets: bool,
    /// Write each attempt's events for ui.perfetto.dev beside its trace, as perfetto.json
    #[arg(long)]
    pub(super) perfetto: bool,
}

impl Captures {
    /// How packets are captured.
    pub(super) fn pcap(&self) -> Pcap {
        match (self.pcap, self.with_secrets) {
            (false, _) => Pcap::Off,
            (true, false) => Pcap::On,
            (true, true) => Pcap::WithSecrets,
        }
    }

    /// Makes sure that all of it can be written: better now than after an hour.
    pub(super) fn prepare(&self) -> Result<(), CommandError> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        report::prepare(path).map_err(|source| unwritable(path, source))
    }

    /// Writes what is made of the whole run.
    pub(super) fn write(&self, summary: &RunSummary) -> Result<(), CommandError> {
        if self.perfetto {
            for attempt in summary.cases.iter().flat_map(|case| &case.attempts) {
                let path = attempt.folder.join("perfetto.json");
                let file = report::perfetto_of(&attempt.trace(), &attempt.case);
                // An attempt that never came to write a trace has nothing to show.
                if let Some(file) = file.map_err(|source| unwritable(&path, source))? {
                    report::write_whole(&path, file).map_err(|source| unwritable(&path, source))?;
                }
            }
        }
        if self.pcap {
            self.say_what_captures_hold();
        }
        let Some(path) = &self.html else {
            return Ok(());
        };
        let page = report::html_of_run(summary)?;
        report::write_whole(path, page).map_err(|source| unwritable(path, source))
    }
}

impl Captures {
    /// On standard error: standard output may be for machines.
    fn say_what_captures_hold(&self) {
        let file = Pcap::FILE;
        let (tls, held) = match self.with_secrets {
            true => (
                "can be decrypted by whoever has the file",
                "everything that was sent",
            ),
            false => (
                "stays encrypted (--with-secrets puts its keys in)",
                "what was sent in the clear",
            ),
        };
        eprintln!(
            "{file} beside each trace holds {held}, passphrases and tokens too; TLS to the broker {tls}"
        );
    }
}

/// Traces to make a page of.
#[derive(Debug, Args)]
pub(super) struct OpenTrace {
    /// Traces, folders of attempts, or the folder of a run; several attempts stand side by side
    #[arg(value_name = "TRACE", required = true)]
    pub(super) traces: Vec<PathBuf>,
    /// Where to write the page [default: beside the first trace, as trace.html or run.html]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Open it with the program that this desktop opens pages with
    #[arg(long)]
    pub(super) browser: bool,
}

/// Writes the page, and says where.
pub(super) fn open(arguments: &OpenTrace) -> Result<ExitStatus, CommandError> {
    let page = report::html_of_traces(&arguments.traces)?;
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => beside(&arguments.traces[0]),
    };
    report::prepare(&path)
        .and_then(|()| report::write_whole(&path, page))
        .map_err(|source| unwritable(&path, source))?;
    if arguments.browser {
        show(&path)?;
    }
    print(&format!("{}\n", path.display()))
}

/// Where the page of `trace` is written if nobody says.
fn beside(trace: &Path) -> PathBuf {
    if trace.join(RunSummary::FILE).is_file() {
        return trace.join("run.html");
    }
    let folder = match trace.is_dir() {
        true => trace,
        false => trace.parent().unwrap_or(Path::new("")),
    };
    folder.join("trace.html")
}

/// Hands the page to the desktop, which goes on by itself.
fn show(path: &Path) -> Result<(), CommandError> {
    let program = match cfg!(target_os = "macos") {
        true => "open",
        false => "xdg-open",
    };
    let started = Command::new(program)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(_) => Ok(()),
        Err(source) => Err(CommandError::Browser {
            program,
            path: path.to_owned(),
            source,
        }),
    }
}

fn unwritable(path: &Path, source: io::Error) -> CommandError {
    CommandError::Page {
        path: path.to_owned(),
        source,
    }
}
