//! A release is qualified, compared with an earlier one, and its evidence judged: by us, and by ssh-keygen.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod evidence;
mod team;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use team::{ONLINE, STARTS, Team, said, told, words};

/// A board that is a program.
const PROGRAM: &str = "\
[boards.program]
kind = \"process\"
command = [\"sh\", \"-c\", \"echo 'I (1) app: here'; sleep 60\"]
";
const SAYS: &str = "
name: It says something
world: { devices: { device: { on_network: true } } }
steps:
  - power: on
  - expect: { log: { text: here }, within: 10s }
";

#[test]
fn a_release_that_passes_is_qualified_and_its_evidence_is_whole() {
    let team = Team::new();
    let output = team.repeats(3, "evidence", &["--release", "lamp 2.3"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", told(&output));
    assert!(text.contains("lamp 2.3: QUALIFIED\n"), "{text}");
    assert!(
        text.contains("2 cases, 3 times each: 6 passed, 0 failed"),
        "{text}"
    );
    assert!(text.contains("never failed in 3: below 64 %"), "{text}");
    assert!(text.contains("unsigned: whoever changes a file"), "{text}");

    let record = team.json("evidence/qualification.json");
    assert_eq!(record["cases"][0]["rate_to_ppm"], 631_597);
    assert_eq!(
        record["setups"][0]["board"]["firmware"][0]["sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    assert_eq!(record["tool_sha256"].as_str().unwrap().len(), 64);
    let certificates = record["certificates_seen"].to_string();
    assert!(
        certificates.contains("broker: server") && certificates.contains("device: CN="),
        "{certificates}"
    );
    let kept = fs::read_to_string(team.at("evidence/scenarios/online.yaml")).unwrap();
    assert_eq!(kept, ONLINE);
    let summary = team.json("evidence/summary.json");
    let folder = summary["cases"][0]["attempts"][2]["folder"]
        .as_str()
        .unwrap();
    assert_eq!(folder, "traces/It_gets_online/3");
    assert!(
        team.at("evidence")
            .join(folder)
            .join("trace.jsonl")
            .is_file()
    );
    let page = fs::read_to_string(team.at("evidence/report.html")).unwrap();
    assert!(page.contains("lamp 2.3: QUALIFIED") && !page.contains("\"absent\":\"failed"));

    let (code, text) = team.verify(&["evidence"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("whole     11 files") && text.contains("unsigned"),
        "{text}"
    );
    // Nothing else stands beside it: no part of it is left.
    let names = fs::read_dir(team.0.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["evidence", "proving-out", "scenarios"]);
}

#[test]
fn a_release_that_fails_says_beside_the_earlier_one_what_is_new() {
    let team = Team::new();
    let good = team.repeats(3, "old", &[]);
    assert_eq!(good.status.code(), Some(0), "{}", told(&good));
    fs::remove_file(team.at("scenarios/starts.yaml")).unwrap();
    let mended = ONLINE.replace("It gets online", "It is new");
    fs::write(team.at("scenarios/new.yaml"), mended).unwrap();

    let output = team.repeats(
        3,
        "new",
        &["--against", "old", "--bug", "match-reply-ignored"],
    );
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", told(&output));
    for line in [
        "gone            It starts",
        "new             It is new",
        "compared        1 case judged",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let why = "the bug match-reply-ignored is in the devices on purpose; 1 case is gone";
    assert!(text.contains(why), "{text}");

    let output = team.repeats(3, "bad", &["--against", "old", "--bug", "silent-hang"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("newly failing   It gets online: failed 3 of 3, before 0 of 3"),
        "{text}"
    );
    assert!(text.contains("a rate of 29 to 100 %"), "{text}");
    let record = team.json("bad/qualification.json");
    assert_eq!(record["qualified"], false);
    assert_eq!(record["comparison"]["newly_failing"][0]["now"]["failed"], 3);
    assert_eq!(
        record["against"]["tool"],
        concat!("proving ", env!("CARGO_PKG_VERSION"))
    );

    // The other way round it is mended.
    let output = team.repeats(3, "again", &["--against", "bad"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("fixed           It gets online: failed 0 of 3, before 3 of 3"),
        "{text}"
    );
}

/// The same file by another path, and one whose world is described elsewhere.
#[test]
fn a_scenario_that_has_changed_is_told_however_its_path_is_spelled() {
    let team = Team::new();
    let files =
        "- { board: native, cases: name(nothing), otherwise: skipped, because: it is slow }\n";
    fs::write(team.at("scenarios/differences.yaml"), files).unwrap();
    let output = team.repeats(1, "old", &["scenarios"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(team.at("old/scenarios/differences.yaml").is_file());
    let text = said(&team.repeats(1, "same", &["--against", "old", "./scenarios"]));
    assert!(
        text.contains("compared        2 cases") && !text.contains("other scenario"),
        "{text}"
    );

    let starts = team.at("scenarios/starts.yaml");
    let text = fs::read_to_string(&starts).unwrap();
    fs::write(&starts, text.replace("within: 5s", "within: 6s")).unwrap();
    let text = said(&team.repeats(1, "other", &["--against", "old", "./scenarios"]));
    let lines = text
        .lines()
        .filter(|line| line.starts_with("other scenario"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(
        lines,
        ["other scenario  ./scenarios/starts.yaml: what it asks for has changed, too"]
    );

    let slow = files.replace("slow", "very slow");
    fs::write(team.at("scenarios/differences.yaml"), slow).unwrap();
    let text = said(&team.repeats(1, "third", &["--against", "other", "scenarios"]));
    assert!(
        text.contains("other scenario  scenarios/differences.yaml: "),
        "{text}"
    );
}

/// What a worker reads of a scenario that somebody edits meanwhile is not what is kept.
#[test]
fn a_scenario_that_is_changed_during_the_run_is_kept_as_it_was_and_told() {
    let team = Team::new();
    let more = format!(
        "echo '# more' >>{}; echo 'I",
        team.at("says.yaml").display()
    );
    let rig = PROGRAM.replace("echo 'I", &more);
    fs::write(team.at("rig.toml"), rig).unwrap();
    fs::write(team.at("says.yaml"), SAYS).unwrap();
    let output = team.repeats(1, "evidence", &["--board", "program", "says.yaml"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}{}", told(&output));
    assert!(
        text.contains("NOT QUALIFIED: says.yaml was changed during the run\n"),
        "{text}"
    );
    let kept = fs::read_to_string(team.at("evidence/scenarios/says.yaml")).unwrap();
    assert_eq!(kept, SAYS);
    let page = fs::read_to_string(team.at("evidence/report.html")).unwrap();
    assert!(page.contains("It says something") && !page.contains("# more"));
}

#[test]
fn a_private_key_in_a_scenario_is_nowhere_in_the_evidence() {
    let team = Team::new();
    let key = "-----BEGIN EC PRIVATE KEY-----MHcCAQEEIKaffee-----END EC PRIVATE KEY-----";
    let own = format!("{STARTS}# {key}\n");
    fs::write(team.at("scenarios/starts.yaml"), own).unwrap();
    let output = team.repeats(1, "evidence", &["scenarios/starts.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let page = fs::read_to_string(team.at("evidence/report.html")).unwrap();
    assert!(page.contains("name: It starts"), "it shows the scenario");
    let whole = Command::new("grep")
        .args(["-rl", "MHcCAQEEIKaffee"])
        .arg(team.at("evidence"))
        .output()
        .unwrap();
    assert_eq!(said(&whole), "");
}

#[test]
fn a_case_that_was_not_run_is_excused_by_a_difference_or_by_the_user_alone() {
    let team = Team::new();
    // A program is on its network already: nobody can provision it.
    fs::remove_file(team.at("scenarios/starts.yaml")).unwrap();
    fs::write(team.at("rig.toml"), PROGRAM).unwrap();
    fs::write(team.at("scenarios/says.yaml"), SAYS).unwrap();
    let run = |out: &str, more: &[&str]| {
        let all = ["--repeats", "1", "--board", "program", "--out", out];
        let output = team.qualify(&[&all[..], more].concat());
        (output.status.code(), said(&output) + &told(&output))
    };
    let (code, text) = run("a", &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("NOT QUALIFIED: 1 case was not run\n"),
        "{text}"
    );
    let (code, text) = run("b", &["--below", "96%"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("1 case was not run; 1 case is not shown to fail in less than 96 %"),
        "{text}"
    );
    let (code, text) = run("c", &["--allow-skips"]);
    assert_eq!(code, Some(0), "{text}");
    let declared = "\
- { board: program, cases: name(online), otherwise: skipped, because: it is no lamp }
";
    fs::write(team.at("scenarios/differences.yaml"), declared).unwrap();
    let (code, text) = run("d", &["--below", "96%"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 case skipped\n"), "{text}");
}

#[test]
fn nothing_that_could_be_compared_and_nothing_that_could_be_run_is_no_success() {
    let team = Team::new();
    let online = "scenarios/online.yaml";
    let output = team.repeats(1, "old", &["--bug", "silent-hang", online]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let text = said(&team.repeats(1, "new", &["--against", "old", "scenarios/starts.yaml"]));
    assert!(
        text.contains("no case was judged in the earlier evidence and in this one"),
        "{text}"
    );

    let ill = format!("{PROGRAM}health = {{ command = [\"false\"] }}\n");
    fs::write(team.at("rig.toml"), ill).unwrap();
    fs::write(team.at("says.yaml"), SAYS).unwrap();
    for command in [&["run"][..], &["qualify", "--out", "ill"]] {
        let output = team.proving(&[command, &["--board", "program", "says.yaml"]].concat());
        assert_eq!(
            output.status.code(),
            Some(3),
            "{command:?}: {}",
            told(&output)
        );
    }
    assert!(!team.at("ill").exists());
}

/// A night is not lost for a folder that cannot be written.
#[test]
fn a_place_that_cannot_be_written_is_told_before_the_run_and_the_verdict_before_it_is_lost() {
    let team = Team::new();
    fs::write(team.at("file"), "").unwrap();
    let output = team.qualify(&["--out", "file/evidence"]);
    assert!(matches!(output.status.code(), Some(2 | 3)), "{output:?}");
    assert!(!team.at("proving-out").exists());

    // It comes there during the run.
    let rig = PROGRAM.replace(
        "echo 'I",
        &format!("mkdir -p {}; echo 'I", team.at("evidence/x").display()),
    );
    fs::write(team.at("rig.toml"), rig).unwrap();
    fs::write(team.at("says.yaml"), SAYS).unwrap();
    let output = team.repeats(1, "evidence", &["--board", "program", "says.yaml"]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(said(&output).contains("QUALIFIED\n"), "{}", said(&output));
    assert!(
        words(&told(&output)).contains("evidence is there already"),
        "{}",
        told(&output)
    );
}

#[test]
fn the_same_release_twice_differs_in_nothing() {
    let team = Team::new();
    for (out, seed) in [("old", "1"), ("new", "77")] {
        let output = team.proving(&["qualify", "--repeats", "4", "--seed", seed, "--out", out]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
    let output = team.repeats(4, "third", &["--against", "old"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let comparison = team.json("third/qualification.json")["comparison"].clone();
    for (what, differences) in comparison.as_object().unwrap() {
        let expected = if what == "compared" {
            Value::from(2)
        } else {
            Value::from(Vec::<Value>::new())
        };
        assert_eq!(differences, &expected, "{what}");
    }
}

#[test]
fn another_log_of_a_case_that_passes_is_told_with_its_lines() {
    let team = Team::new();
    let only = "scenarios/online.yaml";
    let output = team.repeats(2, "old", &[only]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let bound = ONLINE.replace("broker: {}", "broker: {}, linkkit: {}");
    fs::write(team.at(only), bound).unwrap();
    let output = team.repeats(2, "new", &["--against", "old", only]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "other scenario  scenarios/online.yaml: what it asks for has changed, too",
        "other log       It gets online",
        "              + I ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_cannot_become_evidence_is_told_before_anything_is_run() {
    let team = Team::new();
    fs::create_dir(team.at("there")).unwrap();
    fs::write(team.at("no-key"), "what\n").unwrap();
    for (arguments, why) in [
        (&["--out", "there"][..], "is there already"),
        (&["--out", "a", "--below", "5%"], "--repeats 59"),
        (
            &["--out", "a", "--below", "0.001%"],
            "it takes 299572 attempts",
        ),
        (
            &["--out", "a", "--against-signed-by", "no-key"],
            "required arguments",
        ),
        (
            &["--out", "a", "--sign-with", "no-key"],
            "no private key of OpenSSH",
        ),
        (
            &["--out", "a", "--sign-with", "nowhere"],
            "failed to read the key",
        ),
        (
            &["--out", "a", "--against", "scenarios"],
            "there is no manifest.json in it",
        ),
        (&["--out", "a", "--repeats", "0"], "0 is not in 1.."),
    ] {
        let output = team.qualify(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let text = words(&told(&output));
        assert!(text.contains(why), "{arguments:?}: {text}");
    }
    assert!(!team.at("proving-out").exists() && !team.at("a").exists());
}

#[test]
fn a_process_that_is_ended_leaves_no_evidence() {
    let team = Team::new();
    for (signal, code) in [("-KILL", None), ("-INT", Some(130))] {
        let mut running = Command::new(env!("CARGO_BIN_EXE_proving"))
            .args(["qualify", "--repeats", "10000", "--out", "evidence"])
            .args(["--runs", signal.trim_start_matches('-')])
            .current_dir(team.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !team.at(signal.trim_start_matches('-')).exists() {
            std::thread::yield_now();
        }
        let sent = Command::new("kill")
            .args([signal, &running.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(running.wait().unwrap().code(), code);
        assert!(!team.at("evidence").exists());
    }
}

/// What stands in a rig file in plain is not in the evidence.
#[test]
fn a_rig_is_described_without_its_secrets_and_its_authority_without_its_key() {
    let team = Team::new();
    fs::write(
        team.at("rig.toml"),
        "\
[boards.program]
kind = \"process\"
command = [\"sh\", \"-c\", \"echo 'I (1) app: here'; sleep 60\", \"--token=kaffeekanne\"]
environment = { API_TOKEN = \"teekanne\", LANG = \"C\" }

[authority]
keep = \"authority\"
",
    )
    .unwrap();
    fs::write(team.at("says.yaml"), SAYS).unwrap();
    let output = team.repeats(1, "evidence", &["--board", "program", "says.yaml"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        said(&output),
        told(&output)
    );
    let rig = team.json("evidence/rig.json");
    let board = &rig["boards"]["program"];
    assert_eq!(board["kind"], "process");
    assert_eq!(board["environment"]["API_TOKEN"], "<removed>");
    assert_eq!(board["command"][3], "<removed>");
    let authority = fs::read_to_string(team.at("evidence/certificates/authority.pem")).unwrap();
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"));
    let whole = Command::new("grep")
        .args(["-rlE", "kaffeekanne|teekanne|PRIVATE KEY"])
        .arg(team.at("evidence"))
        .output()
        .unwrap();
    assert_eq!(said(&whole), "");
}

#[test]
fn a_rate_that_is_asked_for_has_to_be_shown() {
    let team = Team::new();
    let output = team.repeats(5, "a", &["--below", "46%", "scenarios/starts.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = team.repeats(5, "b", &["--below", "46%", "--bug", "silent-hang"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("not shown to fail in less than 46 %"),
        "{}",
        said(&output)
    );
}
