//! Which tags stand in a firmware's log.

use std::collections::BTreeSet;

use crate::rig::mistake::RigMistake;
use crate::rig::section::Section;

/// What stands for all of [`ESP_IDF`].
pub(super) const GROUP: &str = "esp-idf";

/// Tags of ESP-IDF's own components, of those that scenarios name.
pub const ESP_IDF: [&str; 31] = [
    "app_init",
    "boot",
    "cpu_start",
    "dhcps",
    "esp-tls",
    "esp-tls-mbedtls",
    "esp_image",
    "esp_netif_handlers",
    "esp_netif_lwip",
    "httpd_txrx",
    "httpd_uri",
    "main_task",
    "mbedtls",
    "mdns",
    "mqtt_client",
    "network_prov_handlers",
    "network_prov_mgr",
    "network_prov_scheme_ble",
    "phy_init",
    "protocomm",
    "protocomm_ble",
    "protocomm_console",
    "protocomm_httpd",
    "security0",
    "security1",
    "security2",
    "transport_base",
    "wifi",
    "wifi_prov_handlers",
    "wifi_prov_mgr",
    "wifi_prov_scheme_ble",
];

/// Those that only firmware prints which is being provisioned.
const OF_PROVISIONING: [&str; 12] = [
    "network_prov_handlers",
    "network_prov_mgr",
    "network_prov_scheme_ble",
    "protocomm",
    "protocomm_ble",
    "protocomm_console",
    "protocomm_httpd",
    "security0",
    "security1",
    "security2",
    "wifi_prov_handlers",
    "wifi_prov_scheme_ble",
];

/// Tags of the reference firmware that are not ESP-IDF's: its application's, Linkkit's and
/// ThingsBoard's.
pub const REFERENCE: [&str; 14] = [
    "app",
    "CoAP",
    "EXAM_X509_W_TWOWAYSSL",
    "awss",
    "factory",
    "guider",
    "iotx_mc",
    "provision",
    "security",
    "sntp",
    "storage",
    "tb_mqtt_client_helper",
    "tb_mqtt_wapper",
    "tls",
];

/// The tags in the log of a firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Components {
    /// The rig file does not say: ESP-IDF's, if it has those at all, and those that this harness knows
    /// nothing of, which only scenarios of the same team name.
    Unsaid {
        /// Whether ESP-IDF is in it.
        esp_idf: bool,
    },
    /// These.
    These(BTreeSet<String>),
}

impl Components {
    /// Whether lines of this tag are printed.
    pub fn prints(&self, tag: &str, is_provisioned: bool) -> bool {
        let of_provisioning = tag == "wifi_prov_mgr" || OF_PROVISIONING.contains(&tag);
        if of_provisioning && !is_provisioned {
            return false;
        }
        match self {
            Self::Unsaid { esp_idf } if ESP_IDF.contains(&tag) => *esp_idf,
            Self::Unsaid { .. } => !REFERENCE.contains(&tag),
            Self::These(tags) => {
                let in_group = tags.contains(GROUP) && ESP_IDF.contains(&tag);
                in_group || tags.contains(tag)
            }
        }
    }
}

/// `components`, if it is there.
pub(super) fn components(section: &Section<'_>) -> Option<Components> {
    let found = section.strings("components", "`components = [\"esp-idf\", \"app\"]`")?;
    let mut tags = BTreeSet::new();
    for tag in found {
        let known: Vec<&str> = ESP_IDF
            .into_iter()
            .chain(REFERENCE)
            .chain([GROUP])
            .collect();
        if !known.contains(&&*tag.value) && is_misspelt(&tag.value, &known) {
            let message = format!(
                "`{}` has `{}`, which is nearly a component of another name",
                section.name("components"),
                tag.value
            );
            let mistake = RigMistake::unknown(tag.span, message, &tag.value, &known);
            section.note_mistake(mistake);
        } else {
            tags.insert(tag.value);
        }
    }
    Some(Components::These(tags))
}

/// Whether it looks like one of `known`. A tag of the team's own may be like a short one by chance.
fn is_misspelt(tag: &str, known: &[&str]) -> bool {
    let near = |known: &&str| known.len() >= 6 && strsim::damerau_levenshtein(tag, known) <= 2;
    known.iter().any(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_firmware_prints_follows_from_what_the_rig_file_says() {
        let unsaid = Components::Unsaid { esp_idf: true };
        for (tag, printed) in [
            ("wifi_prov_mgr", true),
            ("app", false),
            ("awss", false),
            ("lamp_main", true),
        ] {
            assert_eq!(unsaid.prints(tag, true), printed, "{tag}");
        }
        assert!(!unsaid.prints("wifi_prov_mgr", false) && unsaid.prints("mqtt_client", false));
        let program = Components::Unsaid { esp_idf: false };
        assert!(!program.prints("mqtt_client", false) && program.prints("paho", false));
        let these = Components::These([GROUP.to_owned(), "app".to_owned()].into());
        assert!(these.prints("app", true) && these.prints("mdns", true));
        assert!(!these.prints("lamp_main", true));
    }

    #[test]
    fn a_tag_of_ones_own_is_no_mistake_and_a_misspelt_one_is() {
        let known = ["wifi_prov_mgr", "app", "esp-idf"];
        assert!(is_misspelt("wifi_prov_mng", &known) && is_misspelt("esp-idff", &known));
        assert!(!is_misspelt("app2", &known) && !is_misspelt("lamp", &known));
    }
}
