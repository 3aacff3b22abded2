//! Why a command ended early.

use std::io;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, Report};
use report::ExitStatus;

use super::hardware::HardwareError;
use super::prov::ProvError;
use engine::attempt::LabError;
use engine::run::RunError;
use engine::up::UpError;
use explore::ExploreError;
use language::{FilterError, ReadError};

/// Why a command ended early.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum CommandError {
    /// Scenarios could not be read.
    #[error("{} of the scenarios cannot be used; nothing was run", .0.len())]
    Scenarios(Vec<ReadError>),
    /// The filter expression could not be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Filter(#[from] FilterError),
    /// No scenarios were named, and the default place has none.
    #[error("there is no folder `scenarios` here")]
    #[diagnostic(help(
        "name scenario files, or folders of such; `proving scenarios export scenarios` writes those that this program carries"
    ))]
    NoScenarios,
    /// The certificate profiles that this build carries.
    #[error(transparent)]
    Profiles(#[from] pki::PkiError),
    /// Files of this program could not be written out.
    #[error(transparent)]
    #[diagnostic(help("name another folder, or move what is there out of the way"))]
    Stock(#[from] stock::ExportError),
    /// A qualification could not be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Qualify(#[from] super::qualify::QualifyError),
    /// Evidence that is refused or cannot be read.
    #[error(transparent)]
    Evidence(#[from] ::evidence::VerifyError),
    /// Keys of signers that cannot be read.
    #[error(transparent)]
    Signers(#[from] ::evidence::SignersError),
    /// Certificates could not be written.
    #[error(transparent)]
    Export(#[from] pki::ExportError),
    /// Certificates that an ESP8266 cannot use.
    #[error(transparent)]
    Esp8266(#[from] pki::esp8266::Esp8266Error),
    /// A file could not be read.
    #[error("failed to read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("failed to write {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// What a run takes could not be found out.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Choice(#[from] super::choice::ChoiceError),
    /// A bundle that cannot be taken for what it says it is.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bundle(#[from] super::bundle::BundleError),
    /// What a firmware is told could not be written.
    #[error("failed to write what the firmware is told")]
    HandOver(#[source] LabError),
    /// A run could not be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Exploring came to no end.
    #[error(transparent)]
    Explore(ExploreError),
    /// The program itself cannot be found for its workers.
    #[error("failed to find this program's own file, which its workers need")]
    Executable(#[source] io::Error),
    /// The JUnit report could not be written.
    #[error("failed to write the JUnit report {}", path.display())]
    Junit {
        /// File of the report.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A page, or another file made of a run, could not be written.
    #[error("failed to write {}", path.display())]
    #[diagnostic(help(
        "name a place that can be written to: `--html FILE`, or `--out FILE` of `trace open`"
    ))]
    Page {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A page could not be made.
    #[error(transparent)]
    Html(#[from] report::HtmlError),
    /// The page was written, but nothing here opens it.
    #[error("failed to start `{program}` for {}", path.display())]
    #[diagnostic(help("the page is written: open it in any browser"))]
    Browser {
        /// What was to open it.
        program: &'static str,
        /// The page.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Name of a board that does not exist.
    #[error("there is no board `{0}`")]
    #[diagnostic(help(
        "there are `native` and `qemu`; `proving boards init` writes a rig file for real ones"
    ))]
    UnknownBoard(String),
    /// Expression that no board of the rig file matches.
    #[error("no board of {} matches `{expression}`", rig.display())]
    #[diagnostic(help("there are: {known}"))]
    NoBoardMatches {
        /// What the user asked for.
        expression: String,
        /// The rig file.
        rig: PathBuf,
        /// Its boards, with what can be asked about them.
        known: String,
    },
    /// Signals that could not be listened for.
    #[error("failed to install the signal handlers")]
    Signals(#[source] io::Error),
    /// SIGINT or SIGTERM before anything was run.
    #[error("interrupted; nothing was run")]
    Interrupted,
    /// Image for flashing that does not exist.
    #[error("there is no image {}", .0.display())]
    #[diagnostic(help("build it with `cargo xtask firmware mps2`, or name another with --image"))]
    NoImage(PathBuf),
    /// `--image` for a board that has firmware of its own.
    #[error("{board} cannot be flashed with {}: {whose}", image.display())]
    #[diagnostic(help("{help}"))]
    OwnFirmware {
        /// Name of the board.
        board: String,
        /// The file that the user named.
        image: PathBuf,
        /// Why the board has its own.
        whose: String,
        /// What to type instead.
        help: String,
    },
    /// A trace could not be shown.
    #[error(transparent)]
    Show(#[from] report::ShowError),
    /// A trace could not be read.
    #[error(transparent)]
    Trace(#[from] ::trace::ReadError),
    /// A folder could not be listed.
    #[error("failed to list {}", path.display())]
    Folder {
        /// Path of the folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Folder without traces of a run.
    #[error("there are no traces in {}", .0.display())]
    #[diagnostic(help("name the folder of a run: `proving run` prints it in its first line"))]
    NoTraces(PathBuf),
    /// Standard output that cannot be written.
    #[error("failed to write to standard output")]
    Output(#[source] io::Error),
    /// A board did not do what it was told.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Hardware(#[from] HardwareError),
    /// The world could not be brought up.
    #[error("failed to bring up the world")]
    Up(#[from] UpError),
    /// Failure of a `proving prov` command.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Prov(#[from] ProvError),
}

impl CommandError {
    /// The file at `path` could not be read.
    pub(super) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Unreadable {
            path: path.to_owned(),
            source,
        }
    }

    /// The file at `path` could not be written.
    pub(super) fn unwritable(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Unwritable {
            path: path.to_owned(),
            source,
        }
    }

    /// Mistakes of the user are 2; what this host refuses is 3.
    fn status(&self) -> ExitStatus {
        match self {
            Self::Hardware(error) => error.status(),
            Self::Prov(error) => error.status(),
            Self::Qualify(error) if error.is_usage() => ExitStatus::Usage,
            Self::NoBoardMatches { .. } => ExitStatus::NothingSelected,
            Self::Interrupted => ExitStatus::Interrupted,
            Self::Scenarios(_)
            | Self::Filter(_)
            | Self::NoScenarios
            | Self::UnknownBoard(_)
            | Self::NoImage(_)
            | Self::OwnFirmware { .. }
            | Self::Profiles(_)
            | Self::Show(_)
            | Self::Html(_)
            | Self::Trace(_)
            | Self::Folder { .. }
            | Self::Esp8266(_)
            | Self::Evidence(_)
            | Self::Signers(_)
            | Self::Stock(stock::ExportError::Exists(_) | stock::ExportError::Link(_))
            | Self::Unreadable { .. }
            | Self::Bundle(_)
            | Self::Choice(_)
            | Self::NoTraces(_) => ExitStatus::Usage,
            Self::Explore(ExploreError::Read { .. } | ExploreError::NotAWalk { .. }) => {
                ExitStatus::Usage
            }
            Self::HandOver(LabError::HandOver { .. } | LabError::Scenario(_)) => ExitStatus::Usage,
            Self::Export(_)
            | Self::Stock(stock::ExportError::Write { .. })
            | Self::HandOver(_)
            | Self::Run(_)
            | Self::Qualify(_)
            | Self::Explore(_)
            | Self::Executable(_)
            | Self::Signals(_)
            | Self::Junit { .. }
            | Self::Unwritable { .. }
            | Self::Page { .. }
            | Self::Browser { .. }
            | Self::Output(_)
            | Self::Up(_) => ExitStatus::Broken,
        }
    }

    /// Writes it to standard error, with snippets, and returns [`CommandError::status`].
    pub(super) fn print(self) -> ExitStatus {
        let status = self.status();
        match self {
            // Each names its file; a headline for all would say nothing more.
            Self::Scenarios(errors) => {
                for error in errors {
                    eprintln!("{:?}", Report::new(error));
                }
            }
            other => eprintln!("{:?}", Report::new(other)),
        }
        status
    }
}
