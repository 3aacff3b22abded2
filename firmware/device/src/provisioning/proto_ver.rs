//! What `proto-ver` answers: the versions and abilities of the service, as JSON.

use alloc::format;
use alloc::string::String;

use proto::version::{NO_POP, NO_SEC, WIFI_SCAN};

/// What the service tells about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Security scheme, 0 to 2.
    pub(crate) security: u8,
    /// Its patch version.
    pub(crate) patch: u8,
    /// Whether a proof of possession is asked for; only security 1 can do without.
    pub(crate) pop: bool,
}

impl Version {
    /// The answer, laid out as cJSON prints it (tabs, arrays on one line), without a final NUL.
    pub(crate) fn json(self) -> String {
        let without = match self.security {
            0 => Some(NO_SEC),
            1 if !self.pop => Some(NO_POP),
            _ => None,
        };
        let without = without.map_or(String::new(), |what| format!("\"{what}\", "));
        format!(
            "{{\n\t\"prov\":\t{{\n\t\t\"ver\":\t\"v1.1\",\n\t\t\"sec_ver\":\t{},\n\t\t\
             \"sec_patch_ver\":\t{},\n\t\t\"cap\":\t[{without}\"{WIFI_SCAN}\"]\n\t}}\n}}",
            self.security, self.patch
        )
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn capabilities(security: u8, pop: bool) -> Vec<String> {
        let version = Version {
            security,
            patch: 0,
            pop,
        };
        let read: proto::version::Version = serde_json::from_str(&version.json()).unwrap();
        assert_eq!(read.prov.sec_ver, Some(security));
        read.prov.cap
    }

    #[test]
    fn the_text_is_laid_out_as_cjson_does() {
        let version = Version {
            security: 2,
            patch: 1,
            pop: true,
        };
        let expected = "{\n\t\"prov\":\t{\n\t\t\"ver\":\t\"v1.1\",\n\t\t\"sec_ver\":\t2,\n\t\t\"sec_patch_ver\":\t1,\n\t\t\"cap\":\t[\"wifi_scan\"]\n\t}\n}";
        assert_eq!(version.json(), expected);
    }

    #[test]
    fn capabilities_say_what_is_not_needed() {
        assert_eq!(capabilities(0, false), ["no_sec", "wifi_scan"]);
        assert_eq!(capabilities(1, false), ["no_pop", "wifi_scan"]);
        assert_eq!(capabilities(1, true), ["wifi_scan"]);
        assert_eq!(capabilities(2, false), ["wifi_scan"]);
    }
}
