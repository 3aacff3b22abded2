//! `proving doctor`: what of this host a board needs, and the commands that mend the rest.

use std::fmt::Write;

use engine::doctor::{Answer, Finding, examine};
use report::{ExitStatus, Paint};
use serde_json::json;

use super::arguments::{Doctor, MessageFormat};
use super::hardware::{find_in_rig, printable, runtime};
use super::{CommandError, paint, print};

pub(super) fn doctor(arguments: &Doctor) -> Result<ExitStatus, CommandError> {
    let (rig, board) = find_in_rig(&arguments.board, &arguments.rig.path)?;
    let findings = runtime()?.block_on(examine(&rig, &board));
    let counts = Counts::of(&findings);
    let status = match counts.not_ok {
        0 => ExitStatus::Passed,
        _ => ExitStatus::Broken,
    };
    print(&match arguments.message_format {
        MessageFormat::Human => table(&findings, &counts, paint()),
        MessageFormat::Json => lines(&board.name, &findings, &counts, status),
    })?;
    Ok(status)
}

/// How many findings of each kind there are.
struct Counts {
    ok: usize,
    not_ok: usize,
    unknown: usize,
}

impl Counts {
    fn of(findings: &[Finding]) -> Self {
        let count = |answer| {
            let such = findings.iter().filter(|finding| finding.answer == answer);
            such.count()
        };
        Self {
            ok: count(Answer::Ok),
            not_ok: count(Answer::NotOk),
            unknown: count(Answer::Unknown),
        }
    }
}

fn table(findings: &[Finding], counts: &Counts, paint: Paint) -> String {
    let mut text = String::new();
    for finding in findings {
        let answer = match finding.answer {
            Answer::Ok => paint.good(format!("{:<14}", "ok")),
            Answer::NotOk => paint.bad(format!("{:<14}", "NOT OK")),
            Answer::Unknown => format!("{:<14}", "cannot be told"),
        };
        let (check, said) = (finding.check, printable(&finding.said));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{answer}  {check:<12}  {said}");
        if let Some(mend) = &finding.mend {
            let _ = writeln!(text, "{:<14}  {:<12}  -> {}", "", "", printable(mend));
        }
    }
    let Counts {
        ok,
        not_ok,
        unknown,
    } = counts;
    let _ = writeln!(text, "\n{ok} ok, {not_ok} not ok, {unknown} cannot be told");
    text
}

fn lines(board: &str, findings: &[Finding], counts: &Counts, status: ExitStatus) -> String {
    let found = findings.iter().map(|finding| {
        json!({
            "type": "finding",
            "board": board,
            "check": finding.check,
            "answer": match finding.answer {
                Answer::Ok => "ok",
                Answer::NotOk => "not-ok",
                Answer::Unknown => "unknown",
            },
            "said": finding.said,
            "mend": finding.mend,
        })
    });
    let end = json!({
        "type": "doctor_finished",
        "board": board,
        "ok": counts.ok,
        "not_ok": counts.not_ok,
        "unknown": counts.unknown,
        "exit": status as u8,
    });
    let all = found.chain([end]);
    all.map(|line| format!("{line}\n")).collect()
}
