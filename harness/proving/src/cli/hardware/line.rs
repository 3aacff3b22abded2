//! A line of a device's log, for people and for programs.

use report::Paint;
use trace::{Level, LogLine};

/// As people read it: as ESP-IDF prints it, with further lines and its place in the source behind.
pub(super) fn human(line: &LogLine, paint: Paint) -> String {
    let letter = line.level.letter();
    let time = line
        .device_ms
        .map_or_else(String::new, |ms| format!(" ({ms})"));
    let mut lines = line.text.lines().map(printable);
    let first = lines.next().unwrap_or_default();
    let tag = printable(&line.tag);
    let mut text = match line.level {
        Level::Error => paint.bad(format!("{letter}{time} {tag}: {first}")),
        Level::Warn => paint.odd(format!("{letter}{time} {tag}: {first}")),
        Level::Debug | Level::Trace => paint.faint(format!("{letter}{time} {tag}: {first}")),
        Level::Info => format!("{letter}{time} {tag}: {first}"),
    };
    if let Some(place) = &line.place {
        let place = printable(&format!("{}:{}", place.file, place.line));
        text.push_str(&paint.faint(format!("  {place}")));
    }
    for line in lines {
        text.push_str("\n    ");
        text.push_str(&line);
    }
    text.push('\n');
    text
}

/// Text that does nothing to a terminal.
pub(in crate::cli) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push('\t'),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_several_lines_stays_together_and_does_nothing_to_the_terminal() {
        let line = LogLine {
            level: Level::Info,
            tag: "app".into(),
            text: "Received\n\tSSID : \x1b[2Jx".into(),
            device_ms: Some(7),
            place: None,
        };
        assert_eq!(
            human(&line, Paint::new(false)),
            "I (7) app: Received\n    \tSSID : \\u{1b}[2Jx\n"
        );
    }
}
