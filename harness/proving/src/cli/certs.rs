//! `proving certs`.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use pki::Pki;
use report::ExitStatus;

use super::arguments::{Certs, CertsCommand};
use super::{CommandError, print};

pub(super) fn certs(arguments: &Certs) -> Result<ExitStatus, CommandError> {
    if let Some(CertsCommand::Esp8266(arguments)) = &arguments.command {
        return super::esp8266::esp8266(arguments);
    }
    let pki = Pki::new(now())?;
    let names: Vec<_> = arguments.names.iter().map(String::as_str).collect();
    let mut text = String::new();
    // clap wants it wherever there is no subcommand.
    let out = arguments.out.clone().unwrap_or_default();
    for path in pki.export(&out, &names, &arguments.client)? {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", path.display());
    }
    print(&text)
}

/// Unix time in s.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
