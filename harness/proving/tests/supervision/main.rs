//! Workers that hang, crash, leak and ignore signals, and what a run makes of them.
//!
//! This executable is also the worker, the parent that gets killed, and the grandchild that is
//! left behind; hence it has its own `main`.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod parent;
mod worker;

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use board::lease::Leases;
use engine::run::{BoardModel, Case, Plan, Settings, run};
use libtest_mimic::{Arguments, Trial};
use report::{ExitStatus, Message};
use trace::Verdict;

use parent::{Parent, Recorder, assert_all_gone, broken, one, plan, run_here, settings};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("__worker") => worker::run(arguments.next().unwrap().as_ref()),
        Some("__parent") => parent::main(arguments),
        Some("__sleep") => worker::sleep_for_ever(),
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        fn trials() -> Vec<Trial> {
            vec![$(Trial::test(stringify!($name), || { $name(); Ok(()) })),*]
        }
    };
}

trials![
    a_passing_and_a_failing_worker_are_believed,
    a_worker_that_hangs_is_ended,
    a_worker_that_ignores_sigterm_is_killed,
    a_worker_that_panics_is_broken_and_shows_its_last_words,
    a_worker_that_is_killed_is_broken,
    a_trace_that_was_cut_short_has_no_verdict,
    a_trace_that_is_garbage_is_broken,
    a_worker_without_a_trace_is_broken,
    a_worker_that_does_not_end_after_its_verdict_is_broken,
    a_worker_that_passes_and_then_fails_to_end_well_is_broken,
    a_worker_that_fails_and_then_crashes_has_failed,
    a_leaked_process_is_killed_and_named,
    a_child_of_a_crashed_worker_is_killed,
    a_worker_that_writes_megabytes_is_not_blocked,
    a_worker_that_cannot_be_started_is_broken,
    an_output_folder_that_cannot_be_made_is_an_error,
    bad_workers_harm_nobody_else,
    no_more_workers_run_than_allowed,
    cases_whose_phones_use_the_same_host_take_turns,
    a_case_without_phones_leaves_the_host_s_radios_to_others,
    a_case_waits_for_the_phones_of_another_run,
    a_case_that_fails_and_passes_is_flaky,
    a_failed_case_is_tried_again_with_its_seed_and_flaky_if_it_passes_then,
    attempt_n_runs_again_with_its_own_seed,
    fail_fast_starts_nothing_more,
    a_skipped_case_starts_no_worker,
    no_skips_makes_a_skipped_case_fail,
    a_case_is_skipped_where_the_board_lacks_what_it_needs,
    nothing_is_written_outside_the_runs_folder,
    messages_come_in_order,
    an_interrupt_ends_everything_and_still_reports,
    a_second_interrupt_does_not_wait,
    sigterm_interrupts_too,
    a_killed_parent_takes_everybody_with_it,
    a_parent_killed_at_any_moment_takes_everybody_with_it,
    a_stopped_run_goes_on_without_counting_the_time,
];

fn a_passing_and_a_failing_worker_are_believed() {
    assert_eq!(one("pass", |_| ()).verdict, Verdict::Passed);
    let failed = one("fail", |_| ());
    assert_eq!(failed.verdict, Verdict::Failed);
    let failure = failed.attempts[0].failure.as_ref().unwrap();
    assert_eq!(failure.message, "no such line came within 15 s");
}

fn soon(settings: &mut Settings) {
    settings.timeout = Duration::from_millis(300);
}

fn a_worker_that_hangs_is_ended() {
    let case = one("hang", soon);
    assert!(
        broken(&case).starts_with("no verdict within 0."),
        "{case:#?}"
    );
    let failure = case.attempts[0].failure.as_ref().unwrap();
    assert_eq!(failure.step, Some(1));
    assert_eq!(failure.label, "wait for ever");
    assert_eq!(failure.place.as_ref().unwrap().line, 11);
}

fn a_worker_that_ignores_sigterm_is_killed() {
    let start = Instant::now();
    assert!(broken(&one("ignore-sigterm", soon)).starts_with("no verdict within"));
    // The time-out, and the grace after SIGTERM.
    assert!(start.elapsed() >= Duration::from_millis(800));
}

fn a_worker_that_panics_is_broken_and_shows_its_last_words() {
    let case = one("panic", |_| ());
    assert_eq!(broken(&case), "the worker ended with exit code 101");
    let attempt = &case.attempts[0];
    assert_eq!(attempt.failure.as_ref().unwrap().step, Some(2));
    assert!(
        attempt
            .stderr_tail
            .iter()
            .any(|line| line == "the answer is missing")
    );
}

fn a_worker_that_is_killed_is_broken() {
    assert_eq!(
        broken(&one("killed", |_| ())),
        "the worker died of signal 9 (SIGKILL)"
    );
}

fn a_trace_that_was_cut_short_has_no_verdict() {
    assert_eq!(
        broken(&one("half-line", |_| ())),
        "the worker ended by itself without a verdict",
    );
}

fn a_trace_that_is_garbage_is_broken() {
    assert!(broken(&one("garbage", |_| ())).contains("no event at byte 0"));
}

fn a_worker_without_a_trace_is_broken() {
    assert_eq!(
        broken(&one("silent", |_| ())),
        "the worker ended by itself without a verdict",
    );
}

fn a_worker_that_does_not_end_after_its_verdict_is_broken() {
    assert!(broken(&one("linger", |_| ())).contains("after its verdict"));
}

fn a_worker_that_passes_and_then_fails_to_end_well_is_broken() {
    assert_eq!(
        broken(&one("exit-3-after-pass", |_| ())),
        "the worker ended with exit code 3",
    );
}

fn a_worker_that_fails_and_then_crashes_has_failed() {
    assert_eq!(one("crash-after-fail", |_| ()).verdict, Verdict::Failed);
}

fn a_leaked_process_is_killed_and_named() {
    let case = one("leak", |_| ());
    let message = broken(&case);
    let [process] = &case.attempts[0].leaked[..] else {
        panic!("{case:#?}")
    };
    assert!(process.starts_with("pid "), "{process}");
    assert_eq!(message, format!("the worker left {process} running"));
}

fn a_child_of_a_crashed_worker_is_killed() {
    let case = one("die-with-child", |_| ());
    assert_eq!(broken(&case), "the worker died of signal 6 (SIGABRT)");
    assert_eq!(case.attempts[0].leaked.len(), 1);
}

fn a_worker_that_writes_megabytes_is_not_blocked() {
    assert_eq!(one("chatter", |_| ()).verdict, Verdict::Passed);
}

fn a_worker_that_cannot_be_started_is_broken() {
    let case = one("pass", |settings| {
        settings.executable = "/nowhere/proving".into()
    });
    assert!(
        broken(&case).starts_with("the worker could not be started: "),
        "{case:#?}"
    );
}

fn an_output_folder_that_cannot_be_made_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = settings(&file.path().join("inside"));
    let error = run(&plan(&["pass"]), &settings, &mut Recorder::default()).unwrap_err();
    assert!(error.to_string().contains("--out"), "{error}");
}

fn bad_workers_harm_nobody_else() {
    let out = tempfile::tempdir().unwrap();
    let bad = [
        "panic",
        "killed",
        "garbage",
        "leak",
        "die-with-child",
        "exit-3-after-pass",
    ];
    let mut mixed = Vec::new();
    for behaviour in bad {
        mixed.extend(["pass", behaviour]);
    }
    let summary = run_here(&plan(&mixed), &settings(out.path()));
    let counts = summary.counts();
    assert_eq!(
        (counts.passed, counts.broken),
        (bad.len(), bad.len()),
        "{summary:#?}"
    );
    assert_eq!(summary.exit_status(), ExitStatus::Broken);
    let order: Vec<_> = summary.cases.iter().map(|case| &case.case[4..]).collect();
    assert_eq!(order, mixed);
    assert_all_gone(out.path(), Duration::ZERO);
}

fn no_more_workers_run_than_allowed() {
    assert_eq!(most_at_once(&plan(&["slow-50"; 6])), 2);
}

fn cases_whose_phones_use_the_same_host_take_turns() {
    let mut turns = plan(&["slow-50"; 4]);
    for (number, case) in turns.cases.iter_mut().enumerate() {
        case.board = format!("board-{number}");
        case.phones = vec!["wifi wlan1".to_owned()];
    }
    assert_eq!(most_at_once(&turns), 1);
    turns.cases[3].phones = vec!["wifi wlan2".to_owned()];
    assert_eq!(most_at_once(&turns), 2);
}

fn a_case_without_phones_leaves_the_host_s_radios_to_others() {
    const RIG: &str = "\
[boards.real]
kind = \"serial\"
port = \"socket:uart\"
[phone]
bluetooth = \"hci0\"
";
    let rig = board::rig::Rig::parse(Path::new("rig.toml"), RIG).unwrap();
    let real = BoardModel::real(&rig.boards["real"], &rig, Path::new("rig.toml"));
    let used = |phones: &str| {
        let text = format!(
            "name: Uses\nworld: {{ devices: {{ device: {{}} }}{phones} }}\nsteps: [{{ power: on }}]\n"
        );
        let cases = language::parse("uses.yaml", &text, &language::known().unwrap()).unwrap();
        Case::of(cases[0].clone(), &real).phones.len()
    };
    assert_eq!(used(""), 0);
    assert_eq!(used(", phones: [alice]"), 1);
}

fn a_case_waits_for_the_phones_of_another_run() {
    let out = tempfile::tempdir().unwrap();
    let leases = Leases::in_folder(out.path().join("leases")).unwrap();
    let mut plan = plan(&["pass", "pass"]);
    plan.cases[1].phones = vec!["wifi wlan1".to_owned()];
    let mut settings = settings(out.path());
    settings.leases = Some(leases.clone());
    let until = SystemTime::now() + Duration::from_secs(600);
    let of_others = leases.take_turn(&plan.cases[1].phones, "another run", until, &mut Vec::new());
    let of_others = of_others.unwrap();
    let mut recorder = Recorder::default();
    thread::scope(|scope| {
        let run = scope.spawn(|| run(&plan, &settings, &mut recorder).unwrap());
        thread::sleep(Duration::from_millis(700));
        assert!(!run.is_finished());
        drop(of_others);
        assert_eq!(run.join().unwrap().exit_status(), ExitStatus::Passed);
    });
    let is_told = |message: &Message| matches!(message, Message::Notice { text } if text.contains("waits for what its phones use") && text.contains("(another run)"));
    let told = recorder.0.iter().filter(|message| is_told(message)).count();
    assert_eq!(told, 1);
    let mut free = Vec::new();
    leases
        .take_turn(&plan.cases[1].phones, "the next", until, &mut free)
        .unwrap();
}

/// How many workers ran at the same time where two may.
fn most_at_once(plan: &Plan) -> usize {
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(out.path());
    settings.jobs = 2.try_into().unwrap();
    let mut recorder = Recorder::default();
    run(plan, &settings, &mut recorder).unwrap();
    let (mut running, mut most) = (0, 0);
    for message in recorder.0 {
        match message {
            Message::AttemptStarted { .. } => running += 1,
            Message::AttemptFinished { .. } => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    assert_eq!(running, 0);
    most
}

fn a_case_that_fails_and_passes_is_flaky() {
    let out = tempfile::tempdir().unwrap();
    let mut plan = plan(&["pass-on-even-seeds", "pass", "fail"]);
    plan.repeat = 3;
    let summary = run_here(&plan, &settings(out.path()));
    let verdicts: Vec<_> = summary.cases.iter().map(|case| case.verdict).collect();
    assert_eq!(verdicts, [Verdict::Flaky, Verdict::Passed, Verdict::Failed]);
    assert!(summary.cases.iter().all(|case| case.attempts.len() == 3));
    assert_eq!(summary.exit_status(), ExitStatus::Failed);
}

fn a_failed_case_is_tried_again_with_its_seed_and_flaky_if_it_passes_then() {
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(out.path());
    settings.seed = 7;
    settings.retries = 2;
    let plan = plan(&["pass-on-second-attempt", "pass", "fail"]);
    let summary = run_here(&plan, &settings);
    let verdicts: Vec<_> = summary.cases.iter().map(|case| case.verdict).collect();
    assert_eq!(verdicts, [Verdict::Flaky, Verdict::Passed, Verdict::Failed]);
    let attempts: Vec<_> = summary
        .cases
        .iter()
        .map(|case| case.attempts.len())
        .collect();
    assert_eq!(attempts, [2, 1, 3]);
    let mut all = summary.cases.iter().flat_map(|case| &case.attempts);
    assert!(all.all(|attempt| attempt.seed == 7));
}

fn attempt_n_runs_again_with_its_own_seed() {
    let case = one("pass-on-even-seeds", |settings| settings.seed = 7);
    assert_eq!((case.verdict, case.attempts[0].seed), (Verdict::Failed, 7));
    let out = tempfile::tempdir().unwrap();
    let mut plan = plan(&["pass-on-even-seeds"]);
    plan.repeat = 2;
    let mut settings = settings(out.path());
    settings.seed = 6;
    let summary = run_here(&plan, &settings);
    let failed = summary.cases[0].telling_attempt().unwrap();
    assert_eq!((failed.attempt, failed.seed), (2, 7));
}

fn fail_fast_starts_nothing_more() {
    let out = tempfile::tempdir().unwrap();
    let mut settings = settings(out.path());
    settings.jobs = 1.try_into().unwrap();
    settings.fail_fast = true;
    let summary = run_here(&plan(&["pass", "fail", "pass"]), &settings);
    let verdicts: Vec<_> = summary.cases.iter().map(|case| case.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Passed, Verdict::Failed, Verdict::Skipped]
    );
    assert!(summary.cases[2].attempts.is_empty());
    assert!(
        summary.cases[2]
            .skipped
            .as_ref()
            .unwrap()
            .contains("--fail-fast")
    );
    assert_eq!(summary.exit_status(), ExitStatus::Failed);
}

fn a_skipped_case_starts_no_worker() {
    let out = tempfile::tempdir().unwrap();
    let mut plan = plan(&["pass", "pass"]);
    plan.cases[0].skip = Some("needs isolate".to_owned());
    let summary = run_here(&plan, &settings(out.path()));
    assert_eq!(summary.cases[0].verdict, Verdict::Skipped);
    assert_eq!(summary.cases[0].skipped.as_deref(), Some("needs isolate"));
    assert!(summary.cases[0].attempts.is_empty());
    assert_eq!(summary.cases[1].verdict, Verdict::Passed);
    assert_eq!(summary.exit_status(), ExitStatus::Passed);
}

fn no_skips_makes_a_skipped_case_fail() {
    let out = tempfile::tempdir().unwrap();
    let mut plan = plan(&["pass"]);
    plan.cases[0].skip = Some("needs isolate".to_owned());
    let mut settings = settings(out.path());
    settings.no_skips = true;
    let summary = run_here(&plan, &settings);
    assert_eq!(summary.cases[0].verdict, Verdict::Failed);
    assert_eq!(summary.exit_status(), ExitStatus::Failed);
}

fn a_case_is_skipped_where_the_board_lacks_what_it_needs() {
    const SCENARIO: &str = "\
name: Isolated
matrix: { within: [1s] }
world: { access_points: { home: {} }, devices: { device: {} } }
steps:
  - fault: { on: { isolation: home } }
  - power: { cut_in_write: 8 }
  - expect: { log: {}, within: \"${within}\" }
";
    let known = language::known().unwrap();
    let cases = language::parse("isolated.yaml", SCENARIO, &known).unwrap();
    let on = |board: &BoardModel| Case::of(cases[0].clone(), board);
    assert_eq!(on(&BoardModel::native()).skip, None);
    const RIG: &str = "\
[boards.real]
kind = \"serial\"
port = \"socket:uart\"
[access_points.home]
ssid = \"lab\"
";
    let rig = board::rig::Rig::parse(Path::new("rig.toml"), RIG).unwrap();
    let real = BoardModel::real(&rig.boards["real"], &rig, Path::new("rig.toml"));
    let case = on(&real);
    assert_eq!(case.skip.as_deref(), Some("needs torn-write, isolate"));
    assert_eq!(
        (case.board.as_str(), &case.bindings["within"][..]),
        ("real", "1s")
    );

    let out = tempfile::tempdir().unwrap();
    let mut plan = plan(&["pass"]);
    plan.cases.push(case);
    let mut settings = settings(out.path());
    let summary = run_here(&plan, &settings);
    assert_eq!(summary.cases[1].verdict, Verdict::Skipped);
    assert_eq!(summary.exit_status(), ExitStatus::Passed);
    settings.no_skips = true;
    let summary = run_here(&plan, &settings);
    assert_eq!(summary.cases[1].verdict, Verdict::Failed);
    assert!(summary.cases[1].attempts.is_empty());
    assert_eq!(summary.exit_status(), ExitStatus::Failed);
}

fn nothing_is_written_outside_the_runs_folder() {
    let out = tempfile::tempdir().unwrap();
    let first = run_here(&plan(&["pass", "fail"]), &settings(out.path()));
    let second = run_here(&plan(&["pass"]), &settings(out.path()));
    let mut found: Vec<_> = std::fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    let mut wanted = vec![first.folder.clone(), second.folder];
    wanted.sort();
    assert_eq!(found, wanted);
    assert_ne!(wanted[0], wanted[1]);
    assert!(first.folder.join("bad_pass/1/trace.jsonl").is_file());
    assert!(first.folder.join("summary.json").is_file());
}

fn messages_come_in_order() {
    let out = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::default();
    run(&plan(&["panic"]), &settings(out.path()), &mut recorder).unwrap();
    let kinds: Vec<_> = recorder
        .0
        .iter()
        .map(|message| serde_json::to_value(message).unwrap()["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "run_started",
            "attempt_started",
            "step_started",
            "step_ended",
            "step_started",
            "attempt_finished",
            "case_finished",
            "run_finished",
        ],
    );
}

fn an_interrupt_ends_everything_and_still_reports() {
    let mut parent = Parent::start(
        &["pass", "fail", "hang-with-children", "hang", "hang", "pass"],
        8,
    );
    parent.signal(libc::SIGINT);
    let status = parent.child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_all_gone(parent.out(), Duration::ZERO);
    let summary = parent.summary();
    assert!(summary.interrupted);
    assert_eq!(summary.cases.len(), 6);
    let counts = summary.counts();
    assert_eq!(
        (counts.passed + counts.skipped, counts.failed),
        (5, 1),
        "{summary:#?}"
    );
    assert_eq!(summary.cases[2].skipped.as_deref(), Some("interrupted"));
}

fn a_second_interrupt_does_not_wait() {
    let mut parent = Parent::start(&["ignore-sigterm"], 1);
    let trace_is_there = || {
        std::fs::read_dir(parent.out())
            .unwrap()
            .next()
            .is_some_and(|run| {
                // The worker ignores SIGTERM before it writes its first event.
                let trace = run.unwrap().path().join("bad_ignore-sigterm/1/trace.jsonl");
                std::fs::metadata(trace).is_ok_and(|trace| trace.len() > 0)
            })
    };
    parent.eventually("the worker ignores SIGTERM", trace_is_there);
    parent.signal(libc::SIGINT);
    // Two signals at the same moment would be one.
    std::thread::sleep(Duration::from_millis(50));
    parent.signal(libc::SIGINT);
    assert_eq!(parent.child.wait().unwrap().code(), Some(130));
    assert_all_gone(parent.out(), Duration::ZERO);
}

fn sigterm_interrupts_too() {
    let mut parent = Parent::start(&["hang"], 1);
    parent.signal(libc::SIGTERM);
    assert_eq!(parent.child.wait().unwrap().code(), Some(130));
    assert_all_gone(parent.out(), Duration::ZERO);
    assert!(parent.summary().interrupted);
}

fn a_killed_parent_takes_everybody_with_it() {
    let mut parent = Parent::start(&["hang-with-children", "ignore-sigterm", "hang"], 5);
    parent.signal(libc::SIGKILL);
    parent.child.wait().unwrap();
    assert_all_gone(parent.out(), Duration::from_secs(2));
}

fn a_parent_killed_at_any_moment_takes_everybody_with_it() {
    for moment in 0..20 {
        let mut parent = Parent::start(
            &["hang-with-children", "slow-5", "slow-5", "slow-5", "hang"],
            0,
        );
        std::thread::sleep(Duration::from_millis(moment * 2));
        parent.signal(libc::SIGKILL);
        parent.child.wait().unwrap();
        assert_all_gone(parent.out(), Duration::from_secs(2));
    }
}

fn a_stopped_run_goes_on_without_counting_the_time() {
    let mut parent = Parent::start(&["slow-300"], 1);
    parent.signal(libc::SIGTSTP);
    let worker = parent.pids()[0];
    parent.eventually("everybody is stopped", || {
        [worker, parent.child.id()]
            .iter()
            .all(|pid| state_of(*pid) == Some('T'))
    });
    parent.signal(libc::SIGCONT);
    assert_eq!(parent.child.wait().unwrap().code(), Some(0));
}

fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}
