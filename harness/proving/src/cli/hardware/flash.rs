//! `proving flash`.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use report::ExitStatus;

use super::super::{CommandError, print};
use super::HardwareError;
use super::arguments::Flash;
use super::line::printable;
use super::open::{Keep, Open};
use engine::attempt::BoardAccess;

pub(super) fn flash(arguments: &Flash) -> Result<ExitStatus, CommandError> {
    let elf = arguments.elf.as_deref();
    let open = Open::new(&arguments.board, elf, "proving flash", Keep::Flash)?;
    let done = match &open.access {
        BoardAccess::Probe(settings) => by_probe(&open, settings, arguments.erase)?,
        BoardAccess::Serial(_) if elf.is_some() => {
            return Err(HardwareError::Unable {
                name: open.name.clone(),
                what: "be flashed with an ELF: it has no debug probe",
                help: "name its images in `flash.images` of the rig file, and leave ELF out".into(),
            }
            .into());
        }
        BoardAccess::Serial(link) => by_uart(&open, link, arguments.erase)?,
        BoardAccess::Process(_) => {
            return Err(HardwareError::Unable {
                name: open.name.clone(),
                what: "be flashed: it is a program of this host",
                help: "build the program that its `command` in the rig file names".into(),
            }
            .into());
        }
    };
    print(&format!("{}: {done}\n", open.name))
}

/// What came of it, as the end of a sentence.
fn sentence(what: &str, skipped: bool, bytes: u64, took: Duration) -> String {
    if skipped {
        format!("{what} is there already ({bytes} bytes); --erase flashes it anyway")
    } else {
        format!(
            "flashed {what}, {bytes} bytes in {:.2} s",
            took.as_secs_f64()
        )
    }
}

fn by_probe(
    open: &Open,
    settings: &board::probe::ProbeSettings,
    erase: bool,
) -> Result<String, HardwareError> {
    use board::probe::Progress;
    if settings.image.as_os_str().is_empty() {
        return Err(HardwareError::NoImage {
            name: open.name.clone(),
            help: format!("`proving flash ELF --board {}`", open.name),
        });
    }
    open.power_on()?;
    let mut shown = Shown::new();
    let flashed = board::probe::flash(settings.clone(), erase, |progress| match progress {
        Progress::Erasing { done, of } => shown.percent("erasing", done, of),
        Progress::Writing { done, of } => shown.percent("writing", done, of),
        Progress::Verifying { bytes } => shown.line(&format!("verifying {bytes} bytes")),
    });
    shown.clear();
    let flashed = flashed?;
    let what = settings.image.display().to_string();
    Ok(sentence(
        &what,
        flashed.skipped,
        flashed.bytes,
        flashed.took,
    ))
}

fn by_uart(
    open: &Open,
    link: &board::rig::SerialLink,
    erase: bool,
) -> Result<String, HardwareError> {
    use board::Board;
    use board::serial::SerialBoard;
    let images = link.flash.iter().flat_map(|flash| &flash.images);
    let images: Vec<_> = images
        .map(|image| image.file.display().to_string())
        .collect();
    let mut shown = Shown::new();
    let flashed = super::runtime()?.block_on(async {
        let clock = clock::Clock::start(1.0);
        let switch = open.switch(&clock);
        let trace = trace::Trace::in_memory(clock);
        let mut board = SerialBoard::new(&open.name, link.clone(), switch, trace);
        let flashed = board.flash(erase, &mut |line| shown.line(line)).await?;
        // What was flashed runs afterwards.
        board.power_on().await?;
        Ok::<_, board::BoardError>(flashed)
    });
    shown.clear();
    let flashed = flashed?;
    Ok(sentence(
        &images.join(", "),
        flashed.skipped,
        flashed.bytes,
        flashed.took,
    ))
}

/// How far it is, in one line of a terminal; nothing anywhere else.
pub(super) struct Shown {
    live: bool,
    last: String,
}

impl Shown {
    pub fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            live: io::stderr().is_terminal() && !dumb,
            last: String::new(),
        }
    }

    pub fn percent(&mut self, what: &str, done: u64, of: u64) {
        let percent = done
            .saturating_mul(100)
            .checked_div(of)
            .unwrap_or(100)
            .min(100);
        self.line(&format!("{what} {percent} %"));
    }

    pub fn line(&mut self, text: &str) {
        let text: String = printable(text).chars().take(76).collect();
        if self.live && text != self.last {
            // A terminal that is gone shows nothing.
            let _ = write!(io::stderr(), "\r\x1b[2K{text}");
            self.last = text;
        }
    }

    pub fn clear(&mut self) {
        if self.live && !self.last.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
            self.last.clear();
        }
    }
}
