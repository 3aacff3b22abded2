//! Cases and boards, ready to be run.

use std::path::PathBuf;
use std::time::Duration;

use board::lease::Lease;
use clap::Args;
use engine::run::{BoardModel, Case};
use language::Differences;
use report::{ExitStatus, RunSummary};

use super::arguments::{FlashWhen, time};
use super::hardware::arguments::RigFile;
use super::stop_flag::StopFlag;
use super::{CommandError, board_queue, chosen_boards, ready_boards};

/// Which boards, and what is on them.
#[derive(Debug, Args)]
pub(super) struct OnBoards {
    /// Board to run on: native, qemu, one of the rig file, or those of it that match, such as
    /// 'chip=esp32c3 & can=power'; may be given several times [default: native]
    #[arg(short, long, value_name = "NAME|EXPR")]
    pub(super) board: Vec<String>,
    #[command(flatten)]
    pub(super) rig: RigFile,
    /// How long to wait for boards that another process holds, such as 10m [default: not at all]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) wait: Option<Duration>,
    /// Another build of the reference device, for the native board [default: the one in here]
    #[arg(long, value_name = "EXECUTABLE")]
    pub(super) device: Option<PathBuf>,
    /// Image to flash boards with [default for qemu: what `cargo xtask firmware mps2` builds]
    #[arg(long, value_name = "ELF")]
    pub(super) image: Option<PathBuf>,
    /// When to flash boards: if another image is on them, or before each attempt
    #[arg(long, value_name = "WHEN", default_value = "changed")]
    pub(super) flash: FlashWhen,
}

/// Cases on boards, which are held until this is dropped.
pub(super) struct Prepared {
    /// Every case on every board.
    pub(super) cases: Vec<Case>,
    pub(super) boards: Vec<BoardModel>,
    /// The program that is the device on the native board, if it is another than this.
    pub(super) device: Option<PathBuf>,
    /// Whether a board is not well, and its cases are skipped.
    pub(super) taken_out: bool,
    /// What is otherwise on some board.
    pub(super) differences: Differences,
    _leases: Vec<Lease>,
}

impl Prepared {
    /// How a run of these cases ended. What a board that was taken out has left unjudged is the board's fault.
    pub(super) fn exit_status(&self, summary: &RunSummary) -> ExitStatus {
        match summary.exit_status() {
            ExitStatus::Passed | ExitStatus::NothingSelected if self.taken_out => {
                ExitStatus::Broken
            }
            status => status,
        }
    }
}

impl OnBoards {
    /// Leases the boards, looks whether they are well, and puts the cases on them.
    pub(super) fn prepare(&self, cases: &[language::Case]) -> Result<Prepared, CommandError> {
        let mut boards = chosen_boards::of(&self.board, &self.rig.path, self.image.as_deref())?;
        let device = chosen_boards::device(self.device.as_deref(), &boards)?;
        ready_boards::open_authorities(&boards)?;
        // Until the run has begun, which ends in order by itself.
        let stop = StopFlag::install().map_err(CommandError::Signals)?;
        let leases = board_queue::lease(&boards, self.wait.unwrap_or_default(), &stop)?;
        let taken_out = ready_boards::make_ready(&mut boards, &stop)?;
        drop(stop);
        let differences = Differences::of(cases).map_err(CommandError::Scenarios)?;
        let planned = boards.iter().flat_map(|board| {
            let differences = &differences;
            cases.iter().map(move |case| {
                let difference = differences.between(case, &board.name);
                Case::of(case.clone(), board).differing(difference)
            })
        });
        let planned = planned.collect();
        Ok(Prepared {
            cases: planned,
            device,
            taken_out,
            differences,
            boards,
            _leases: leases,
        })
    }
}
