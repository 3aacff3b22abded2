//! The output that README shows, made by the commands that it shows.

use std::fs;
use std::path::Path;

use crate::command::{command, release, root};

const BEGIN: &str = "<!-- output: ";
const END: &str = "<!-- /output -->";

/// Renews the outputs in README; with `check`, only compares them. Digits do not count: times, dates
/// and process numbers differ from run to run.
pub fn readme(check: bool) -> Result<(), String> {
    let proving = release()?;
    let path = root().join("README.md");
    let old =
        fs::read_to_string(&path).map_err(|error| format!("failed to read README: {error}"))?;
    let new = renewed(&old, &proving)?;
    if check {
        let same = without_digits(&old) == without_digits(&new);
        eprintln!("==> README shows what the commands print: {same}");
        return same
            .then_some(())
            .ok_or_else(|| "README is out of date: `cargo xtask readme`".into());
    }
    fs::write(&path, new).map_err(|error| format!("failed to write README: {error}"))
}

fn renewed(old: &str, proving: &Path) -> Result<String, String> {
    let mut new = String::new();
    let mut rest = old;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (arguments, after) = after
            .split_once(" -->\n")
            .ok_or("README: an output has no arguments")?;
        let (_, after) = after
            .split_once(END)
            .ok_or("README: an output has no end")?;
        let output = output(arguments, proving)?;
        new += &format!("{before}{BEGIN}{arguments} -->\n```text\n{output}```\n{END}");
        rest = after;
    }
    Ok(new + rest)
}

/// What `proving` prints for these arguments, on one core and from one seed.
fn output(arguments: &str, proving: &Path) -> Result<String, String> {
    let out = command(proving)
        .args(arguments.split(' '))
        .args(["--jobs", "1", "--seed", "1", "--out", "target/readme"])
        .output()
        .map_err(|error| format!("failed to run proving {arguments}: {error}"))?;
    String::from_utf8(out.stdout).map_err(|error| format!("proving {arguments}: {error}"))
}

/// Runs of digits, and the spaces that fill a column, are the same everywhere.
fn without_digits(text: &str) -> String {
    let mut same = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if same.ends_with('#') => {}
            '0'..='9' => same.push('#'),
            ' ' if same.ends_with(' ') => {}
            other => same.push(other),
        }
    }
    same
}
