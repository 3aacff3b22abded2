//! Ports of boards.

use std::path::Path;

use board::serial::{PortLook, look_at_port};

use super::Finding;
use crate::mend;

/// The device file `path`, in the order in which opening it fails.
pub(super) fn check(check: &'static str, path: &Path) -> Vec<Finding> {
    let shown = path.display();
    match look_at_port(path) {
        None => vec![Finding::not_ok(
            check,
            format!("there is no {shown}"),
            mend::no_port(),
        )],
        Some(look) => findings(check, &shown.to_string(), &look),
    }
}

fn findings(check: &'static str, shown: &str, look: &PortLook) -> Vec<Finding> {
    if !look.is_port {
        let said = format!("{shown} is no serial port");
        return vec![Finding::not_ok(check, said, mend::no_port())];
    }
    let mut findings = vec![Finding::ok(check, format!("{shown} is there"))];
    let group = look.group.as_deref().unwrap_or("dialout");
    findings.push(match look.permitted {
        true => Finding::ok(check, "this user may open it"),
        false => Finding::not_ok(
            check,
            format!("this user may not open it: group {group} may"),
            mend::port_denied(group),
        ),
    });
    findings.push(match &look.used_by {
        None => Finding::ok(check, "no process that this user can see has it open"),
        Some(by) => Finding::not_ok(check, format!("{by} has it open"), mend::port_used(shown)),
    });
    if let Some(stable) = &look.stable {
        findings.push(Finding::unknown(
            check,
            format!("{shown} may be another port when something else was plugged in"),
            format!("write `port = \"{}\"`", stable.display()),
        ));
    }
    if look.may_be_probed {
        findings.push(Finding::not_ok(
            check,
            "ModemManager may open it for some seconds after it is plugged in",
            "`echo 'SUBSYSTEM==\"tty\", KERNEL==\"ttyACM*\", ENV{ID_MM_PORT_IGNORE}=\"1\"' | sudo tee \
             /etc/udev/rules.d/60-proving.rules && sudo udevadm control --reload && sudo udevadm \
             trigger -c add -s tty`, or `sudo systemctl disable --now ModemManager`",
        ));
    }
    findings
}

/// The Unix socket at `path`.
pub(super) fn socket(check: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    match path.exists() {
        true => Finding::ok(check, format!("{shown} is there")),
        false => Finding::not_ok(
            check,
            format!("there is no socket {shown}"),
            "start what serves it, or name another port in the rig file",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::*;

    fn look() -> PortLook {
        PortLook {
            is_port: true,
            permitted: true,
            group: Some("dialout".into()),
            used_by: None,
            stable: None,
            may_be_probed: false,
        }
    }

    /// The only finding that is not ok.
    fn fault(look: &PortLook) -> Finding {
        let found = findings("port", "/dev/ttyACM0", look);
        let mut faults = found.into_iter().filter(|found| found.answer != Answer::Ok);
        let fault = faults.next().expect("one");
        assert_eq!(faults.next(), None);
        fault
    }

    #[test]
    fn each_thing_that_is_wrong_with_a_port_has_its_command() {
        let found = findings("port", "/dev/ttyACM0", &look());
        assert!(
            found.iter().all(|found| found.answer == Answer::Ok),
            "{found:#?}"
        );
        let denied = fault(&PortLook {
            permitted: false,
            ..look()
        });
        assert!(denied.mend.expect("one").contains("usermod -aG dialout"));
        let used = fault(&PortLook {
            used_by: Some("minicom (process 7)".into()),
            ..look()
        });
        assert_eq!(used.answer, Answer::NotOk);
        assert!(used.mend.expect("one").contains("fuser -v /dev/ttyACM0"));
        let probed = fault(&PortLook {
            may_be_probed: true,
            ..look()
        });
        assert!(probed.mend.expect("one").contains("ID_MM_PORT_IGNORE"));
        let stable = fault(&PortLook {
            stable: Some("/dev/serial/by-id/usb-x".into()),
            ..look()
        });
        assert_eq!(stable.answer, Answer::Unknown);
        assert!(
            stable
                .mend
                .expect("one")
                .contains("/dev/serial/by-id/usb-x")
        );
        let file = fault(&PortLook {
            is_port: false,
            ..look()
        });
        assert!(file.said.contains("no serial port"));
    }
}
