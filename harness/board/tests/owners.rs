//! What becomes of leases and commands whose owners die. The owners are this program itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use board::command::CommandTemplate;
use board::lease::{LeaseError, Leases};
use clock::Clock;
use libtest_mimic::{Arguments, Trial};

const HOLDER: &str = "__holder";
const COMMANDER: &str = "__commander";

fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some(HOLDER), Some(folder)) => hold(&folder),
        (Some(COMMANDER), Some(file)) => command(&file),
        _ => {}
    }
    let tests = vec![
        Trial::test("a_lease_whose_owner_was_killed_is_free_at_once", || {
            killed_owner();
            Ok(())
        }),
        Trial::test(
            "a_lease_of_an_owner_that_lives_is_told_with_its_owner",
            || {
                living_owner();
                Ok(())
            },
        ),
        Trial::test("a_command_dies_with_the_process_that_runs_it", || {
            killed_commander();
            Ok(())
        }),
        Trial::test("a_command_that_is_too_slow_dies_with_its_children", || {
            slow_family();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

/// This program with these arguments, once it has said a line.
fn start(arguments: [&str; 2]) -> (Child, String) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    (child, line.trim().to_owned())
}

fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn hold(folder: &str) -> ! {
    let leases = Leases::in_folder(folder.into()).expect("ours");
    let _lease = leases.take("probe", "a run", in_an_hour()).expect("free");
    println!("held");
    loop {
        std::thread::park();
    }
}

fn killed_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("leases");
    let (mut owner, _) = start([HOLDER, &path.display().to_string()]);
    let leases = Leases::in_folder(path).expect("ours");
    leases
        .take("probe", "next", in_an_hour())
        .expect_err("held");
    owner.kill().expect("it lives");
    owner.wait().expect("ours");
    assert_eq!(leases.holder("probe"), None);
    let lease = leases.take("probe", "next", in_an_hour()).expect("free");
    assert!(lease.is_held());
}

fn living_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("leases");
    let (mut owner, _) = start([HOLDER, &path.display().to_string()]);
    let leases = Leases::in_folder(path).expect("ours");
    let error = leases
        .take("probe", "next", in_an_hour())
        .expect_err("held");
    owner.kill().expect("it lives");
    owner.wait().expect("ours");
    let LeaseError::Held { holder, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((holder.pid, holder.purpose.as_str()), (owner.id(), "a run"));
}

/// A command that writes its process id to `file` and stays.
fn stay(file: &str, limit: Duration) -> board::command::Command {
    let script = format!("echo $$ > '{file}'; sleep 600 & echo $! >> '{file}'; wait");
    let words = ["sh".to_owned(), "-c".to_owned(), script].to_vec();
    let template = CommandTemplate::new(words, &[], limit, Path::new("/"));
    template.expect("well formed").fill(&[])
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn command(file: &str) -> ! {
    println!("running");
    let _ = block_on(async {
        let clock = Clock::start(1.0);
        stay(file, Duration::from_secs(600))
            .run(&clock, &mut |_| {})
            .await
    });
    std::process::exit(1)
}

fn killed_commander() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let (mut owner, _) = start([COMMANDER, &file.display().to_string()]);
    let pids = pids(&file);
    owner.kill().expect("it lives");
    owner.wait().expect("ours");
    assert_gone(pids[0]);
    // Its child has no such tie; a run's sweep of the worker's group ends it.
    // SAFETY: kill takes plain numbers.
    unsafe { libc::kill(pids[1], libc::SIGKILL) };
}

fn slow_family() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let command = stay(&file.display().to_string(), Duration::from_secs(1));
    let error = block_on(async { command.run(&Clock::start(1.0), &mut |_| {}).await })
        .expect_err("it stays too long")
        .to_string();
    assert!(
        error.contains("had not ended after 1 s and was killed"),
        "{error}"
    );
    for pid in pids(&file) {
        assert_gone(pid);
    }
}

/// The two process ids in `file`, once they are there.
fn pids(file: &Path) -> Vec<libc::pid_t> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let pids: Vec<_> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if pids.len() == 2 && text.ends_with('\n') {
            return pids;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the command did not start");
}

fn assert_gone(pid: libc::pid_t) {
    let began = Instant::now();
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(')')
            .map(|(_, tail)| tail.trim_start().chars().next());
        if matches!(state, None | Some(Some('Z' | 'X'))) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{pid} lives: {stat}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
