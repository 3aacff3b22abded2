//! `proving scenarios`: the scenarios that this program carries.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use report::ExitStatus;

use super::{CommandError, print};

/// What becomes of the scenarios that this program carries.
#[derive(Debug, Args)]
pub(super) struct Scenarios {
    #[command(subcommand)]
    command: ScenariosCommand,
}

#[derive(Debug, Subcommand)]
enum ScenariosCommand {
    /// Write them into a folder, with the schema for an editor; a file that is there stays as it is
    Export {
        /// The folder, such as `scenarios`
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

pub(super) fn scenarios(arguments: &Scenarios) -> Result<ExitStatus, CommandError> {
    let ScenariosCommand::Export { folder } = &arguments.command;
    print(&export(folder)?)
}

fn export(folder: &Path) -> Result<String, CommandError> {
    let schema = format!("{:#}\n", language::schema());
    let files = stock::FILES.iter().copied();
    let files = files.chain([("schema.json", schema.as_str())]);
    let exported = stock::export(folder, files)?;
    let scenarios = stock::FILES.iter().filter(|(path, _)| is_scenario(path));
    let folder = folder.display();
    let same = match exported.same {
        0 => String::new(),
        same => format!(", {same} were there already"),
    };
    Ok(format!(
        "{folder}: {} scenarios in {} files; {} files written{same}\n\
         run them: proving run {folder}\n",
        scenarios.count(),
        stock::FILES.len() + 1,
        exported.written,
    ))
}

/// Whether this is the path of a scenario, and not of what stands beside them.
fn is_scenario(path: &str) -> bool {
    path.ends_with(".yaml") && path.contains('/') && !path.starts_with("certs/")
}
