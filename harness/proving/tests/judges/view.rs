//! Chromium at the pages of `proving run --html` and `proving trace open`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::peer::{is_there, python, run_within};
use crate::up::fixture;

/// A browser on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(180);
const BUG: &str = "wrong-reason-reported";

/// Chromium, if it and what drives it are there.
struct Chromium {
    python: PathBuf,
    folder: tempfile::TempDir,
}

impl Chromium {
    fn find() -> Option<Self> {
        let python = python("playwright", "playwright")?;
        is_there("chromium", "chromium").then(|| Self {
            python,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asserts that the page is as `check` of `view.py` says.
    fn sees(&self, check: &str, page: &Path) {
        let mut command = Command::new(&self.python);
        command.arg(fixture("view.py")).arg(check).arg(page);
        run_within(PATIENCE, &mut command).well();
    }

    /// Runs the scenario with the bug or without, and returns the page and the attempt's folder.
    fn run(&self, name: &str, arguments: &[&str]) -> (PathBuf, PathBuf) {
        let (page, out) = (self.path(&format!("{name}.html")), self.path(name));
        let mut command = proving();
        command
            .args([
                "run",
                "scenarios/softap/network_not_found.yaml",
                "--seed",
                "1",
            ])
            .args(arguments)
            .arg("--html")
            .arg(&page)
            .arg("--out")
            .arg(&out);
        let status = run_within(PATIENCE, &mut command).status;
        assert!(matches!(status.code(), Some(0 | 1)), "{status}");
        let run = only(&out);
        (page, only(&run).join("1"))
    }

    /// The page of a trace with these lines.
    fn open(&self, trace: &str) -> PathBuf {
        let (file, page) = (self.path("trace.jsonl"), self.path("trace.html"));
        fs::write(&file, trace).unwrap();
        let mut command = proving();
        command
            .args(["trace", "open"])
            .arg(file)
            .arg("--out")
            .arg(&page);
        run_within(PATIENCE, &mut command).well();
        page
    }
}

fn proving() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proving"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command
}

/// The only folder in `folder`.
fn only(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap();
    let mut folders = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    folders.next().unwrap()
}

fn line(seq: usize, text: &str) -> String {
    let (text, lab_us) = (serde_json::json!(text), seq * 1000);
    format!(
        "{{\"seq\":{seq},\"lab_us\":{lab_us},\"wall_us\":{seq},\"source\":\"log\",\"device\":\"lamp\",\
         \"kind\":\"line\",\"data\":{{\"level\":\"info\",\"tag\":\"app\",\"text\":{text},\
         \"device_ms\":{seq}}}}}\n"
    )
}

#[test]
fn a_failure_comes_first_and_leads_to_what_everybody_said() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let (page, _) = chromium.run("failed", &["--bug", BUG]);
    for check in ["failed_run", "found", "keys", "narrow"] {
        chromium.sees(check, &page);
    }
}

#[test]
fn two_attempts_stand_side_by_side_from_their_first_difference() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let (_, passed) = chromium.run("passed", &[]);
    let (_, failed) = chromium.run("failed", &["--bug", BUG]);
    let page = chromium.path("both.html");
    let mut command = proving();
    command.args(["trace", "open"]).args([passed, failed]);
    run_within(PATIENCE, command.arg("--out").arg(&page)).well();
    chromium.sees("compared", &page);
}

#[test]
fn markup_in_a_log_is_text() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let lines = [
        "</script><script>window.taken = 1</script>",
        "<img src=x onerror=window.taken=1>",
        "{{script}} <!-- ]]> &lt; \u{202e}turned\u{7} {{overview}}",
    ];
    let trace = lines.iter().enumerate();
    let trace: String = trace.map(|(seq, text)| line(seq, text)).collect();
    chromium.sees("hostile", &chromium.open(&trace));
}

#[test]
fn a_trace_that_was_cut_short_opens_up_to_the_cut() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let mut trace: String = (0..3).map(|seq| line(seq, "up")).collect();
    trace.push_str(&line(3, "cut")[..40]);
    chromium.sees("cut", &chromium.open(&trace));
}

#[test]
fn a_hundred_thousand_events_are_a_few_rows() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let mut trace = String::new();
    for seq in 0..100_000 {
        // Writing to a String cannot fail.
        let _ = write!(trace, "{}", line(seq, &format!("line {seq} of many")));
    }
    chromium.sees("long", &chromium.open(&trace));
}
