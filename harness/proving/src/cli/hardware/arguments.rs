//! What can be said to the commands for boards.

use std::path::PathBuf;
use std::time::Duration;

use board::rig::DEFAULT_FILE;
use clap::{Args, Subcommand};
use trace::Level;

use super::super::arguments::{MessageFormat, time};
use super::super::trace::level;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 every board of the rig answers, 2 mistake in the command line or rig file, 3 one does not."
)]
pub(crate) struct Boards {
    #[command(subcommand)]
    pub(super) command: Option<BoardsCommand>,
    #[command(flatten)]
    pub(super) rig: RigFile,
    /// Attach to none and run no health checks; only say what is there
    #[arg(long)]
    pub(super) no_ask: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum BoardsCommand {
    /// Write a rig file to start from; one that is there stays as it is
    Init,
}

/// Which rig file.
#[derive(Debug, Args)]
pub(crate) struct RigFile {
    /// The rig file
    #[arg(long = "rig", value_name = "FILE", default_value = DEFAULT_FILE, global = true)]
    pub(crate) path: PathBuf,
}

/// Which board.
#[derive(Debug, Args)]
pub(super) struct OneBoard {
    /// The board: `qemu`, or a name in the rig file
    #[arg(long, value_name = "NAME")]
    pub(super) board: String,
    #[command(flatten)]
    pub(super) rig: RigFile,
}

#[derive(Debug, Args)]
pub(crate) struct Flash {
    /// The image [default: the rig file's]
    #[arg(value_name = "ELF")]
    pub(super) elf: Option<PathBuf>,
    #[command(flatten)]
    pub(super) board: OneBoard,
    /// Flash what is there already too; behind a probe, erase all of the chip before
    #[arg(long)]
    pub(super) erase: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(super) board: OneBoard,
    /// The image that runs on the board, for what it logs in numbers [default: the rig file's]
    #[arg(long, value_name = "ELF")]
    pub(super) image: Option<PathBuf>,
    /// Restart the board first
    #[arg(long)]
    pub(super) reset: bool,
    /// Print only lines of this level (error, warn, info, debug, trace) or graver
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub(super) level: Option<Level>,
    /// Only lines with this tag; several are alternatives
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
    /// Only lines whose text matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(super) grep: Option<regex::Regex>,
    /// End when the board was listened to for so long [default: at Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(super) duration: Option<Duration>,
    /// As JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 all passed, 1 some failed, 2 mistake in the command line, rig file or image,\n3 the probe's or the host's fault, 4 no test fits."
)]
pub(crate) struct Test {
    /// An image of embedded-test or defmt-test
    #[arg(value_name = "ELF")]
    pub(super) elf: PathBuf,
    /// Only tests whose names hold one of these
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) board: OneBoard,
    /// Only tests whose names are one of these
    #[arg(long)]
    pub(super) exact: bool,
    /// Tests that are marked to be ignored too
    #[arg(long)]
    pub(super) ignored: bool,
    /// List the tests instead of running them
    #[arg(long)]
    pub(super) list: bool,
    /// How long a test may take that does not say so itself [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) timeout: Option<Duration>,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Show what passing tests log too
    #[arg(long)]
    pub(super) show_log: bool,
    /// Format of the output: text, or a JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) message_format: MessageFormat,
}
