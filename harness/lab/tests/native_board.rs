//! The native board with real processes: this binary is the device too.

use std::env;
use std::ffi::OsString;
use std::future::Future;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use board::conformance::{self, Bench, Firmware, Storage, Subject};
use board::{Board, BoardError, Exited, Garbage, Power, PowerChanged, RestartCause, Restarted};
use clock::Clock;
use device::board::{Board as DeviceBoard, Ending};
use embassy_time::Timer;
use embedded_io_async::{Read as _, Write as _};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use factory::Factory;
use futures_util::future::BoxFuture;
use lab::air::Air;
use lab::native::{NativeBoard, NativeSettings};
use lab::wire::Wire;
use libtest_mimic::{Arguments, Trial};
use native::main_with_firmware;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trace::{Level, LogLine, Payload, Spinning, Trace, Witness, WitnessReport};

/// Lab time within which everything here happens.
const LIMIT: Duration = Duration::from_secs(20);
const IDLE_FOR: u64 = 3600;

fn main() {
    let mut arguments = env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|first| first.to_str()) {
        Some("__device") => native::main_from_arguments(arguments),
        Some("__panic") => {
            main_with_firmware(arguments, |_| async { panic!("the sky is falling") })
        }
        Some("__restart") => main_with_firmware(arguments, restarts_twice),
        Some("__talk") => main_with_firmware(arguments, talks),
        Some("__restart_once") => main_with_firmware(arguments, restarts_once),
        Some("__write") => main_with_firmware(arguments, writes_a_line),
        Some("__wait") => main_with_firmware(arguments, waits_an_hour),
        Some("__echo") => main_with_firmware(arguments, echoes),
        Some("__tick") => main_with_firmware(arguments, ticks),
        Some("__spin") => main_with_firmware(arguments, spins),
        Some("__garbage") => sends_garbage(),
        Some("__close") => closes_its_tether(),
        Some("__lab") => is_a_lab(arguments.next().map(PathBuf::from)),
        _ => {}
    }
    let trials = vec![
        trial(
            "a_device_with_factory_data_logs",
            a_device_with_factory_data_logs,
        ),
        trial(
            "erased_factory_data_is_said_and_survived",
            erased_factory_data_is_said_and_survived,
        ),
        trial(
            "it_owes_what_every_board_owes",
            it_owes_what_every_board_owes,
        ),
        trial("power_goes_off_and_on_again", power_goes_off_and_on_again),
        trial(
            "garbage_is_recorded_and_ends_the_process",
            garbage_is_recorded_and_ends_the_process,
        ),
        trial(
            "a_device_that_closes_its_tether_is_ended",
            a_device_that_closes_its_tether_is_ended,
        ),
        trial(
            "a_panic_is_an_error_in_the_log_and_an_exit",
            a_panic_is_an_error_in_the_log_and_an_exit,
        ),
        trial(
            "a_firmware_that_restarts_finds_its_flash",
            a_firmware_that_restarts_finds_its_flash,
        ),
        trial(
            "power_cut_in_a_write_keeps_the_first_bytes",
            power_cut_in_a_write_keeps_the_first_bytes,
        ),
        trial(
            "a_wire_ends_at_the_uart_as_long_as_there_is_power",
            a_wire_ends_at_the_uart_as_long_as_there_is_power,
        ),
        trial("an_idle_hour_takes_no_hour", an_idle_hour_takes_no_hour),
        trial(
            "a_device_that_spins_has_never_become_idle",
            a_device_that_spins_has_never_become_idle,
        ),
        trial(
            "a_reset_starts_the_firmware_anew",
            a_reset_starts_the_firmware_anew,
        ),
        trial(
            "a_dropped_board_leaves_no_process",
            a_dropped_board_leaves_no_process,
        ),
        trial(
            "a_stopped_process_is_the_hosts_fault",
            a_stopped_process_is_the_hosts_fault,
        ),
        trial(
            "a_binary_that_is_not_there_is_an_error",
            a_binary_that_is_not_there_is_an_error,
        ),
        Trial::test("a_killed_lab_leaves_no_device", || {
            a_killed_lab_leaves_no_device();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

// Devices

async fn restarts_twice(board: native::NativeBoard) -> Ending {
    let mut flash = board.into_parts().flash;
    for boot in 0..2_u32 {
        let mut word = [0; 4];
        flash.read(boot * 4, &mut word).await.expect("readable");
        if word == [0xFF; 4] {
            flash.write(boot * 4, &[0; 4]).await.expect("writable");
            return Ending::Restart;
        }
    }
    log::info!(target: "test", "third boot");
    std::future::pending().await
}

async fn talks(_: native::NativeBoard) -> Ending {
    log::info!(target: "test", "first");
    loop {
        Timer::after_secs(1).await;
        log::info!(target: "test", "more");
    }
}

async fn restarts_once(board: native::NativeBoard) -> Ending {
    let mut flash = board.into_parts().flash;
    let mut word = [0; 4];
    flash.read(0, &mut word).await.expect("readable");
    log::info!(target: "test", "first");
    if word == [0xFF; 4] {
        flash.write(0, &[0; 4]).await.expect("writable");
        return Ending::Restart;
    }
    std::future::pending().await
}

async fn writes_a_line(board: native::NativeBoard) -> Ending {
    let mut flash = board.into_parts().flash;
    Timer::after_secs(1).await;
    flash.write(0, &[0xA5; 8]).await.expect("writable");
    flash.write(8, &[0x5A; 8]).await.expect("writable");
    log::error!(target: "test", "this device should be dark");
    std::future::pending().await
}

async fn waits_an_hour(_: native::NativeBoard) -> Ending {
    Timer::after_secs(IDLE_FOR).await;
    log::info!(target: "test", "an hour later");
    std::future::pending().await
}

async fn echoes(board: native::NativeBoard) -> Ending {
    let mut uart = board.into_parts().console.expect("a UART");
    uart.write_all(b"ready\n").await.expect("writable");
    let mut burst = [0; 64];
    loop {
        let Ok(length) = uart.read(&mut burst).await;
        uart.write_all(&burst[..length]).await.expect("writable");
    }
}

async fn ticks(_: native::NativeBoard) -> Ending {
    loop {
        log::info!(target: "pid", "{}", std::process::id());
        Timer::after_secs(1).await;
    }
}

async fn spins(_: native::NativeBoard) -> Ending {
    loop {
        std::hint::spin_loop();
    }
}

fn sends_garbage() -> ! {
    use std::os::fd::AsFd;
    let stdin = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .expect("a tether");
    let mut tether = std::os::unix::net::UnixStream::from(stdin);
    tether.write_all(&[0xFF; 100]).expect("written");
    loop {
        std::thread::park();
    }
}

fn closes_its_tether() -> ! {
    // SAFETY: nobody uses standard input after this.
    unsafe { libc::close(0) };
    loop {
        std::thread::park();
    }
}

// A lab that is going to be killed

fn is_a_lab(folder: Option<PathBuf>) -> ! {
    let folder = folder.expect("a folder");
    within(move |trace| async move {
        let mut board = board_in(&folder, &trace, "__tick");
        board.power_on().await.expect("power");
        println!("{}", next_log(&trace, "pid").await.text);
        std::future::pending::<()>().await;
    });
    unreachable!("it waits for ever")
}

// What is expected of them

async fn a_device_with_factory_data_logs(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__device");
    let image = Factory::default().encode();
    board.write_factory(&image).await.expect("written");
    board.power_on().await.expect("power");
    let line = next::<LogLine>(&trace, |_| true).await;
    assert_ne!(line.level, Level::Error, "{line:?}");
    assert!(line.device_ms.is_some());
}

async fn erased_factory_data_is_said_and_survived(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__device");
    board.write_factory(&[0xFF; 64]).await.expect("written");
    board.power_on().await.expect("power");
    let line = next::<LogLine>(&trace, |line| line.level == Level::Error).await;
    assert!(line.text.contains("factory data is erased"), "{line:?}");
    trace.clock().sleep(Duration::from_secs(60)).await;
    assert_eq!(all::<Exited>(&trace), []);
}

async fn it_owes_what_every_board_owes(_: Trace, folder: PathBuf) {
    let checked = conformance::check(&mut Natives { folder }).await;
    assert_eq!(checked.expect("no departure"), Firmware::ALL);
}

/// Makes native boards, each with files of its own.
struct Natives {
    folder: PathBuf,
}

impl Bench for Natives {
    fn set_up(&mut self, firmware: Firmware) -> BoxFuture<'_, Option<Subject>> {
        let kind = match firmware {
            Firmware::Talks => "__talk",
            Firmware::Writes => "__write",
            Firmware::Restarts => "__restart_once",
            Firmware::Panics => "__panic",
        };
        let folder = self.folder.join(kind);
        std::fs::create_dir(&folder).expect("a folder");
        let trace = Trace::in_memory(Clock::start(1000.0));
        let subject = Subject {
            board: Box::new(board_in(&folder, &trace, kind)),
            trace,
            factory: Factory::default().encode(),
            first: "first",
            storage: Storage::Flash,
            keep: Box::new(()),
        };
        Box::pin(async { Some(subject) })
    }
}

async fn power_goes_off_and_on_again(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__tick");
    board.power_on().await.expect("power");
    let twice = board.power_on().await;
    assert!(matches!(twice, Err(BoardError::State { .. })), "{twice:?}");
    let first = next_log(&trace, "pid").await;
    board.power_off().await.expect("no power");
    assert!(!lives(&first.text));
    let lines = all::<LogLine>(&trace).len();
    trace.clock().sleep(Duration::from_secs(10)).await;
    assert_eq!(all::<LogLine>(&trace).len(), lines);
    board.power_on().await.expect("power");
    next::<LogLine>(&trace, |line| line.text != first.text).await;
    let powers: Vec<Power> = all::<PowerChanged>(&trace)
        .iter()
        .map(|p| p.power)
        .collect();
    assert_eq!(powers, [Power::On, Power::Off, Power::On]);
}

async fn garbage_is_recorded_and_ends_the_process(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__garbage");
    board.power_on().await.expect("power");
    let garbage = next::<Garbage>(&trace, |_| true).await;
    assert_eq!(garbage.link, "tether");
    assert!(garbage.bytes.starts_with("ffff"), "{garbage:?}");
    next::<Exited>(&trace, |exited| exited.how.contains("garbage")).await;
    // It has ended, and still has power.
    let read = board.read_storage().await;
    assert!(matches!(read, Err(BoardError::State { .. })), "{read:?}");
    board.power_off().await.expect("no power");
    board.read_storage().await.expect("the board is off");
}

async fn a_device_that_closes_its_tether_is_ended(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__close");
    board.power_on().await.expect("power");
    next::<Exited>(&trace, |exited| exited.how.contains("closed its tether")).await;
}

async fn a_panic_is_an_error_in_the_log_and_an_exit(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__panic");
    board.power_on().await.expect("power");
    let exited = next::<Exited>(&trace, |_| true).await;
    let panic = exited.panic.unwrap_or_default();
    assert!(panic.contains("the sky is falling"), "{panic}");
    let line = next_log(&trace, "panic").await;
    assert_eq!(line.level, Level::Error);
    assert!(line.text.starts_with("panicked at "), "{line:?}");
    board.power_off().await.expect("no power");
    board.power_on().await.expect("power again");
}

async fn a_firmware_that_restarts_finds_its_flash(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__restart");
    board.power_on().await.expect("power");
    next::<LogLine>(&trace, |line| line.text == "third boot").await;
    // A restart is no switching.
    let hows: Vec<String> = all::<PowerChanged>(&trace)
        .into_iter()
        .map(|p| p.how)
        .collect();
    assert_eq!(hows, ["switched on"]);
    let causes: Vec<RestartCause> = all::<Restarted>(&trace)
        .into_iter()
        .map(|restarted| restarted.cause)
        .collect();
    assert_eq!(causes, [RestartCause::Software; 2]);
    let read = board.read_storage().await;
    assert!(matches!(read, Err(BoardError::State { .. })), "{read:?}");
    board.power_off().await.expect("no power");
    let storage = board.read_storage().await.expect("readable");
    assert_eq!(
        storage[..12],
        [0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]
    );
    board.erase_storage().await.expect("erasable");
    let storage = board.read_storage().await.expect("readable");
    assert!(storage.iter().all(|byte| *byte == 0xFF));
}

async fn a_wire_ends_at_the_uart_as_long_as_there_is_power(trace: Trace, folder: PathBuf) {
    let (board_end, mut lab) = Wire::pair(trace.clock());
    let mut board = board_in(&folder, &trace, "__echo").with_console(board_end);
    lab.write_all(b"too early").await.expect("an open wire");
    for _ in 0..2 {
        board.power_on().await.expect("power");
        let mut heard = [0; 6];
        lab.read_exact(&mut heard).await.expect("an open wire");
        assert_eq!(&heard, b"ready\n");
        lab.write_all(b"hello\r").await.expect("an open wire");
        lab.read_exact(&mut heard).await.expect("an open wire");
        assert_eq!(&heard, b"hello\r");
        board.power_off().await.expect("no power");
        assert!(!*lab.power().borrow());
    }
    drop(board);
    assert_eq!(lab.read(&mut [0; 8]).await.expect("the end"), 0);
}

async fn power_cut_in_a_write_keeps_the_first_bytes(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__write");
    let early = board.cut_power_in_write(3).await;
    assert!(matches!(early, Err(BoardError::State { .. })), "{early:?}");
    board.power_on().await.expect("power");
    board.cut_power_in_write(11).await.expect("armed");
    next::<PowerChanged>(&trace, |power| power.power == Power::Off).await;
    let storage = board.read_storage().await.expect("the board is off");
    assert_eq!(storage[..8], [0xA5; 8]);
    assert_eq!(storage[8..12], [0x5A, 0x5A, 0x5A, 0xFF]);
    assert_eq!(all::<LogLine>(&trace), []);
    assert_eq!(all::<Exited>(&trace), []);
    // The next time the power stays.
    board.erase_storage().await.expect("erasable");
    board.power_on().await.expect("power");
    next_log(&trace, "test").await;
}

async fn an_idle_hour_takes_no_hour(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__wait");
    let begun = Instant::now();
    board.power_on().await.expect("power");
    let clock = trace.clock().clone();
    let hour = Duration::from_secs(IDLE_FOR);
    let line = clock
        .timeout(2 * hour, wait_for::<LogLine>(&trace, |_| true))
        .await
        .expect("a line");
    assert!(line.device_ms >= Some(IDLE_FOR * 1000), "{line:?}");
    assert!(clock.now().since_start() >= hour);
    assert!(begun.elapsed() < hour / 10);
}

async fn a_device_that_spins_has_never_become_idle(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__spin");
    board.power_on().await.expect("power");
    let told = next::<Spinning>(&trace, |_| true).await;
    assert!(told.spins && told.since_start, "{told:?}");
    // A busy host makes it longer.
    assert!((2000..20_000).contains(&told.for_ms), "{told:?}");
    board.power_off().await.expect("off");
}

async fn a_reset_starts_the_firmware_anew(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__tick");
    board.power_on().await.expect("power");
    let first = next_log(&trace, "pid").await;
    board.reset().await.expect("a reset");
    assert!(!lives(&first.text));
    next::<LogLine>(&trace, |line| line.text != first.text).await;
    assert_eq!(
        all::<PowerChanged>(&trace).last().map(|p| p.how.clone()),
        Some("reset".into())
    );
}

async fn a_dropped_board_leaves_no_process(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__tick");
    board.power_on().await.expect("power");
    let pid = next_log(&trace, "pid").await.text;
    assert!(lives(&pid));
    drop(board);
    let _host_pace = trace.clock().busy();
    while lives(&pid) {
        trace.clock().sleep(Duration::from_millis(5)).await;
    }
}

async fn a_stopped_process_is_the_hosts_fault(trace: Trace, folder: PathBuf) {
    let mut board = board_in(&folder, &trace, "__tick");
    board.power_on().await.expect("power");
    let pid = next_log(&trace, "pid").await.text;
    signal(&pid, libc::SIGSTOP);
    let host = |sound| {
        move |report: &WitnessReport| report.witness == Witness::Host && report.sound == sound
    };
    let report = next::<WitnessReport>(&trace, host(false)).await;
    assert!(report.detail.contains("device"), "{report:?}");
    signal(&pid, libc::SIGCONT);
    next::<WitnessReport>(&trace, host(true)).await;
}

async fn a_binary_that_is_not_there_is_an_error(trace: Trace, folder: PathBuf) {
    let settings = NativeSettings {
        executable: folder.join("no-such-binary"),
        ..settings(&folder, "__device")
    };
    let link = Air::new(trace.clone()).attach("device");
    let mut board = NativeBoard::new(settings, trace.clone(), link);
    let error = board.power_on().await.expect_err("there is no binary");
    assert!(error.to_string().contains("no-such-binary"), "{error}");
    assert_eq!(all::<PowerChanged>(&trace), []);
}

fn a_killed_lab_leaves_no_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lab = Command::new(env::current_exe().expect("this binary"))
        .arg("__lab")
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut pid = String::new();
    BufReader::new(lab.stdout.take().expect("piped"))
        .read_line(&mut pid)
        .expect("a line");
    let pid = pid.trim();
    assert!(pid.parse::<u32>().is_ok() && lives(pid), "{pid:?}");
    lab.kill().expect("killed");
    lab.wait().expect("ended");
    let killed = Instant::now();
    while lives(pid) {
        assert!(killed.elapsed() < Duration::from_secs(2));
        std::thread::yield_now();
    }
}

// The world around

fn trial<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(Trace, PathBuf) -> F + Send + 'static,
) -> Trial {
    Trial::test(name, || {
        let folder = tempfile::tempdir()?;
        let path = folder.path().to_owned();
        within(move |trace| test(trace, path));
        Ok(())
    })
}

fn within<F: Future<Output = ()>>(test: impl FnOnce(Trace) -> F) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(async { test(Trace::in_memory(Clock::start(1000.0))).await });
}

fn settings(folder: &Path, kind: &str) -> NativeSettings {
    NativeSettings {
        device: "device".to_owned(),
        folder: folder.to_owned(),
        executable: env::current_exe().expect("this binary"),
        arguments: vec![OsString::from(kind)],
    }
}

fn board_in(folder: &Path, trace: &Trace, kind: &str) -> NativeBoard {
    let link = Air::new(trace.clone()).attach("device");
    NativeBoard::new(settings(folder, kind), trace.clone(), link)
}

async fn next_log(trace: &Trace, tag: &'static str) -> LogLine {
    next(trace, move |line: &LogLine| line.tag == tag).await
}

/// The first event of this kind that `wanted` accepts.
async fn next<P>(trace: &Trace, wanted: impl Fn(&P) -> bool) -> P
where
    P: Payload + serde::de::DeserializeOwned,
{
    let found = trace.clock().timeout(LIMIT, wait_for(trace, wanted)).await;
    found.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {:#?}", trace.since(0)))
}

async fn wait_for<P>(trace: &Trace, wanted: impl Fn(&P) -> bool) -> P
where
    P: Payload + serde::de::DeserializeOwned,
{
    let mut seen = 0;
    loop {
        for event in trace.since(seen) {
            seen += 1;
            if let Some(payload) = event.payload::<P>().filter(&wanted) {
                return payload;
            }
        }
        trace.longer_than(seen).await;
    }
}

fn all<P: Payload + serde::de::DeserializeOwned>(trace: &Trace) -> Vec<P> {
    let events = trace.since(0);
    events.iter().filter_map(|event| event.payload()).collect()
}

/// Whether there is such a process that is no zombie.
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

fn signal(pid: &str, signal: i32) {
    let pid = pid.parse().expect("a process id");
    // SAFETY: takes integers only.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}
