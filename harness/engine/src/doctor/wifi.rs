//! The Wi-Fi interface of phones.

use ::clock::Clock;
use phone::{Consent, NoAnswer, WifiLook, WifiUse};
use trace::in_full;

use super::Finding;
use crate::mend;

const CHECK: &str = "wifi";
const POLKIT: &str = "polkit";

pub(super) async fn check(name: &str) -> Vec<Finding> {
    let clock = Clock::start(1.0);
    match phone::look_at_wifi(name, &clock).await {
        Ok(look) => findings(name, &look, phone::radio_is_held(name)),
        Err(error) => {
            let said = in_full(&error);
            let mend = match error {
                NoAnswer::NoBus(_) | NoAnswer::NoService(_) => mend::no_network_manager(),
                NoAnswer::Denied(_) => mend::polkit(),
                NoAnswer::Silent { .. } | NoAnswer::Failed { .. } => {
                    "`sudo systemctl restart NetworkManager`".to_owned()
                }
            };
            vec![Finding::not_ok(CHECK, said, mend)]
        }
    }
}

fn findings(name: &str, look: &WifiLook, held: bool) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(CHECK, "NetworkManager answers")];
    findings.push(usable(name, look, held));
    findings.extend(look.permissions.iter().map(|(action, consent)| {
        let whole = format!("org.freedesktop.NetworkManager.{action}");
        match consent {
            Consent::Yes => Finding::ok(POLKIT, format!("yes to {whole}")),
            Consent::Password => Finding::not_ok(
                POLKIT,
                format!("{whole} asks for a password, which no run can type"),
                mend::polkit(),
            ),
            Consent::No => Finding::not_ok(POLKIT, format!("no to {whole}"), mend::polkit()),
            Consent::Unknown => Finding::unknown(
                POLKIT,
                format!("NetworkManager does not say whether this user may {whole}"),
                format!(
                    "`nmcli general permissions` shows it; if it is not yes: {}",
                    mend::polkit()
                ),
            ),
        }
    }));
    findings
}

fn usable(name: &str, look: &WifiLook, held: bool) -> Finding {
    if !look.enabled {
        let said = "NetworkManager keeps all Wi-Fi off";
        return Finding::not_ok(CHECK, said, mend::unavailable(name));
    }
    let Some(used) = &look.interface else {
        let said = format!("NetworkManager has no interface {name}");
        return Finding::not_ok(CHECK, said, mend::no_interface());
    };
    if held && *used == WifiUse::Kept {
        let said = format!("another proving uses {name}");
        return Finding::not_ok(CHECK, said, mend::held_radio());
    }
    match used {
        WifiUse::OfAnotherKind => {
            let said = format!("{name} is no Wi-Fi interface");
            Finding::not_ok(CHECK, said, mend::no_interface())
        }
        WifiUse::Unmanaged => Finding::not_ok(
            CHECK,
            format!("NetworkManager leaves {name} alone (unmanaged)"),
            mend::unmanaged(name),
        ),
        WifiUse::Unavailable => Finding::not_ok(
            CHECK,
            format!("NetworkManager cannot use {name}: it is off, or wpa_supplicant does not run"),
            mend::unavailable(name),
        ),
        WifiUse::AccessPoint => Finding::not_ok(
            CHECK,
            format!("{name} is an access point itself"),
            mend::is_access_point(name),
        ),
        WifiUse::Kept => Finding::not_ok(
            CHECK,
            format!("another program keeps a checkpoint of {name}"),
            mend::kept_by_others(name),
        ),
        WifiUse::Connected(ssid) => {
            let ssid = ssid.as_deref().unwrap_or("a network");
            let said = format!(
                "NetworkManager manages {name}; it is connected to {ssid}, which a case leaves and joins \
                 again"
            );
            Finding::ok(CHECK, said)
        }
        WifiUse::Free => Finding::ok(CHECK, format!("NetworkManager manages {name}; it is free")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Answer;
    use super::*;

    #[test]
    fn each_use_that_is_in_the_way_has_its_command() {
        let look = |interface| WifiLook {
            permissions: phone::WIFI_ACTIONS
                .map(|action| (action, Consent::Yes))
                .into(),
            enabled: true,
            interface,
        };
        for (used, held, words) in [
            (None, false, "nmcli device"),
            (Some(WifiUse::OfAnotherKind), false, "nmcli device"),
            (
                Some(WifiUse::Unmanaged),
                false,
                "nmcli device set wlan1 managed yes",
            ),
            (Some(WifiUse::Unavailable), false, "nmcli radio wifi on"),
            (Some(WifiUse::AccessPoint), false, "name another interface"),
            (Some(WifiUse::Kept), false, "checkpoint runs out"),
            (Some(WifiUse::Kept), true, "pgrep -a proving"),
        ] {
            let found = usable("wlan1", &look(used), held);
            assert_eq!(found.answer, Answer::NotOk, "{found:?}");
            assert!(
                found.mend.as_deref().expect("one").contains(words),
                "{found:?}"
            );
        }
        let connected = WifiUse::Connected(Some("office".into()));
        assert_eq!(
            usable("wlan1", &look(Some(connected)), false).answer,
            Answer::Ok
        );
        assert_eq!(
            usable("wlan1", &look(Some(WifiUse::Free)), true).answer,
            Answer::Ok
        );
    }
}
