//! Settings of an access point as lines of hostapd.conf, which is how a rig's command is told of them.

use trace::Ssid;

use language::Auth;

/// How an access point is to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Its name in the air.
    pub ssid: Ssid,
    /// 8 to 63 characters, or the pre-shared key in 64 hex digits; empty for none.
    pub passphrase: String,
    /// How it authenticates.
    pub auth: Auth,
    /// Whether it keeps its name to itself.
    pub hidden: bool,
    /// Its channel; none for whichever it has.
    pub channel: Option<u8>,
}

impl Setup {
    /// The lines. None if the passphrase cannot stand in one.
    pub fn lines(&self) -> Option<String> {
        let is_printable = |c: char| c == ' ' || c.is_ascii_graphic();
        if !self.passphrase.chars().all(is_printable) {
            return None;
        }
        let mut lines = vec![
            format!("ssid2={}", hex::encode(self.ssid.as_bytes())),
            format!("ignore_broadcast_ssid={}", u8::from(self.hidden)),
        ];
        lines.extend(self.channel.map(|channel| format!("channel={channel}")));
        let (wpa, management) = match self.auth {
            Auth::Open => (0, ""),
            Auth::WpaPsk => (1, "WPA-PSK"),
            Auth::Wpa2Psk => (2, "WPA-PSK"),
            Auth::WpaWpa2Psk => (3, "WPA-PSK"),
            Auth::Wpa2Wpa3Psk => (2, "WPA-PSK SAE"),
            Auth::Wpa3Psk => (2, "SAE"),
            Auth::Wpa2Enterprise => (2, "WPA-EAP"),
        };
        lines.push(format!("wpa={wpa}"));
        if wpa > 0 {
            lines.push(format!("wpa_key_mgmt={management}"));
        }
        if wpa & 1 > 0 {
            lines.push("wpa_pairwise=TKIP".to_owned());
        }
        if wpa & 2 > 0 {
            lines.push("rsn_pairwise=CCMP".to_owned());
        }
        match self.auth {
            // Management frame protection: optional beside WPA2, and WPA3 is nothing without it.
            Auth::Wpa2Wpa3Psk => lines.push("ieee80211w=1".to_owned()),
            Auth::Wpa3Psk => lines.push("ieee80211w=2".to_owned()),
            Auth::Wpa2Enterprise => lines.push("ieee8021x=1".to_owned()),
            _ => {}
        }
        let is_key = self.passphrase.len() == 64;
        match (wpa > 0 && !self.passphrase.is_empty(), is_key) {
            (true, true) => lines.push(format!("wpa_psk={}", self.passphrase)),
            (true, false) => lines.push(format!("wpa_passphrase={}", self.passphrase)),
            (false, _) => {}
        }
        Some(lines.join("\n") + "\n")
    }

    /// What the lines say; why they cannot be read.
    pub fn read(lines: &str) -> Result<Self, String> {
        let value = |wanted: &str| {
            let mut lines = lines.lines().filter_map(|line| line.split_once('='));
            lines
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        let ssid = value("ssid2").and_then(|digits| hex::decode(digits).ok());
        let ssid = ssid.filter(|bytes| bytes.len() <= 32);
        let channel = match value("channel").map(str::parse) {
            None => None,
            Some(Ok(channel @ 1..=13)) => Some(channel),
            Some(_) => return Err("`channel` is none from 1 to 13".to_owned()),
        };
        let management = value("wpa_key_mgmt").unwrap_or_default();
        let auth = match (value("wpa").unwrap_or("0"), management) {
            ("0", _) => Auth::Open,
            ("1", "WPA-PSK") => Auth::WpaPsk,
            ("2", "WPA-PSK") => Auth::Wpa2Psk,
            ("3", "WPA-PSK") => Auth::WpaWpa2Psk,
            ("2", "WPA-PSK SAE") => Auth::Wpa2Wpa3Psk,
            ("2", "SAE") => Auth::Wpa3Psk,
            ("2", "WPA-EAP") => Auth::Wpa2Enterprise,
            (wpa, management) => {
                return Err(format!(
                    "`wpa={wpa}` with `wpa_key_mgmt={management}` is no way to authenticate"
                ));
            }
        };
        let passphrase = value("wpa_psk").or_else(|| value("wpa_passphrase"));
        Ok(Self {
            ssid: ssid
                .ok_or("`ssid2` is no name of up to 32 bytes in hex")?
                .into(),
            passphrase: passphrase.unwrap_or_default().to_owned(),
            auth,
            hidden: value("ignore_broadcast_ssid").is_some_and(|hidden| hidden != "0"),
            channel,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn setup(ssid: Vec<u8>, passphrase: &str, auth: Auth) -> Setup {
        Setup {
            ssid: ssid.into(),
            passphrase: passphrase.to_owned(),
            auth,
            hidden: false,
            channel: Some(6),
        }
    }

    #[test]
    fn a_network_with_a_passphrase_is_written_as_hostapd_reads_it() {
        let home = setup(b"caf\xe9".to_vec(), "correct horse", Auth::Wpa2Psk);
        let expected = "ssid2=636166e9\nignore_broadcast_ssid=0\nchannel=6\nwpa=2\n\
                        wpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase=correct horse\n";
        assert_eq!(home.lines().as_deref(), Some(expected));
    }

    #[test]
    fn a_passphrase_cannot_bring_lines_of_its_own() {
        let home = setup(b"home".to_vec(), "correct\nwpa=0", Auth::Wpa2Psk);
        assert_eq!(home.lines(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            ssid in prop::collection::vec(any::<u8>(), 0..=32),
            passphrase in "[ -~]{8,64}",
            auth in prop::sample::select(vec![
                Auth::Open, Auth::WpaPsk, Auth::Wpa2Psk, Auth::WpaWpa2Psk, Auth::Wpa2Wpa3Psk,
                Auth::Wpa3Psk, Auth::Wpa2Enterprise,
            ]),
            hidden: bool,
            channel in prop::option::of(1_u8..=13),
        ) {
            let passphrase = if auth == Auth::Open { String::new() } else { passphrase };
            let setup = Setup { hidden, channel, ..setup(ssid, &passphrase, auth) };
            let lines = setup.lines().expect("it can be written");
            prop_assert_eq!(Setup::read(&lines), Ok(setup));
        }

        #[test]
        fn no_text_breaks_the_reading(text in ".{0,200}") {
            let _ = Setup::read(&text);
        }
    }
}
