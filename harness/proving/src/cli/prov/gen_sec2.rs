//! `gen-sec2`: what a device with security 2 is born with.

use std::fmt::Write;

use report::ExitStatus;
use serde_json::json;

use super::arguments::{GenSec2, Reach};
use super::error::ProvError;
use super::{secret, show};
use crate::cli::arguments::MessageFormat;

/// Bytes on one line of a C array.
const ROW: usize = 16;
/// User name of ESP-IDF's example.
const USERNAME: &str = "wifiprov";

pub(super) fn gen_sec2(reach: &Reach, arguments: &GenSec2) -> Result<ExitStatus, ProvError> {
    let username = reach.username.as_deref().unwrap_or(USERNAME);
    let password = match &reach.password {
        Some(source) => source.read("password")?,
        None => secret::ask("password")?,
    };
    if password.is_empty() {
        return Err(ProvError::Usage("the password is empty".to_owned()));
    }
    let (salt, verifier) = phone::gen_sec2_of(arguments.salt_length.into(), username, &password);
    if reach.message_format == MessageFormat::Json {
        let found = json!({
            "type": "sec2",
            "username": username,
            "salt": hex::encode(salt),
            "verifier": hex::encode(verifier),
        });
        return show::print(&format!("{found}\n"));
    }
    if arguments.c {
        let salt = array("sec2_salt", &salt);
        let verifier = array("sec2_verifier", &verifier);
        return show::print(&format!("{salt}\n{verifier}"));
    }
    show::print(&format!(
        "username {username}\nsalt     {}\nverifier {}\n",
        hex::encode(salt),
        hex::encode(verifier)
    ))
}

fn array(name: &str, bytes: &[u8]) -> String {
    let mut text = format!("static const char {name}[] = {{\n");
    for row in bytes.chunks(ROW) {
        let row: Vec<String> = row.iter().map(|byte| format!("0x{byte:02x}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {},", row.join(", "));
    }
    text + "};\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_what_a_c_compiler_takes() {
        assert_eq!(
            array("x", &[0, 1, 255]),
            "static const char x[] = {\n    0x00, 0x01, 0xff,\n};\n"
        );
    }
}
