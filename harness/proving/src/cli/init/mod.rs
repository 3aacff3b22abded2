//! `proving init`: what a team's own repository starts with.

use std::path::PathBuf;

use board::rig::Rig;
use clap::Args;
use report::ExitStatus;

use super::{CommandError, print};

/// A scenario that passes on the native board, to be changed.
const SCENARIO: &str = include_str!("first.yaml");
/// The workflow, in which `{version}` stands for this program's.
const WORKFLOW: &str = include_str!("proving.yml");

/// Where to begin.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Folder of the repository
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn init(arguments: &Init) -> Result<ExitStatus, CommandError> {
    let workflow = WORKFLOW.replace("{version}", env!("CARGO_PKG_VERSION"));
    let files = [
        ("scenarios/first.yaml", SCENARIO),
        ("rig.toml", Rig::template()),
        (".github/workflows/proving.yml", workflow.as_str()),
    ];
    let folder = &arguments.folder;
    // What is the same is not written again, so that a second `init` is no mistake.
    stock::export(folder, files)?;
    let there = match folder.as_os_str() == "." {
        true => String::new(),
        false => format!("cd {}; ", folder.display()),
    };
    print(&format!(
        "scenarios/first.yaml           a scenario; run it on the virtual board: {there}proving run\n\
         rig.toml                       for your boards: remove the first character of the lines that you need,\n\
         \x20                              then: proving boards\n\
         .github/workflows/proving.yml  runs the scenarios for every push, and on boards if you say which\n\
         more scenarios, to copy from: proving scenarios export stock\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflow_takes_the_release_of_this_version_and_no_script_holds_an_expression() {
        let script = |line: &&str| line.trim_start().starts_with("run:") && line.contains("${{");
        assert_eq!(WORKFLOW.lines().find(script), None);
        for part in [
            "/releases/download/v{version}/proving-x86_64-unknown-linux-gnu.tar.gz",
            "proving-hil/proving/.github/actions/proving@v{version}",
            "sha256sum --check",
        ] {
            assert!(WORKFLOW.contains(part), "{part}");
        }
    }

    /// A stranger's code must not reach the boards: the same condition as in the example.
    #[test]
    fn boards_are_for_trusted_authors_only() {
        let example = include_str!("../../../../../.github/workflows/boards.yml.example");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, condition) = example.split_once("if: >-").expect("it has one");
        let (condition, _) = condition.split_once("runs-on").expect("it ends");
        assert!(words(WORKFLOW).contains(&words(condition)), "{condition}");
    }
}
