//! The credentials that a device says it was told.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;
use trace::Event;

use crate::read::{device, is_boot, text};
use crate::wifi::is_refused;
use crate::{Found, Moment, Watch};

/// What is remembered of each device.
const MOST: usize = 16;
const SAYS: &str = "Received Wi-Fi credentials\n\tSSID     : ";
const AND: &str = "\n\tPassword : ";

/// SSIDs and passphrases that each device was told, the last one last. A passphrase that came in hex is not
/// known.
#[derive(Default)]
pub struct Credentials(BTreeMap<String, VecDeque<(String, Option<String>, u64)>>);

impl Watch for Credentials {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        let Some(line) = event.line() else {
            if let Some((ssid, passphrase)) = told(event).filter(|_| !is_refused(event)) {
                let all = self.0.entry(name.to_owned()).or_default();
                all.push_back((ssid, passphrase, event.seq));
                if all.len() > MOST {
                    all.pop_front();
                }
            }
            return;
        };
        let said = line
            .text
            .strip_prefix(SAYS)
            .and_then(|said| said.split_once(AND));
        let (Some((ssid, passphrase)), Some(all)) = (said, self.0.get(name)) else {
            return;
        };
        // What is no text is spelled in another way in a log.
        let is_ssid = |told: &str| ssid == told || told.contains('\\') || ssid.contains('\u{FFFD}');
        let is_told = all.iter().any(|(told, known, _)| {
            is_ssid(told) && known.as_ref().is_none_or(|known| known == passphrase)
        });
        found.check(
            is_told,
            || format!("says that it was told `{ssid}` and {passphrase:?}"),
            all.iter().map(|(.., seq)| *seq).chain([event.seq]),
        );
    }
}

/// What an exchange tells the device, in Espressif's messages or in Linkkit's `switchap`.
fn told(event: &Event) -> Option<(String, Option<String>)> {
    if let Some(ssid) = text(event, "/request/ssid") {
        let passphrase = text(event, "/request/passphrase").unwrap_or_default();
        return Some((ssid.to_owned(), Some(passphrase.to_owned())));
    }
    let raw = text(event, "/request/raw").filter(|raw| raw.contains("params"))?;
    let switch: Value = serde_json::from_str(raw).unwrap_or_default();
    let ssid = switch.pointer("/params/ssid").and_then(Value::as_str);
    // Without it, it came as bytes, or the text is longer than what is shown of it.
    Some((ssid.unwrap_or("\\").to_owned(), None))
}
