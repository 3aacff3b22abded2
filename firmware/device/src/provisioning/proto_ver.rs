//! What `proto-ver` answers: the versions and abilities of the service, as JSON.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use factory::AppInfo;
use proto::version::{NO_POP, NO_SEC};

use super::profile::Profile;
use crate::bugs::{self, Bug};

/// What the service tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    /// What the application tells about itself.
    pub(crate) app_info: &'a [AppInfo],
    pub(crate) profile: Profile,
    /// Security scheme, 0 to 2.
    pub(crate) security: u8,
    /// Its patch version; releases from before there was one do not tell.
    pub(crate) patch: Option<u8>,
    /// Whether a proof of possession is asked for; only security 1 can do without.
    pub(crate) pop: bool,
}

impl Version<'_> {
    /// The answer, laid out as cJSON prints it (tabs, arrays on one line), without a final NUL.
    pub(crate) fn json(self) -> String {
        let mut labels: Vec<String> = Vec::new();
        if !bugs::is(Bug::AppInfoMissing) {
            labels.extend(self.app_info.iter().map(app_label));
        }
        labels.push(self.prov());
        format!("{{\n{}\n}}", labels.join(",\n"))
    }

    fn prov(self) -> String {
        let mut fields = alloc::vec![("ver", text(self.profile.version()))];
        if self.profile.has_security2() {
            fields.push(("sec_ver", format!("{}", self.security)));
            if let Some(patch) = self.patch {
                fields.push(("sec_patch_ver", format!("{patch}")));
            }
        }
        let without = match self.security {
            0 => Some(NO_SEC),
            1 if !self.pop => Some(NO_POP),
            _ => None,
        };
        let capabilities = without.iter().chain(self.profile.capabilities());
        fields.push(("cap", array(capabilities.map(|name| text(name)))));
        label("prov", &fields)
    }
}

fn app_label(info: &AppInfo) -> String {
    let capabilities = info.capabilities.iter().map(|name| text(name));
    let fields = [("ver", text(&info.version)), ("cap", array(capabilities))];
    label(&info.label, &fields)
}

fn label(name: &str, fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("\t\t{}:\t{value}", text(name)))
        .collect();
    format!("\t{}:\t{{\n{}\n\t}}", text(name), fields.join(",\n"))
}

fn array(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(", "))
}

fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(
        profile: factory::Version,
        security: u8,
        patch: Option<u8>,
        pop: bool,
    ) -> Version<'static> {
        Version {
            app_info: &[],
            profile: Profile(profile),
            security,
            patch,
            pop,
        }
    }

    fn prov(version: Version<'_>) -> proto::version::Prov {
        let read: proto::version::Version = serde_json::from_str(&version.json()).unwrap();
        read.prov
    }

    #[test]
    fn the_text_is_laid_out_as_cjson_does() {
        let expected = "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"v1.1\",\n\t\t\"sec_ver\":\t2,\n\t\t\"sec_patch_ver\":\t1,\n\t\t\"cap\":\t[\"wifi_scan\"]\n\t}\n}";
        let version = version(factory::Version::Idf55, 2, Some(1), true);
        assert_eq!(version.json(), expected);
    }

    #[test]
    fn labels_of_the_application_come_first() {
        let app_info = [AppInfo {
            label: "my_app".into(),
            version: "1.345".into(),
            capabilities: alloc::vec!["cloud".into(), "say \"hi\"".into()],
        }];
        let version = Version {
            app_info: &app_info,
            ..version(factory::Version::Idf44, 1, Some(0), true)
        };
        let expected = "{\n\t\"my_app\":\t{\n\t\t\"ver\":\t\"1.345\",\n\t\t\"cap\":\t[\"cloud\", \"say \\\"hi\\\"\"]\n\t},\n\t\"prov\":\t{\n\t\t\"ver\":\t\"v1.1\",\n\t\t\"cap\":\t[\"wifi_scan\"]\n\t}\n}";
        assert_eq!(version.json(), expected);
    }

    #[test]
    fn capabilities_say_what_is_not_needed() {
        for (security, pop, expected) in [
            (0, false, &["no_sec", "wifi_scan"][..]),
            (1, false, &["no_pop", "wifi_scan"]),
            (1, true, &["wifi_scan"]),
            (2, false, &["wifi_scan"]),
        ] {
            let prov = prov(version(factory::Version::Idf55, security, Some(0), pop));
            assert_eq!(prov.cap, expected);
            assert_eq!(prov.sec_ver, Some(security));
        }
    }

    #[test]
    fn each_version_tells_what_it_knows_of() {
        use factory::Version::{Idf44, Idf50, NetworkProvisioning};
        let oldest = prov(version(Idf44, 1, Some(0), true));
        assert_eq!((oldest.sec_ver, oldest.sec_patch_ver), (None, None));
        let unpatched = prov(version(Idf50, 2, None, false));
        assert_eq!(
            (unpatched.sec_ver, unpatched.sec_patch_ver),
            (Some(2), None)
        );
        let patched = prov(version(Idf50, 2, Some(1), false));
        assert_eq!((patched.sec_ver, patched.sec_patch_ver), (Some(2), Some(1)));
        let component = prov(version(NetworkProvisioning, 0, Some(0), false));
        assert_eq!(component.cap, ["no_sec", "wifi_prov", "wifi_scan"]);
        assert_eq!(
            (&oldest.ver[..], &component.ver[..]),
            ("v1.1", "netprov-v1.2")
        );
    }
}
