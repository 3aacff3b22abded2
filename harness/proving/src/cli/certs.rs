//! `proving certs`.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use pki::Pki;
use report::ExitStatus;

use super::arguments::Certs;
use super::{CommandError, print};

pub(super) fn certs(arguments: &Certs) -> Result<ExitStatus, CommandError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let pki = Pki::new(now.as_secs())?;
    let names: Vec<_> = arguments.names.iter().map(String::as_str).collect();
    let mut text = String::new();
    for path in pki.export(&arguments.out, &names, &arguments.client)? {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", path.display());
    }
    print(&text)
}
