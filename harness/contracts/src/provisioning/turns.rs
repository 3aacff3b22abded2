//! What a device agrees to while it is busy with credentials, and what it says of them.

use std::collections::BTreeMap;

use trace::{Event, Source};

use crate::read::{device, is_boot, left_by_itself, text};
use crate::{Found, Moment, Watch};

/// What is refused as long as credentials are tried, or have proven themselves.
const REFUSED: [&str; 3] = ["cmd_apply_config", "cmd_scan_start", "cmd_ctrl_reset"];

/// Credentials that each device has taken.
#[derive(Default)]
pub struct Turns(BTreeMap<String, Taken>);

struct Taken {
    /// Of the answer.
    seq: u64,
    /// Whether the air has let the station go since: the device may take others then, by itself or told.
    may_have_failed: bool,
}

impl Watch for Turns {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        if event.source == Source::Air {
            if let Some(taken) = self.0.get_mut(name).filter(|_| !left_by_itself(event)) {
                taken.may_have_failed = true;
            }
            return;
        }
        if is_of_unknown_meaning(event) {
            self.0.remove(name);
            return;
        }
        let Some(asked) = text(event, "/request/message") else {
            return;
        };
        let granted = text(event, "/answer/status") == Some("success");
        if let Some(taken) = self.0.get(name).filter(|taken| !taken.may_have_failed)
            && REFUSED.contains(&asked)
            && !event.data["answer"].is_null()
        {
            found.check(
                !granted,
                || format!("granted {asked} while other credentials are tried, or in use"),
                [taken.seq, event.seq],
            );
        }
        // An answer that was lost may have been a grant.
        let may_be_granted = granted || event.data["answer"].is_null();
        match asked {
            "cmd_apply_config" if granted => {
                let taken = Taken {
                    seq: event.seq,
                    may_have_failed: false,
                };
                self.0.insert(name.to_owned(), taken);
            }
            "cmd_apply_config" | "cmd_ctrl_reset" | "cmd_ctrl_reprov" if may_be_granted => {
                self.0.remove(name);
            }
            _ => {}
        }
    }
}

/// Whether bytes of a scenario's own were sent to the service itself, or credentials in another form.
fn is_of_unknown_meaning(event: &Event) -> bool {
    let is_service = text(event, "/endpoint").is_some_and(|name| name.starts_with("prov-"));
    text(event, "/request/raw").is_some_and(|raw| is_service || raw.contains("params"))
}

/// What each device has said of its station.
#[derive(Default)]
pub struct Outcomes(BTreeMap<String, Said>);

#[derive(Default)]
struct Said {
    /// Whether it may have taken credentials since it was started.
    applied: bool,
    /// What they came to, and by which event it said so.
    last: Option<(String, u64)>,
}

impl Watch for Outcomes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        let said = self.0.entry(name.to_owned()).or_default();
        let is_refused = text(event, "/answer/status").is_some_and(|status| status != "success");
        match text(event, "/request/message") {
            Some("cmd_apply_config") if !is_refused => {
                said.applied = true;
                said.last = None;
            }
            Some("cmd_ctrl_reset" | "cmd_ctrl_reprov") if !is_refused => said.last = None,
            None if is_of_unknown_meaning(event) => {
                said.applied = true;
                said.last = None;
            }
            _ => {}
        }
        let Some((outcome, is_final)) = outcome(event) else {
            return;
        };
        if is_final && !said.applied {
            found.broken(
                format!("says {outcome}, and was told to use no credentials"),
                [event.seq],
            );
            return;
        }
        match &said.last {
            // A failure may be taken back by the application.
            Some((last, seq)) if is_final || last.starts_with("connected") => found.check(
                *last == outcome,
                || format!("said {last}, and then {outcome}"),
                [*seq, event.seq],
            ),
            _ => found.held(),
        }
        if is_final {
            said.last = Some((outcome, event.seq));
        }
    }
}

/// What an answer says of the station, and whether that is final.
fn outcome(event: &Event) -> Option<(String, bool)> {
    let station = text(event, "/answer/station")?;
    match station {
        // Without particulars it is the answer of a service that has ended.
        "connected" => {
            let address = text(event, "/answer/connected/ip")?;
            Some((format!("connected at {address}"), true))
        }
        "connection_failed" => {
            let reason = text(event, "/answer/reason").unwrap_or_default();
            Some((format!("connection_failed by {reason}"), true))
        }
        other => Some((other.to_owned(), false)),
    }
}
