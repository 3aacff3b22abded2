//! A board with a UART owes what every board owes: with a switch and with a control line.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use board::conformance::{self, Bench, Firmware, Storage, Subject};
use board::power::PowerSwitch;
use board::serial::SerialBoard;
use board::{BoardError, Power};
use futures_util::future::BoxFuture;

use crate::bench::{link, pty, run, script, trace};
use crate::lines;

/// What the device says when it starts, for each firmware that a UART can tell from another.
const TALKS: &[u8] = b"I (30) app: first\r\nI (40) app: more\r\n";
const PANICS: &[u8] = b"I (30) app: first\r\n\
    Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\r\n";
const RESTARTS: &[u8] = b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n\
    I (30) app: first\r\n\
    rst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n\
    I (30) app: first\r\n";

/// What is checked of them.
const TOLD: [Firmware; 3] = [Firmware::Talks, Firmware::Restarts, Firmware::Panics];

/// A switch that the device behind a pty looks at: how often it was switched; odd while it is on.
struct Supply(Arc<AtomicU64>);

impl PowerSwitch for Supply {
    fn switch(&mut self, power: Power) -> BoxFuture<'_, Result<(), BoardError>> {
        let times = self.0.load(Ordering::Acquire);
        if (power == Power::On) != is_on(times) {
            self.0.store(times + 1, Ordering::Release);
        }
        Box::pin(async { Ok(()) })
    }
}

/// Ends the device when it is dropped.
struct Alive(Arc<AtomicBool>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn is_on(times: u64) -> bool {
    times % 2 == 1
}

/// Whether a program has the other end of the pty open. What a UART sends while its port is closed is
/// lost; a pty would keep it.
fn is_open(uart: &File) -> bool {
    let mut poll = libc::pollfd {
        fd: uart.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: one descriptor, which is open as long as the file is.
    let polled = unsafe { libc::poll(&mut poll, 1, 0) };
    assert!(polled >= 0, "a state");
    poll.revents & libc::POLLHUP == 0
}

/// Says this whenever it gets power or the file `restart` appears.
fn device(
    mut uart: File,
    folder: PathBuf,
    says: &'static [u8],
    power: Arc<AtomicU64>,
    alive: Arc<AtomicBool>,
) {
    let mut last = 0;
    while alive.load(Ordering::Acquire) {
        let times = power.load(Ordering::Acquire);
        let restarts = fs::remove_file(folder.join("restart")).is_ok();
        if is_on(times) && (times != last || restarts) && is_open(&uart) {
            // The port may be closed in this moment.
            let _ = uart.write_all(says);
        }
        last = times;
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Makes boards with a UART that is a pty.
struct Ptys;

impl Bench for Ptys {
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>> {
        Box::pin(async move { says(firmware).map(on_a_pty) })
    }
}

fn says(firmware: Firmware) -> Option<&'static [u8]> {
    match firmware {
        Firmware::Talks => Some(TALKS),
        Firmware::Restarts => Some(RESTARTS),
        Firmware::Panics => Some(PANICS),
        // Nothing cuts the power of such a board in a write.
        Firmware::Writes => None,
    }
}

fn on_a_pty(says: &'static [u8]) -> Subject {
    let folder = tempfile::tempdir().expect("a folder");
    let (uart, path) = pty();
    // Only a pty that was open says that it is open no more.
    let mut once = File::options();
    once.read(true).custom_flags(libc::O_NOCTTY);
    drop(once.open(&path).expect("a pty"));
    let power = Arc::new(AtomicU64::new(0));
    let alive = Arc::new(AtomicBool::new(true));
    let (place, powered, living) = (
        folder.path().to_owned(),
        Arc::clone(&power),
        Arc::clone(&alive),
    );
    std::thread::spawn(move || device(uart, place, says, powered, living));
    let trace = trace();
    let link = link(folder.path(), &keys(folder.path(), &path));
    let supply = Box::new(Supply(power));
    Subject {
        board: Box::new(SerialBoard::new("dut", link, Some(supply), trace.clone())),
        trace,
        factory: b"born with this".to_vec(),
        first: "first",
        storage: Storage::Flash,
        keep: Box::new((Alive(alive), folder)),
    }
}

/// What the rig says of a board with everything.
fn keys(folder: &Path, port: &Path) -> String {
    script(folder, "factory", "cp \"$1\" factory.bin");
    script(folder, "read", "cp storage.bin \"$1\"");
    let erase = "head -c 64 /dev/zero | tr '\\0' '\\377' > storage.bin";
    script(folder, "erase", erase);
    script(folder, "reset", ": > restart");
    fs::write(folder.join("storage.bin"), "stored").expect("ours");
    format!(
        "port = \"{}\"\nreset_command = [\"./reset\"]\nfactory = {{ command = [\"./factory\", \"{{file}}\"] }}\nstorage = {{ read = [\"./read\", \"{{file}}\"], erase = [\"./erase\"] }}\n",
        port.display()
    )
}

pub fn a_board_on_a_pty_owes_what_every_board_owes() {
    run(async {
        let checked = conformance::check(&mut Ptys).await;
        assert_eq!(checked.expect("no departure"), TOLD);
    });
}

/// Makes boards that are held in reset while they are off.
struct Held;

impl Bench for Held {
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>> {
        Box::pin(async move {
            let says = says(firmware)?;
            let folder = tempfile::tempdir().expect("a folder");
            let trace = trace();
            let (board, _) = lines::talking(folder.path(), "reset = \"rts\"\n", says, &trace);
            Some(Subject {
                board: Box::new(board),
                trace,
                factory: Vec::new(),
                first: "first",
                storage: Storage::Flash,
                keep: Box::new(folder),
            })
        })
    }
}

pub fn a_board_held_in_reset_owes_what_every_board_owes() {
    run(async {
        let checked = conformance::check(&mut Held).await;
        assert_eq!(checked.expect("no departure"), TOLD);
    });
}
