//! What a run with `--message-format json` says of its cases.

use std::process::Output;

use serde_json::Value;

/// How each case ended.
pub fn results(output: &Output) -> Vec<Value> {
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let messages = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    messages
        .filter(|message| message["type"] == "case_finished")
        .map(|message| message["result"].clone())
        .collect()
}
