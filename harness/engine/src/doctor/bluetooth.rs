//! The Bluetooth adapter of phones.

use std::path::Path;

use ::clock::Clock;
use phone::{AdapterLook, Blocked, NoAnswer};
use trace::in_full;

use super::Finding;
use crate::mend;

const CHECK: &str = "bluetooth";

pub(super) async fn check(name: &str) -> Vec<Finding> {
    let clock = Clock::start(1.0);
    match phone::look_at_adapter(name, &clock).await {
        Err(error) => vec![no_answer(&error)],
        Ok(looked) => {
            let blocked = phone::radio_switch(Path::new(mend::SYS), name);
            findings(name, looked, blocked, phone::radio_is_held(name))
        }
    }
}

fn no_answer(error: &NoAnswer) -> Finding {
    let said = in_full(error);
    match error {
        NoAnswer::NoBus(_) | NoAnswer::NoService(_) => {
            Finding::not_ok(CHECK, said, mend::no_bluez())
        }
        NoAnswer::Denied(_) => Finding::not_ok(CHECK, said, mend::bluez_denied()),
        NoAnswer::Silent { .. } | NoAnswer::Failed { .. } => {
            Finding::not_ok(CHECK, said, "`sudo systemctl restart bluetooth`")
        }
    }
}

fn findings(
    name: &str,
    looked: Result<AdapterLook, Vec<String>>,
    blocked: Option<Blocked>,
    held: bool,
) -> Vec<Finding> {
    let adapter = match looked {
        Ok(adapter) => adapter,
        Err(known) => {
            let said = format!("this host has no adapter {name}");
            return vec![Finding::not_ok(CHECK, said, mend::no_adapter(&known))];
        }
    };
    let mut findings = vec![Finding::ok(
        CHECK,
        format!("BlueZ answers, and has {name} ({})", adapter.address),
    )];
    findings.push(match (blocked, adapter.powered) {
        (Some(blocked @ (Blocked::Soft | Blocked::Hard)), _) => Finding::not_ok(
            CHECK,
            format!("the kernel keeps {name} off (rfkill)"),
            mend::blocked_radio(blocked, "bluetooth"),
        ),
        (_, true) => Finding::ok(CHECK, format!("{name} is on")),
        (_, false) => Finding::ok(
            CHECK,
            format!("{name} is off: a case switches it on, and off again"),
        ),
    });
    if held {
        let said = format!("another proving uses {name}");
        findings.push(Finding::not_ok(CHECK, said, mend::held_radio()));
    } else if adapter.discovering {
        findings.push(Finding::unknown(
            CHECK,
            format!("another program listens by {name}: cases may take longer to hear a device"),
            "end it: `bluetoothctl scan off`, or close the desktop's Bluetooth settings",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::*;

    #[test]
    fn an_adapter_that_the_kernel_keeps_off_is_told_with_its_command() {
        let adapter = |powered, discovering| {
            Ok(AdapterLook {
                address: "06:50:00:00:00:01".into(),
                powered,
                discovering,
            })
        };
        let soft = findings("hci0", adapter(false, false), Some(Blocked::Soft), false);
        assert_eq!(soft[1].answer, Answer::NotOk);
        assert_eq!(
            soft[1].mend.as_deref(),
            Some("`sudo rfkill unblock bluetooth`")
        );
        let hard = findings("hci0", adapter(false, false), Some(Blocked::Hard), false);
        assert!(
            hard[1]
                .mend
                .as_deref()
                .expect("one")
                .contains("switch or key")
        );
        let off = findings("hci0", adapter(false, false), None, false);
        assert!(
            off.iter().all(|found| found.answer == Answer::Ok),
            "{off:#?}"
        );
        let scanned = findings("hci0", adapter(true, true), Some(Blocked::No), false);
        assert_eq!(scanned[2].answer, Answer::Unknown);
        let held = findings("hci0", adapter(true, true), Some(Blocked::No), true);
        assert_eq!(held[2].answer, Answer::NotOk);
    }
}
