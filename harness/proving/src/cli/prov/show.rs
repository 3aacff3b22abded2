//! What is printed: progress on standard error, findings on standard output.

use std::fmt::Write;
use std::io::{self, Write as _};

use report::ExitStatus;
use serde_json::{Value, json};
use trace::Ssid;

use super::error::ProvError;
use super::reach::PhoneRoute;
use crate::cli::arguments::MessageFormat;

/// To which side a column's texts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Left,
    Right,
}

/// What is under way.
pub(super) fn progress(text: &str) {
    eprintln!("{text}");
}

/// Prints findings: `text` for people, `lines` as JSON. The trace's secrets are replaced by names.
pub(super) fn found(
    route: &PhoneRoute<'_>,
    text: &str,
    lines: &[Value],
) -> Result<ExitStatus, ProvError> {
    let secrets = route.trace.secrets();
    match route.reach.message_format {
        MessageFormat::Human => print(&secrets.redact_text(text)),
        MessageFormat::Json => {
            let mut text = String::new();
            for line in lines {
                let mut line = line.clone();
                secrets.redact(&mut line);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{line}");
            }
            print(&text)
        }
    }
}

/// Says that `command` was done.
pub(super) fn done(
    route: &PhoneRoute<'_>,
    command: &str,
    text: &str,
) -> Result<ExitStatus, ProvError> {
    let line = json!({ "type": "done", "command": command });
    found(route, &format!("{text}\n"), &[line])
}

/// Writes `text` to standard output as it is. A reader that has gone away has seen enough.
pub(super) fn print(text: &str) -> Result<ExitStatus, ProvError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ProvError::Output(error)),
        _ => Ok(ExitStatus::Passed),
    }
}

/// A table without lines; the last column is as wide as it happens to be.
pub(super) fn table(
    titles: &[&str],
    columns: &[Column],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut all = vec![titles.iter().map(|title| (*title).to_owned()).collect()];
    all.extend(rows);
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let mut text = String::new();
    for row in &all {
        let mut line = String::new();
        for ((cell, width), column) in row.iter().zip(&widths).zip(columns) {
            // Writing to a String cannot fail.
            let _ = match column {
                Column::Left => write!(line, "{cell:<width$}  "),
                Column::Right => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What is shown where an access point keeps its name to itself.
const HIDDEN: &str = "(hidden)";

/// An SSID as `--ssid` takes it, which can play no tricks on a terminal.
pub(super) fn ssid(ssid: &[u8]) -> String {
    match Ssid::from(ssid).to_string() {
        spelled if spelled.is_empty() => HIDDEN.to_owned(),
        // A network may have that name.
        spelled if spelled == HIDDEN => format!(r"\x28{}", &HIDDEN[1..]),
        spelled => spelled,
    }
}

/// A MAC address with colons.
pub(super) fn mac(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["home", "-41", "WPA2"], ["a long name", "-5", "open"]];
        let table = table(
            &["SSID", "RSSI", "SECURITY"],
            &[Column::Left, Column::Right, Column::Left],
            rows.iter()
                .map(|row| row.iter().map(ToString::to_string).collect()),
        );
        assert_eq!(
            table,
            "SSID         RSSI  SECURITY\nhome          -41  WPA2\na long name    -5  open\n"
        );
    }

    #[test]
    fn an_ssid_cannot_move_the_cursor_and_reads_back() {
        assert_eq!(ssid(b""), "(hidden)");
        for (bytes, shown) in [
            (&b"home"[..], "home"),
            (b"\x1b[2J", r"\x1b[2J"),
            (b"\xb2\xe2\xca\xd4", r"\xb2\xe2\xca\xd4"),
            (b"0xb2e2cad4", "0xb2e2cad4"),
            (b"(hidden)", r"\x28hidden)"),
        ] {
            assert_eq!(ssid(bytes), shown);
            assert_eq!(shown.parse(), Ok(Ssid::from(bytes)));
        }
    }
}
