//! `proving diagnose`.

use diagnose::{Incident, to_text};
use report::ExitStatus;

use super::arguments::{Diagnose, MessageFormat};
use super::{CommandError, field_log, print};

pub(super) fn diagnose(arguments: &Diagnose) -> Result<ExitStatus, CommandError> {
    let logs = field_log::read_all(&arguments.logs, false)?;
    let incident = Incident::of(logs.into_iter().map(|log| log.diagnosis).collect());
    match arguments.message_format {
        MessageFormat::Human => print(&to_text(&incident)),
        MessageFormat::Json => print(&format!("{}\n", serde_json::json!(incident))),
    }
}
