//! `proving completions` and `proving man`.

use clap::CommandFactory;
use report::ExitStatus;

use super::arguments::{Arguments, Completions};
use super::{CommandError, print};

pub(super) fn completions(arguments: &Completions) -> Result<ExitStatus, CommandError> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "proving", &mut script);
    print(&String::from_utf8_lossy(&script))
}

pub(super) fn man() -> Result<ExitStatus, CommandError> {
    let mut page = Vec::new();
    let written = clap_mangen::Man::new(Arguments::command()).render(&mut page);
    written.map_err(CommandError::Output)?;
    print(&String::from_utf8_lossy(&page))
}
