//! The command line.

mod arguments;
mod board_queue;
mod bundle;
mod captures;
mod certs;
mod choice;
mod chosen_boards;
mod contracts;
mod diagnose;
mod doctor;
mod error;
mod esp8266;
mod evidence;
mod explore;
mod field_log;
mod hand_over;
mod hardware;
mod history;
mod init;
mod list;
mod manual;
mod prepared;
mod prov;
mod qualify;
mod ready_boards;
mod reproduce;
mod run;
mod scenarios;
mod selection;
mod stop_flag;
mod trace;
mod up;
mod worker;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use report::{ExitStatus, Paint};

use arguments::{Arguments, Command};
use error::CommandError;

/// Everything that `proving` does, by its command line. Exit codes are [`ExitStatus`].
///
/// The hidden subcommands, with which it re-executes itself, come first: a worker or a device
/// should not wait for the rest.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(name) if name == engine::WORKER_COMMAND => return worker::run(arguments),
        Some(name) if name == engine::DEVICE_COMMAND => native::main_from_arguments(arguments),
        _ => {}
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // There is nowhere to say that it cannot be said.
            let _ = error.print();
            return if error.use_stderr() {
                code(ExitStatus::Usage)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match command(arguments.command) {
        Ok(code) => code,
        Err(error) => code(error.print()),
    }
}

fn command(command: Command) -> Result<ExitCode, CommandError> {
    let status = match command {
        // Its exit codes are its own.
        Command::Evidence(arguments) => return evidence::evidence(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Qualify(arguments) => qualify::qualify(&arguments),
        Command::Explore(arguments) => explore::explore(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Check(arguments) => list::check(&arguments),
        Command::Contracts(arguments) => contracts::contracts(&arguments),
        Command::Diagnose(arguments) => diagnose::diagnose(&arguments),
        Command::Reproduce(arguments) => reproduce::reproduce(&arguments),
        Command::Bundle(arguments) => bundle::bundle(&arguments),
        Command::History(arguments) => history::history(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man => manual::man(),
        Command::HandOver(arguments) => hand_over::hand_over(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Scenarios(arguments) => scenarios::scenarios(&arguments),
        Command::Schema => {
            let schema = language::schema();
            print(&format!("{schema:#}\n"))
        }
        Command::Certs(arguments) => certs::certs(&arguments),
        Command::Trace(arguments) => trace::trace(arguments),
        Command::Up(arguments) => up::up(&arguments),
        Command::Boards(arguments) => hardware::boards(&arguments),
        Command::Flash(arguments) => hardware::flash(&arguments),
        Command::Log(arguments) => hardware::log(&arguments),
        Command::Test(arguments) => hardware::test(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Prov(arguments) => Ok(prov::prov(&arguments)?),
    };
    status.map(code)
}

fn code(status: ExitStatus) -> ExitCode {
    ExitCode::from(status as u8)
}

/// Writes `text` to standard output. A reader that has gone away has seen enough.
fn print(text: &str) -> Result<ExitStatus, CommandError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Output(error)),
        _ => Ok(ExitStatus::Passed),
    }
}

/// Colours for standard output: on a terminal, unless the user wants none (no-color.org).
fn paint() -> Paint {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Paint::new(io::stdout().is_terminal() && !unwanted)
}
