//! What people and machines read, as snapshots.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod page;
mod well_formed;
mod world;

use report::{
    AttemptResult, CaseResult, Conditions, ExitStatus, Human, Json, Message, Paint, Reporter,
    RunSummary, Show, failure_block, junit,
};
use trace::{Event, Level, Payload, Source, UnreadLines, Verdict};

use world::{World, attempt, case, failure, missed_expectation};

fn human(world: &World, messages: &[Message], paint: Paint) -> String {
    let mut out = Vec::new();
    let mut reporter = Human::plain(&mut out, paint);
    for message in messages {
        reporter.take(message).unwrap();
    }
    world.plain(&String::from_utf8(out).unwrap())
}

fn messages_of(summary: RunSummary) -> Vec<Message> {
    let mut messages = vec![Message::RunStarted {
        version: summary.version,
        run: summary.run.clone(),
        folder: summary.folder.clone(),
        seed: summary.seed,
        cases: summary.cases.len(),
        repeat: 1,
        jobs: 2,
    }];
    for result in summary.cases.clone() {
        let result = Box::new(result);
        messages.push(Message::CaseFinished { result });
    }
    let exit = summary.exit_status() as u8;
    let summary = Box::new(summary);
    messages.push(Message::RunFinished { summary, exit });
    messages
}

#[test]
fn a_run_for_people() {
    let world = World::new();
    let messages = messages_of(world.summary());
    insta::assert_snapshot!(human(&world, &messages, Paint::new(false)));
}

#[test]
fn a_run_in_colour() {
    let world = World::new();
    let mut summary = world.summary();
    summary.cases.truncate(2);
    let text = human(&world, &messages_of(summary), Paint::new(true));
    insta::assert_snapshot!(text.replace('\x1b', "␛"));
}

#[test]
fn an_interrupted_run_for_people() {
    let world = World::new();
    let mut summary = world.summary();
    summary.cases.truncate(1);
    summary.interrupted = true;
    let mut messages = messages_of(summary);
    let text = "interrupted: ending what runs; once more kills it".to_owned();
    messages.insert(1, Message::Notice { text });
    insta::assert_snapshot!(human(&world, &messages, Paint::new(false)));
}

#[test]
fn a_failure_whose_trace_is_gone() {
    let world = World::new();
    let mut case = case("softap/wrong_pop", Verdict::Failed);
    case.attempts.push(AttemptResult {
        failure: Some(failure()),
        ..attempt("softap/wrong_pop", 1, Verdict::Failed, world.path())
    });
    let block = failure_block(&case, Paint::new(false));
    insta::assert_snapshot!(world.plain(&block));
}

#[test]
fn a_failure_tells_how_many_lines_told_no_level() {
    let world = World::new();
    let mut case = case("softap/wrong_pop", Verdict::Failed);
    let mut events = missed_expectation();
    let unread = UnreadLines { unknown: 3, of: 40 };
    let seq = events.last().unwrap().seq + 1;
    events.push(Event {
        seq,
        source: Source::Board,
        kind: UnreadLines::KIND.into(),
        data: serde_json::json!(unread).into(),
        device: Some("device".into()),
        ..events[0].clone()
    });
    let folder = world.attempt_folder("unread", &events);
    case.attempts.push(AttemptResult {
        failure: Some(failure()),
        ..attempt("softap/wrong_pop", 1, Verdict::Failed, &folder)
    });
    let block = failure_block(&case, Paint::new(false));
    let row = block
        .lines()
        .find(|line| line.trim_start().starts_with("unread "));
    let told = "3 of 40 log lines were in no known form or in one without levels: what is said of levels does not hold for them";
    assert!(row.is_some_and(|row| row.contains(told)), "{block}");
    // Without such lines there is no row.
    let folder = world.attempt_folder("read", &missed_expectation());
    case.attempts[0] = AttemptResult {
        failure: Some(failure()),
        ..attempt("softap/wrong_pop", 1, Verdict::Failed, &folder)
    };
    let block = failure_block(&case, Paint::new(false));
    assert!(!block.contains("unread"), "{block}");
}

#[test]
fn the_command_for_another_attempt_repeats_what_is_not_the_default() {
    let again = |conditions| {
        let mut case = case("softap/wrong_pop on qemu", Verdict::Failed);
        case.scenario = "a b.yaml".into();
        case.attempts.push(AttemptResult {
            bug: Some("silent-hang".to_owned()),
            conditions,
            ..attempt("softap/wrong_pop", 1, Verdict::Failed, "folder".as_ref())
        });
        let block = failure_block(&case, Paint::new(false));
        let last = block.lines().last().unwrap();
        last.split_once("again    ").unwrap().1.to_owned()
    };
    assert_eq!(
        again(Conditions::default()),
        "proving run 'a b.yaml' -E 'name(=softap/wrong_pop on qemu)' --seed 42 --bug silent-hang",
    );
    assert_eq!(
        again(Conditions {
            case_id: Some("softap/wrong_pop".to_owned()),
            board: Some("qemu".to_owned()),
            rig: Some("lab/rig.toml".into()),
            image: Some("it's.elf".into()),
            device: Some("/opt/proving".into()),
            flash: Some("always".to_owned()),
            probe_fault: Some("hung".to_owned()),
            speed: Some("2.5".to_owned()),
        }),
        "proving run 'a b.yaml' -E 'name(=softap/wrong_pop)' --seed 42 --board qemu \
         --rig lab/rig.toml --image 'it'\\''s.elf' --device /opt/proving --flash always \
         --probe-fault hung --speed 2.5 --bug silent-hang",
    );
}

#[test]
fn skips_are_told_by_reason_the_most_frequent_first() {
    let world = World::new();
    let mut summary = world.summary();
    summary.cases = [
        "needs power",
        "needs isolate",
        "needs\nconsole",
        "needs power",
    ]
    .into_iter()
    .map(|reason| {
        let mut case = case("case", Verdict::Skipped);
        case.skipped = Some(reason.to_owned());
        case
    })
    .collect();
    let text = human(&world, &messages_of(summary), Paint::new(false));
    let wanted = "\n2 skipped: needs power\n1 skipped: needs isolate\n\
                  1 skipped: needs\\nconsole\n0 passed, ";
    // By text: a space comes before a backslash.
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn a_run_for_machines() {
    let world = World::new();
    let mut messages = messages_of(world.summary());
    let case = "softap/wrong_pop".to_owned();
    messages.splice(
        1..1,
        [
            Message::AttemptStarted {
                case: case.clone(),
                attempt: 1,
                folder: world.path().join("wrong_pop"),
            },
            Message::StepStarted {
                case: case.clone(),
                attempt: 1,
                step: 2,
                label: "expect log \"STA Got IP\"".to_owned(),
            },
            Message::StepEnded {
                case,
                attempt: 1,
                step: 2,
                ok: false,
            },
        ],
    );
    let mut out = Vec::new();
    let mut reporter = Json::new(&mut out);
    for message in &messages {
        reporter.take(message).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let read: Vec<Message> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, messages);
    insta::assert_snapshot!(world.plain(&text));
}

#[test]
fn a_run_as_junit() {
    let world = World::new();
    let xml = junit::to_xml(&world.summary()).unwrap();
    insta::assert_snapshot!(world.plain(&xml));
}

fn show(show: &Show) -> String {
    let world = World::new();
    let folder = world.attempt_folder("attempt", &missed_expectation());
    let mut out = Vec::new();
    show.write(&folder, Paint::new(false), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_whole_trace_for_people() {
    insta::assert_snapshot!(show(&Show::default()));
}

#[test]
fn a_trace_by_level() {
    let warnings = Show {
        level: Some(Level::Warn),
        ..Show::default()
    };
    insta::assert_snapshot!(show(&warnings));
}

#[test]
fn a_trace_by_source_device_kind_and_text() {
    let count = |wanted: Show| show(&wanted).lines().count();
    let sources = vec![Source::Engine, Source::Tls];
    assert_eq!(
        count(Show {
            sources,
            ..Show::default()
        }),
        7
    );
    let devices = vec!["device".to_owned()];
    assert_eq!(
        count(Show {
            devices,
            ..Show::default()
        }),
        6
    );
    let devices = vec!["other".to_owned()];
    assert_eq!(
        count(Show {
            devices,
            ..Show::default()
        }),
        0
    );
    let kinds = vec!["handshake".to_owned(), "report".to_owned()];
    assert_eq!(
        count(Show {
            kinds,
            ..Show::default()
        }),
        2
    );
    let grep = Some(regex::Regex::new("STA (lost|Got) IP").unwrap());
    assert_eq!(
        count(Show {
            grep,
            ..Show::default()
        }),
        2
    );
}

#[test]
fn a_trace_as_json_is_the_trace() {
    let json = show(&Show {
        json: true,
        ..Show::default()
    });
    let events: Vec<trace::Event> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events, missed_expectation());
}

#[test]
fn attempts_together_make_a_verdict() {
    use Verdict::{Broken, Failed, Flaky, Passed, Skipped};
    let table: &[(&[Verdict], Option<Verdict>)] = &[
        (&[], None),
        (&[Skipped], None),
        (&[Passed, Passed], Some(Passed)),
        (&[Passed, Skipped], Some(Passed)),
        (&[Failed, Failed], Some(Failed)),
        (&[Passed, Failed], Some(Flaky)),
        (&[Passed, Broken], Some(Broken)),
        (&[Failed, Broken], Some(Failed)),
        (&[Failed, Broken, Passed], Some(Flaky)),
    ];
    for (verdicts, wanted) in table {
        let attempts: Vec<_> = verdicts
            .iter()
            .map(|verdict| attempt("case", 1, *verdict, "folder".as_ref()))
            .collect();
        assert_eq!(CaseResult::verdict_of(&attempts), *wanted, "{verdicts:?}");
    }
}

#[test]
fn cases_together_make_an_exit_status() {
    use Verdict::{Broken, Failed, Flaky, Passed, Skipped};
    let table: &[(&[Verdict], ExitStatus)] = &[
        (&[], ExitStatus::NothingSelected),
        (&[Passed, Skipped], ExitStatus::Passed),
        (&[Skipped], ExitStatus::NothingSelected),
        (&[Passed, Broken], ExitStatus::Broken),
        (&[Failed, Broken], ExitStatus::Failed),
        (&[Passed, Flaky], ExitStatus::Failed),
    ];
    let mut summary = World::new().summary();
    for (verdicts, wanted) in table {
        summary.cases = verdicts
            .iter()
            .map(|verdict| case("case", *verdict))
            .collect();
        assert_eq!(summary.exit_status(), *wanted, "{verdicts:?}");
    }
    summary.interrupted = true;
    assert_eq!(summary.exit_status() as u8, 130);
}
