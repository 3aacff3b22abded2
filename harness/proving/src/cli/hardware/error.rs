//! Why a command for boards ended early.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use board::rig::{RigError, RigMistake, RigMistakes};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use report::ExitStatus;

/// Why a command for boards ended early.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum HardwareError {
    /// The rig file has mistakes.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Rig(RigReport),
    /// The rig file cannot be read or written.
    #[error(transparent)]
    RigFile(RigError),
    /// The board is not there.
    #[error("there is no board `{name}` in {}", rig.display())]
    #[diagnostic(help("there are: {known}"))]
    UnknownBoard {
        /// What was asked for.
        name: String,
        /// Where it should stand.
        rig: PathBuf,
        /// What there is.
        known: String,
    },
    /// The board cannot do that.
    #[error("{name} cannot {what}")]
    #[diagnostic(help("{help}"))]
    Unable {
        /// Name of the board.
        name: String,
        /// What was asked.
        what: &'static str,
        /// What to do instead.
        help: String,
    },
    /// Board for which no image is named.
    #[error("nothing says which image is meant for {name}")]
    #[diagnostic(help("{help}"))]
    NoImage {
        /// Name of the board.
        name: String,
        /// What to type.
        help: String,
    },
    /// It cannot be reached as its section says.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Reach(#[from] engine::attempt::ReachError),
    /// The emulator is not installed.
    #[error("there is no `{0}` on this host")]
    #[diagnostic(help("install it: `sudo apt install qemu-system-arm`"))]
    NoEmulator(&'static str),
    /// Board that another process holds.
    #[error(transparent)]
    Lease(#[from] board::lease::LeaseError),
    /// The board or its port failed.
    #[error(transparent)]
    Board(#[from] board::BoardError),
    /// The probe or its chip failed.
    #[error(transparent)]
    Probe(#[from] board::probe::ProbeError),
    /// Tests could not be run.
    #[error(transparent)]
    Test(#[from] board::on_target::TestError),
    /// The host refused.
    #[error("failed to {what}")]
    Io {
        /// What was attempted, and on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl HardwareError {
    /// Mistakes of the user are 2, boards and hosts that fail are 3.
    pub(crate) fn status(&self) -> ExitStatus {
        match self {
            Self::Rig(_)
            | Self::RigFile(_)
            | Self::UnknownBoard { .. }
            | Self::Unable { .. }
            | Self::NoImage { .. }
            | Self::Reach(_) => ExitStatus::Usage,
            Self::Test(error) => of_tests(error),
            Self::Probe(error) => of_probe(error),
            Self::NoEmulator(_) | Self::Lease(_) | Self::Board(_) | Self::Io { .. } => {
                ExitStatus::Broken
            }
        }
    }
}

fn of_tests(error: &board::on_target::TestError) -> ExitStatus {
    use board::on_target::TestError;
    match error {
        TestError::NoneFits { .. } => ExitStatus::NothingSelected,
        TestError::Probe(error) => of_probe(error),
        _ => ExitStatus::Usage,
    }
}

/// What can be corrected by typing something else is the user's.
fn of_probe(error: &board::probe::ProbeError) -> ExitStatus {
    use board::probe::ProbeError;
    match error {
        ProbeError::Selector { .. }
        | ProbeError::Ambiguous { .. }
        | ProbeError::UnknownChip { .. }
        | ProbeError::Description { .. }
        | ProbeError::Image(_) => ExitStatus::Usage,
        _ => ExitStatus::Broken,
    }
}

impl From<RigError> for HardwareError {
    fn from(error: RigError) -> Self {
        match error {
            RigError::Mistakes(mistakes) => Self::Rig(RigReport::new(&mistakes)),
            other => Self::RigFile(other),
        }
    }
}

/// The mistakes of a rig file, each with its snippet.
#[derive(Debug)]
pub struct RigReport {
    file: String,
    mistakes: Vec<Shown>,
}

#[derive(Debug)]
struct Shown {
    source: NamedSource<Arc<str>>,
    mistake: RigMistake,
}

impl RigReport {
    fn new(mistakes: &RigMistakes) -> Self {
        let file = mistakes.path().display().to_string();
        let text: Arc<str> = mistakes.text().into();
        let shown = |mistake: &RigMistake| Shown {
            source: NamedSource::new(&file, Arc::clone(&text)),
            mistake: mistake.clone(),
        };
        Self {
            mistakes: mistakes.iter().map(shown).collect(),
            file,
        }
    }
}

impl fmt::Display for RigReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{}: {count} mistake{plural}", self.file)
    }
}

impl Error for RigReport {}

impl Diagnostic for RigReport {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let mistakes = self.mistakes.iter();
        Some(Box::new(mistakes.map(|shown| shown as &dyn Diagnostic)))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistake.message)
    }
}

impl Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.mistake.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some("here".into()), self.mistake.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
