//! Debug probes.

use board::rig::ProbeLink;

use super::Finding;

const CHECK: &str = "probe";

/// Only what is attached is listed; no probe is opened.
pub(super) fn check(link: &ProbeLink) -> Vec<Finding> {
    let wanted = board::probe::whole_selector(&link.selector);
    let wanted = wanted
        .unwrap_or_else(|| link.selector.clone())
        .to_lowercase();
    let attached = board::probe::list();
    let found = attached
        .iter()
        .find(|probe| probe.selector.to_lowercase() == wanted);
    vec![match found {
        Some(probe) if probe.allowed => {
            Finding::ok(CHECK, format!("{} is attached", probe.selector))
        }
        Some(probe) => Finding::not_ok(
            CHECK,
            format!("this user may not open {}", probe.selector),
            "`sudo curl -o /etc/udev/rules.d/69-probe-rs.rules \
             https://probe.rs/files/69-probe-rs.rules && sudo udevadm control --reload && sudo udevadm \
             trigger`, then plug it in again",
        ),
        None => Finding::not_ok(
            CHECK,
            format!("no probe {} is attached", link.selector),
            "plug it in; `proving boards` lists what is attached, with the `selector` to write",
        ),
    }]
}
