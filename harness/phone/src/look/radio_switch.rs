//! Radios that the kernel keeps switched off (rfkill).

use std::fs;
use std::path::Path;

/// What keeps a radio off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Nothing.
    No,
    /// The software, which can let it go.
    Soft,
    /// A switch or key of the machine.
    Hard,
}

/// What keeps the radio of `device` off, an adapter such as `hci0` or an interface such as `wlan1`, by the
/// sysfs at `sys`. None if the kernel has no switch for it.
pub fn radio_switch(sys: &Path, device: &str) -> Option<Blocked> {
    let places = [
        sys.join("class/bluetooth").join(device),
        sys.join("class/net").join(device).join("phy80211"),
    ];
    let mut found = None;
    for place in places {
        let Ok(entries) = fs::read_dir(place) else {
            continue;
        };
        for entry in entries.flatten() {
            let is_switch = entry.file_name().to_string_lossy().starts_with("rfkill");
            if !is_switch {
                continue;
            }
            let is_on = |file: &str| {
                let text = fs::read_to_string(entry.path().join(file));
                text.is_ok_and(|text| text.trim() == "1")
            };
            if is_on("hard") {
                return Some(Blocked::Hard);
            }
            let so = if is_on("soft") {
                Blocked::Soft
            } else {
                Blocked::No
            };
            found = Some(match found {
                Some(Blocked::Soft) => Blocked::Soft,
                _ => so,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radio_is_kept_off_by_either_of_its_switches() {
        let folder = tempfile::tempdir().expect("a folder");
        let sys = folder.path();
        for (switch, soft, hard) in [
            ("class/bluetooth/hci0/rfkill0", "0", "0"),
            ("class/bluetooth/hci1/rfkill1", "1", "0"),
            ("class/net/wlan1/phy80211/rfkill2", "1", "1"),
        ] {
            let folder = sys.join(switch);
            fs::create_dir_all(&folder).expect("ours");
            fs::write(folder.join("soft"), format!("{soft}\n")).expect("ours");
            fs::write(folder.join("hard"), format!("{hard}\n")).expect("ours");
        }
        assert_eq!(radio_switch(sys, "hci0"), Some(Blocked::No));
        assert_eq!(radio_switch(sys, "hci1"), Some(Blocked::Soft));
        assert_eq!(radio_switch(sys, "wlan1"), Some(Blocked::Hard));
        assert_eq!(radio_switch(sys, "wlan2"), None);
    }
}
