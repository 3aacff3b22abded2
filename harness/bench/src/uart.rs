//! A board with a UART, which is a pty here.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use board::Board;
use board::rig::{BoardLink, Rig};
use board::serial::SerialBoard;
use clock::Clock;
use trace::Trace;

use crate::figures::{Figure, Unit};
use crate::processor;
use crate::setup::{Outcome, Setup};
use crate::table::{Row, Target};
use crate::talker;

const SETTLING: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_secs(10);

/// What a serial board costs that says nothing.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let share = runtime.block_on(async {
        let clock = Clock::start(1.0);
        let trace = Trace::create(clock.clone(), &setup.folder()?.join("trace.jsonl"))?;
        let uart = Uart::open(setup)?;
        let mut board = uart.board(&trace)?;
        board.power_on().await?;
        clock.sleep(SETTLING).await;
        let (before, began) = (processor::own(), Instant::now());
        clock.sleep(WATCHED).await;
        let used = processor::own().saturating_sub(before);
        let share = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
        board.power_off().await?;
        Outcome::Ok(share)
    })?;
    let row = Row::new(
        "board: a waiting serial board, the harness",
        Ok(Figure::single(share, Unit::Percent)),
    );
    Ok(vec![row.target(Target::Below(1.0)).note(
        "of one core, while nothing comes over its UART, a pty",
    )])
}

/// A pty, and the rig file of the board behind it. What writes to it ends when this is dropped.
pub struct Uart {
    device: File,
    port: PathBuf,
    folder: PathBuf,
    speaker: Option<Child>,
}

impl Uart {
    /// Opens one.
    pub fn open(setup: &Setup) -> Outcome<Self> {
        let (device, port) = pty()?;
        Ok(Self {
            device,
            port,
            folder: setup.folder()?,
            speaker: None,
        })
    }

    /// The board behind it.
    pub fn board(&self, trace: &Trace) -> Outcome<SerialBoard> {
        let port = self.port.display();
        let text =
            format!("[boards.dut]\nkind = \"serial\"\nport = \"{port}\"\nlog = \"esp-idf\"\n");
        let rig = Rig::parse(&self.folder.join("rig.toml"), &text)?;
        let board = rig.boards.into_values().next().map(|board| board.link);
        match board {
            Some(BoardLink::Serial(link)) => {
                Ok(SerialBoard::new("dut", *link, None, trace.clone()))
            }
            _ => Err("the rig file has no serial board".into()),
        }
    }

    /// Has another process write so many lines to it.
    pub fn speak(&mut self, setup: &Setup, lines: usize) -> Outcome<()> {
        let speaker = Command::new(&setup.own)
            .args([talker::TALKER, talker::UART, &lines.to_string()])
            .stdout(self.device.try_clone()?)
            .spawn()?;
        self.speaker = Some(speaker);
        Ok(())
    }
}

impl Drop for Uart {
    fn drop(&mut self) {
        if let Some(mut speaker) = self.speaker.take() {
            // It may have ended by itself.
            let _ = speaker.kill();
            let _ = speaker.wait();
        }
    }
}

/// The device's end of a pty, and the path of the other.
fn pty() -> io::Result<(File, PathBuf)> {
    let mut name = [0; 128];
    // SAFETY: each call gets the descriptor that was opened before it, and a buffer with its length.
    unsafe {
        let fd = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let device = File::from(OwnedFd::from_raw_fd(fd));
        let is_open = libc::grantpt(fd) == 0 && libc::unlockpt(fd) == 0;
        if !is_open || libc::ptsname_r(fd, name.as_mut_ptr(), name.len()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let path = CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned();
        Ok((device, PathBuf::from(path)))
    }
}
