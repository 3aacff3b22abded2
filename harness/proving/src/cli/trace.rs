//! `proving trace`.

use std::io;

use report::{ExitStatus, Show, ShowError};
use serde::Serialize;
use serde_json::{Value, json};
use trace::{Level, Source};

use super::arguments::{ShowTrace, Trace, TraceCommand};
use super::{CommandError, captures, paint};

const SOURCES: [Source; 12] = [
    Source::Log,
    Source::Board,
    Source::Air,
    Source::Tls,
    Source::Mqtt,
    Source::Cloud,
    Source::Sntp,
    Source::Coap,
    Source::Provisioning,
    Source::Web,
    Source::Engine,
    Source::Witness,
];

const LEVELS: [Level; 5] = [
    Level::Error,
    Level::Warn,
    Level::Info,
    Level::Debug,
    Level::Trace,
];

/// The source of this name.
pub(super) fn source(name: &str) -> Result<Source, String> {
    named(name, &SOURCES)
}

/// The level of this name.
pub(super) fn level(name: &str) -> Result<Level, String> {
    named(name, &LEVELS)
}

/// The one of `values` that traces call `name`.
fn named<T: Copy + Serialize>(name: &str, values: &[T]) -> Result<T, String> {
    let names: Vec<_> = values.iter().map(|value| json!(value)).collect();
    match names.iter().position(|known| known == name) {
        Some(at) => Ok(values[at]),
        None => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
            Err(format!("there are: {}", names.join(", ")))
        }
    }
}

pub(super) fn trace(arguments: Trace) -> Result<ExitStatus, CommandError> {
    match arguments.command {
        TraceCommand::Show(arguments) => show(arguments),
        TraceCommand::Open(arguments) => captures::open(&arguments),
    }
}

fn show(arguments: ShowTrace) -> Result<ExitStatus, CommandError> {
    let ShowTrace {
        file,
        sources,
        devices,
        kinds,
        level,
        grep,
        json,
    } = arguments;
    let show = Show {
        sources,
        devices,
        kinds,
        level,
        grep,
        json,
    };
    match show.write(&file, paint(), io::BufWriter::new(io::stdout().lock())) {
        Err(ShowError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        shown => shown?,
    }
    Ok(ExitStatus::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_levels_are_called_as_in_the_trace() {
        assert_eq!(source("provisioning"), Ok(Source::Provisioning));
        assert_eq!(level("warn"), Ok(Level::Warn));
        let error = source("wifi").expect_err("there is no such source");
        assert!(error.starts_with("there are: log, board, air,"), "{error}");
    }
}
