//! What differs between the versions whose behaviour a device can have.

use factory::Version;
use proto::version::{WIFI_PROV, WIFI_SCAN};

/// A version's behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile(pub(crate) Version);

/// Steps of provisioning that the component announces as events (`wifi_prov_cb_event_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Init,
    Start,
    /// Credentials are about to be taken, or refused; since ESP-IDF 5.4.
    SetCredentials,
    CredentialsReceived,
    CredentialsFailed,
    CredentialsSucceeded,
    End,
    Deinit,
}

impl Profile {
    /// Whether its names are those of `network_provisioning`.
    pub(crate) fn has_component_names(self) -> bool {
        self.0 == Version::NetworkProvisioning
    }

    /// Tag of the log lines of what ESP-IDF calls the manager.
    pub(crate) fn tag(self) -> &'static str {
        match self.has_component_names() {
            true => "network_prov_mgr",
            false => "wifi_prov_mgr",
        }
    }

    /// Tag of the log lines of `prov-config`.
    pub(crate) fn handlers_tag(self) -> &'static str {
        match self.has_component_names() {
            true => "network_prov_handlers",
            false => "wifi_prov_handlers",
        }
    }

    /// Tag of the log lines of the SoftAP scheme.
    pub(crate) fn softap_tag(self) -> &'static str {
        match self.has_component_names() {
            true => "network_prov_scheme_softap",
            false => "wifi_prov_scheme_softap",
        }
    }

    /// Tag of the log lines of the BLE scheme.
    pub(crate) fn ble_tag(self) -> &'static str {
        match self.has_component_names() {
            true => "network_prov_scheme_ble",
            false => "wifi_prov_scheme_ble",
        }
    }

    /// What `proto-ver` says as `ver` (`network_provisioning` since 1.0.1).
    pub(crate) fn version(self) -> &'static str {
        match self.has_component_names() {
            true => "netprov-v1.2",
            false => "v1.1",
        }
    }

    /// What stands behind the socket's number where the log says that it was closed.
    pub(crate) fn space_behind_socket(self) -> &'static str {
        match self.0 <= Version::Idf50 {
            true => " ",
            false => "",
        }
    }

    /// Whether a message that lacks its content, or asks for what can never be there, ends the
    /// connection (ESP-IDF 5.5.5, `network_provisioning` 1.2.3). Before that some made the device
    /// read through a null pointer; ours answered them with a status.
    pub(crate) fn guards_messages(self) -> bool {
        self.0 >= Version::Idf55
    }

    /// Whether there is `prov-ctrl`.
    pub(crate) fn has_ctrl(self) -> bool {
        self.0 >= Version::Idf51
    }

    /// Whether there is security 2, and `sec_ver` on `proto-ver`.
    pub(crate) fn has_security2(self) -> bool {
        self.0 >= Version::Idf50
    }

    /// Whether the application hears of phones that come and go, and of what becomes of their
    /// handshakes (events of `protocomm`, 2023).
    pub(crate) fn has_session_events(self) -> bool {
        self.0 >= Version::Idf51
    }

    /// Whether credentials can be tried several times.
    pub(crate) fn counts_attempts(self) -> bool {
        self.0 >= Version::Idf554
    }

    /// Whether a reset begins to count attempts anew (`network_provisioning` 1.2.2).
    pub(crate) fn reset_clears_attempts(self) -> bool {
        self.has_component_names()
    }

    /// Whether a reset is granted while credentials are awaited anyway (`network_provisioning`
    /// 1.2.1).
    pub(crate) fn reset_is_idempotent(self) -> bool {
        self.has_component_names()
    }

    /// Whether this 802.11 reason, or one of ESP-IDF's own, means wrong credentials.
    pub(crate) fn is_authentication_failure(self, reason: u16) -> bool {
        match reason {
            // Message integrity failure, four-way handshake time-out, authentication failed,
            // handshake time-out.
            14 | 15 | 202 | 204 => true,
            // Authentication expired.
            2 => self.0 == Version::Idf44,
            _ => false,
        }
    }

    /// Capabilities on `proto-ver`, besides those that security takes away.
    pub(crate) fn capabilities(self) -> &'static [&'static str] {
        match self.has_component_names() {
            true => &[WIFI_PROV, WIFI_SCAN],
            false => &[WIFI_SCAN],
        }
    }

    /// Tells the application, which the log shows.
    pub(crate) fn announce(self, step: Step) {
        if let Some(id) = self.event(step) {
            log::debug!(target: self.tag(), "execute_event_cb : {id}");
        }
    }

    /// Number of the event; none where there is no such event.
    fn event(self, step: Step) -> Option<u8> {
        // What `network_provisioning` has between them is about Thread.
        let (idf, component) = match step {
            Step::Init => (0, 0),
            Step::Start => (1, 1),
            Step::SetCredentials => (2, 2),
            Step::CredentialsReceived => (3, 3),
            Step::CredentialsFailed => (4, 5),
            Step::CredentialsSucceeded => (5, 7),
            Step::End => (6, 9),
            Step::Deinit => (7, 10),
        };
        if self.has_component_names() {
            return Some(component);
        }
        match (self.0 >= Version::Idf54, idf) {
            (true, id) | (false, id @ 0..2) => Some(id),
            (false, 2) => None,
            (false, id) => Some(id - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 8] = [
        Step::Init,
        Step::Start,
        Step::SetCredentials,
        Step::CredentialsReceived,
        Step::CredentialsFailed,
        Step::CredentialsSucceeded,
        Step::End,
        Step::Deinit,
    ];

    #[test]
    fn events_are_numbered_as_in_each_version() {
        let before = [
            Some(0),
            Some(1),
            None,
            Some(2),
            Some(3),
            Some(4),
            Some(5),
            Some(6),
        ];
        let since = [0, 1, 2, 3, 4, 5, 6, 7].map(Some);
        let component = [0, 1, 2, 3, 5, 7, 9, 10].map(Some);
        for (version, expected) in [
            (Version::Idf44, before),
            (Version::Idf53, before),
            (Version::Idf54, since),
            (Version::Idf55, since),
            (Version::NetworkProvisioning, component),
        ] {
            let events = STEPS.map(|step| Profile(version).event(step));
            assert_eq!(events, expected, "{version:?}");
        }
    }

    #[test]
    fn each_version_says_what_the_real_one_says() {
        for (version, told, space, guards) in [
            (Version::Idf44, "v1.1", " ", false),
            (Version::Idf50, "v1.1", " ", false),
            (Version::Idf52, "v1.1", "", false),
            (Version::Idf54, "v1.1", "", false),
            (Version::Idf554, "v1.1", "", false),
            (Version::Idf55, "v1.1", "", true),
            (Version::NetworkProvisioning, "netprov-v1.2", "", true),
        ] {
            let profile = Profile(version);
            let says = (
                profile.version(),
                profile.space_behind_socket(),
                profile.guards_messages(),
            );
            assert_eq!(says, (told, space, guards), "{version:?}");
        }
    }

    #[test]
    fn attempts_are_counted_since_5_5() {
        for (version, counted) in [
            (Version::Idf54, false),
            (Version::Idf554, true),
            (Version::Idf55, true),
            (Version::NetworkProvisioning, true),
        ] {
            assert_eq!(Profile(version).counts_attempts(), counted, "{version:?}");
        }
    }

    #[test]
    fn sessions_are_told_of_since_5_1() {
        for (version, told) in [
            (Version::Idf44, false),
            (Version::Idf50, false),
            (Version::Idf51, true),
            (Version::NetworkProvisioning, true),
        ] {
            assert_eq!(Profile(version).has_session_events(), told, "{version:?}");
        }
    }

    #[test]
    fn only_the_oldest_takes_an_expired_authentication_for_a_wrong_passphrase() {
        assert!(Profile(Version::Idf44).is_authentication_failure(2));
        assert!(!Profile(Version::Idf50).is_authentication_failure(2));
    }
}
