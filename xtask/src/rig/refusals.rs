//! What BlueZ and NetworkManager refuse, by name and words: what the stand-ins answer, compared with the
//! real ones. The table is the stand-ins' own test, too.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::cases::Tally;
use super::killed::{bluetooth, is_powered, switch_adapter, within};

const TABLE: &str = include_str!("../../../fixtures/stand_ins/refusals.json");
/// The Wi-Fi interface of the machine.
const INTERFACE: &str = "wlan1";
const MANAGER: &str = "/org/freedesktop/NetworkManager";
const MANAGER_NAME: &str = "org.freedesktop.NetworkManager";
/// How long the adapter may take to be off, or on.
const SWITCHED: Duration = Duration::from_secs(10);

/// Asks for all of it.
pub fn check_all(tally: &mut Tally) {
    tally.check(
        "BlueZ and NetworkManager refuse what their stand-ins refuse, in the same words",
        || {
            let rows: Vec<Value> = serde_json::from_str(TABLE)
                .map_err(|error| format!("the table of refusals: {error}"))?;
            let wrong: Vec<String> = rows.iter().filter_map(|row| refused(row).err()).collect();
            if wrong.is_empty() && !rows.is_empty() {
                println!("  {} refusals", rows.len());
                Ok(())
            } else {
                Err(wrong.join("\n  "))
            }
        },
    );
}

/// Makes the call of `row`, and compares the refusal.
fn refused(row: &Value) -> Result<(), String> {
    let what = row["what"].as_str().unwrap_or_default();
    let device = call(
        MANAGER_NAME,
        MANAGER,
        "GetDeviceByIpIface",
        &[quoted(INTERFACE)],
    )?;
    let device = object(&device).ok_or("NetworkManager does not know wlan1")?;
    let given = Given::make(row["given"].as_str(), &device)?;
    let filled = |text: &str| {
        let checkpoint = given.checkpoint.as_deref().unwrap_or_default();
        text.replace("{device}", &device)
            .replace("{interface}", INTERFACE)
            .replace("{checkpoint}", checkpoint)
    };
    let text = |field: &str| filled(row[field].as_str().unwrap_or_default());
    let arguments: Option<Vec<String>> = row["arguments"]
        .as_array()
        .and_then(|all| all.iter().map(|one| argument(one, &filled)).collect());
    let arguments = arguments.ok_or_else(|| format!("{what}: an argument of no known kind"))?;
    let answer = call(&text("service"), &text("path"), &text("method"), &arguments);
    // Where the words are those of a service's D-Bus library, they are not in the table.
    let wanted = match row["message"].as_str() {
        Some(message) => format!("{}: {}", text("error"), filled(message)),
        None => text("error"),
    };
    given.undo()?;
    match answer {
        Err(refusal) => {
            let told = match row["message"].is_null() {
                true => refusal.split(": ").next().unwrap_or_default(),
                false => &refusal,
            };
            (told == wanted)
                .then_some(())
                .ok_or_else(|| format!("{what}: {refusal:?}, not {wanted:?}"))
        }
        Ok(answer) => Err(format!("{what}: not refused, but answered {answer:?}")),
    }
}

/// What has to be so before a call.
#[derive(Default)]
struct Given {
    checkpoint: Option<String>,
    is_off: bool,
    is_blocked: bool,
}

impl Given {
    fn make(what: Option<&str>, device: &str) -> Result<Self, String> {
        let mut given = Self::default();
        match what {
            None => {}
            Some("off") => {
                switch_adapter("off")?;
                given.is_off = true;
            }
            Some("blocked") => {
                block("block")?;
                given.is_blocked = true;
                within(SWITCHED, "hci0 is blocked", || !is_powered())?;
            }
            Some("checkpoint") => {
                let devices = format!("[objectpath '{device}']");
                let arguments = [devices, "uint32 30".to_owned(), "uint32 0".to_owned()];
                let made = call(MANAGER_NAME, MANAGER, "CheckpointCreate", &arguments)?;
                given.checkpoint = object(&made);
            }
            Some(other) => return Err(format!("nothing is known of {other:?}")),
        }
        Ok(given)
    }

    fn undo(self) -> Result<(), String> {
        if let Some(checkpoint) = self.checkpoint {
            let arguments = [format!("objectpath '{checkpoint}'")];
            call(MANAGER_NAME, MANAGER, "CheckpointDestroy", &arguments)?;
        }
        if self.is_blocked {
            block("unblock")?;
            bluetooth("power on");
            within(SWITCHED, "hci0 is on", is_powered)?;
        }
        if self.is_off {
            switch_adapter("on")?;
        }
        Ok(())
    }
}

/// Has the kernel keep Bluetooth off, or no longer.
pub fn block(how: &str) -> Result<(), String> {
    let mut rfkill = Command::new("rfkill");
    super::cases::succeeds(rfkill.args([how, "bluetooth"]))
}

/// An argument as gdbus reads it.
fn argument(argument: &Value, filled: &impl Fn(&str) -> String) -> Option<String> {
    let (kind, value) = argument.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "s" => quoted(&filled(value.as_str()?)),
        "o" => format!("objectpath '{}'", filled(value.as_str()?)),
        "u" => format!("uint32 {}", value.as_u64()?),
        "vb" => format!("<{}>", value.as_bool()?),
        "ao" => {
            let paths = value.as_array()?.iter();
            let paths: Option<Vec<String>> = paths
                .map(|path| path.as_str().map(|path| format!("'{}'", filled(path))))
                .collect();
            format!("@ao [{}]", paths?.join(", "))
        }
        "a{sv}" => "@a{sv} {}".to_owned(),
        // The profile of a Wi-Fi network of this name, or of none.
        "wifi" => {
            let ssid = value.as_str().map(|name| format!("'ssid': <b'{name}'>"));
            let wireless = ssid.unwrap_or_default();
            format!("@a{{sa{{sv}}}} {{'802-11-wireless': {{{wireless}}}}}")
        }
        _ => return None,
    })
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

/// The path in an answer of gdbus, such as `(objectpath '/a/b',)`.
fn object(answer: &str) -> Option<String> {
    answer.split('\'').nth(1).map(str::to_owned)
}

/// Calls a method; its interface is that of the service unless it names one. Otherwise name and words of
/// the refusal.
fn call(service: &str, path: &str, method: &str, arguments: &[String]) -> Result<String, String> {
    let method = match method.contains('.') {
        true => method.to_owned(),
        false => format!("{service}.{method}"),
    };
    let asked = Command::new("gdbus")
        .args(["call", "--system", "--dest", service, "--object-path", path])
        .args(["--method", &method, "--"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("failed to start gdbus: {error}"))?;
    if asked.status.success() {
        return Ok(String::from_utf8_lossy(&asked.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    let refusal = said.split_once("GDBus.Error:").map(|(_, rest)| rest);
    Err(refusal.unwrap_or(&said).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_written_as_gdbus_reads_them() {
        let written = |argument_of: Value| argument(&argument_of, &|text| text.replace("{x}", "y"));
        for (given, wanted) in [
            (serde_json::json!({ "s": "{x}" }), "'y'"),
            (serde_json::json!({ "u": 5 }), "uint32 5"),
            (
                serde_json::json!({ "ao": ["/a", "/{x}"] }),
                "@ao ['/a', '/y']",
            ),
            (serde_json::json!({ "vb": true }), "<true>"),
            (
                serde_json::json!({ "wifi": "n" }),
                "@a{sa{sv}} {'802-11-wireless': {'ssid': <b'n'>}}",
            ),
            (
                serde_json::json!({ "wifi": null }),
                "@a{sa{sv}} {'802-11-wireless': {}}",
            ),
        ] {
            assert_eq!(written(given).as_deref(), Some(wanted));
        }
        assert_eq!(written(serde_json::json!({ "t": 5 })), None);
    }

    #[test]
    fn every_refusal_is_whole() {
        let rows: Vec<Value> = serde_json::from_str(TABLE).expect("JSON");
        for row in &rows {
            for field in ["what", "service", "path", "method", "error"] {
                let text = row[field].as_str().unwrap_or_default();
                assert!(text.len() > 1, "{field} of {row}");
            }
            let arguments = row["arguments"].as_array().expect("a list");
            assert!(
                arguments
                    .iter()
                    .all(|one| argument(one, &str::to_owned).is_some()),
                "{row}"
            );
        }
    }
}
