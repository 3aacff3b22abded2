//! The network that a device says it connects to.

use std::collections::BTreeMap;

use trace::Event;

use crate::read::{device, is_boot, left_by_itself, text};
use crate::{Found, Moment, Watch};

/// What each device has said since it was started, or was told something by a phone.
#[derive(Default)]
pub struct Networks(BTreeMap<String, (String, u64)>);

impl Watch for Networks {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if let Some(line) = event.line() {
            if let Some(name) = said(line.tag, line.text) {
                let said = (name.to_owned(), event.seq);
                self.0.insert(device(event).to_owned(), said);
            }
            return;
        }
        if is_boot(event) || event.kind == "exchange" {
            self.0.remove(device(event));
            return;
        }
        // Of which nothing is said.
        if left_by_itself(event) {
            return;
        }
        let joins = text(event, "/ssid").unwrap_or_default();
        if let Some((said, seq)) = self.0.get(device(event))
            // A name that is no text may be printed in any way.
            && !joins.contains('\\')
        {
            found.check(
                said == joins,
                || format!("says `{said}` and tries to join `{joins}`"),
                [*seq, event.seq],
            );
        }
    }
}

fn said<'l>(tag: &str, text: &'l str) -> Option<&'l str> {
    match tag {
        "example_connect" => text.strip_prefix("Connecting to ")?.strip_suffix("..."),
        _ => Some(text.strip_prefix("Found Wi-Fi SSID")?.split_once(": ")?.1),
    }
}
