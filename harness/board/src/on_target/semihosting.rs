//! Answers to what a test asks of the host
//! (<https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst>).

use probe_rs::semihosting::SemihostingCommand;
use probe_rs::{Core, MemoryInterface};
use trace::{Level, LogLine};

use crate::error::{Attempting, ProbeError};

/// The console's handle, as it is given to every file that is opened.
const CONSOLE: u32 = 1;
/// Bytes that are written at once at most; firmware writes lines.
const MOST_WRITTEN: u32 = 4096;
/// A line without an end is cut here.
const LONGEST_LINE: usize = 16 * 1024;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is answered; the firmware can go on.
    Given,
    /// It was none: the firmware has ended, with this error.
    Exit(Option<String>),
    /// It has no meaning that is known.
    Unknown(String),
}

/// What was written to the console.
#[derive(Default)]
pub(super) struct Console {
    pending: Vec<u8>,
}

impl Console {
    /// The lines that are whole.
    pub(super) fn lines(&mut self) -> impl Iterator<Item = LogLine> + use<> {
        let end = match self.pending.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.pending.len() > LONGEST_LINE => self.pending.len(),
            None => 0,
        };
        let whole: Vec<u8> = self.pending.drain(..end).collect();
        let lines: Vec<_> = whole
            .split_inclusive(|byte| *byte == b'\n')
            .map(console_line)
            .collect();
        lines.into_iter()
    }

    /// The line that has no end, once nothing more comes.
    pub(super) fn rest(self) -> Option<LogLine> {
        (!self.pending.is_empty()).then(|| console_line(&self.pending))
    }
}

fn console_line(line: &[u8]) -> LogLine {
    LogLine {
        level: Level::Info,
        tag: "console".to_owned(),
        text: String::from_utf8_lossy(line)
            .trim_end_matches(['\n', '\r'])
            .to_owned(),
        device_ms: None,
        place: None,
    }
}

/// Answers `command`, for which the core has stopped.
pub(super) fn answer(
    core: &mut Core<'_>,
    command: SemihostingCommand,
    command_line: &str,
    console: &mut Console,
) -> Result<Answer, ProbeError> {
    let said = || "answer by semihosting".to_owned();
    match command {
        SemihostingCommand::ExitSuccess => return Ok(Answer::Exit(None)),
        SemihostingCommand::ExitError(details) => {
            return Ok(Answer::Exit(Some(format!("exit with {details}"))));
        }
        SemihostingCommand::GetCommandLine(request) => {
            request
                .write_command_line_to_target(core, command_line)
                .attempting(said)?;
        }
        SemihostingCommand::Open(request) => {
            let handle = std::num::NonZeroU32::new(CONSOLE).expect("the handle is not zero");
            request.respond_with_handle(core, handle).attempting(said)?;
        }
        SemihostingCommand::Close(request) => request.success(core).attempting(said)?,
        SemihostingCommand::Write(request) => {
            // The length is the firmware's word, so it is read here and bounded.
            let [_, address, length] = parameters(core)?;
            let length = length.min(MOST_WRITTEN);
            let mut bytes = vec![0; length as usize];
            core.read(u64::from(address), &mut bytes).attempting(said)?;
            console.pending.extend_from_slice(&bytes);
            // Zero says that all of it was written.
            request.write_status(core, 0).attempting(said)?;
        }
        SemihostingCommand::WriteConsole(_) => {
            let (operation, address) = registers(core)?;
            let limit = match operation {
                // SYS_WRITEC writes one character.
                0x03 => 1,
                _ => MOST_WRITTEN,
            };
            read_text(core, address, limit, &mut console.pending)?;
        }
        SemihostingCommand::Time(request) => request.write_current_time(core).attempting(said)?,
        SemihostingCommand::Errno(request) => request.write_errno(core, 0).attempting(said)?,
        other => {
            let name = format!("{other:?}");
            let name = name.split(['(', ' ']).next().unwrap_or_default();
            return Ok(Answer::Unknown(format!(
                "it asked the host for `{name}` by semihosting, and this harness answers none"
            )));
        }
    }
    Ok(Answer::Given)
}

/// The operation, and what it is about.
fn registers(core: &mut Core<'_>) -> Result<(u32, u32), ProbeError> {
    let mut register = |number: usize| {
        let register = core.registers().argument_register(number).id();
        core.read_core_reg(register)
            .attempting(|| "read a register".to_owned())
    };
    Ok((register(0)?, register(1)?))
}

/// The three words that a write is about.
fn parameters(core: &mut Core<'_>) -> Result<[u32; 3], ProbeError> {
    let (_, block) = registers(core)?;
    let mut words = [0; 3];
    core.read_32(u64::from(block), &mut words)
        .attempting(|| "read what is to be written".to_owned())?;
    Ok(words)
}

/// Text up to a zero.
fn read_text(
    core: &mut Core<'_>,
    address: u32,
    limit: u32,
    text: &mut Vec<u8>,
) -> Result<(), ProbeError> {
    for offset in 0..limit {
        let byte = core
            .read_word_8(u64::from(address) + u64::from(offset))
            .attempting(|| "read what is to be written".to_owned())?;
        if byte == 0 {
            break;
        }
        text.push(byte);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_an_end_is_given_when_nothing_more_comes() {
        let mut console = Console {
            pending: b"one\r\ntwo".to_vec(),
        };
        let lines: Vec<_> = console.lines().map(|line| line.text).collect();
        assert_eq!(lines, ["one"]);
        assert_eq!(console.rest().map(|line| line.text).as_deref(), Some("two"));
        assert_eq!(Console::default().rest(), None);
    }
}
