//! Topics of the Linkkit cloud.

use super::registry::Key;

/// What a device may have to say on a topic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It reports its token.
    Match,
    /// It was reset.
    Reset,
}

/// Whose topic this is and what is said on it, if it is one of those that the cloud listens on.
///
/// The report is taken in both spellings, with and without `ts/`: an article has the former, every
/// SDK the latter.
pub(super) fn read(topic: &str) -> Option<(Key, Said)> {
    let (owner, rest) = owner(topic)?;
    let said = match rest {
        "thing/awss/enrollee/match" | "ts/thing/awss/enrollee/match" => Said::Match,
        "thing/reset" => Said::Reset,
        _ => return None,
    };
    Some((owner, said))
}

/// Whose topic this is, if it is one of a device's, and what stands behind its name.
pub(super) fn owner(topic: &str) -> Option<(Key, &str)> {
    let mut levels = topic.strip_prefix("/sys/")?.splitn(3, '/');
    let (product_key, device_name) = (levels.next()?, levels.next()?);
    let rest = levels.next().unwrap_or_default();
    Some((Key::new(product_key, device_name), rest))
}

/// Where the answer to a report goes.
pub(super) fn match_reply(device: &Key) -> String {
    of(device, "thing/awss/enrollee/match_reply")
}

/// Where the answer to a reset goes.
pub(super) fn reset_reply(device: &Key) -> String {
    of(device, "thing/reset_reply")
}

fn of(device: &Key, rest: &str) -> String {
    let Key {
        product_key,
        device_name,
    } = device;
    format!("/sys/{product_key}/{device_name}/{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_reports() {
        let lamp = Key::new("pk", "lamp");
        for (topic, expected) in [
            ("/sys/pk/lamp/thing/awss/enrollee/match", Some(Said::Match)),
            (
                "/sys/pk/lamp/ts/thing/awss/enrollee/match",
                Some(Said::Match),
            ),
            ("/sys/pk/lamp/thing/reset", Some(Said::Reset)),
            ("/sys/pk/lamp/thing/awss/enrollee/match_reply", None),
            ("/sys/pk/lamp", None),
            ("sys/pk/lamp/thing/reset", None),
            ("/sys/pk", None),
        ] {
            let read = read(topic);
            assert_eq!(read, expected.map(|said| (lamp.clone(), said)), "{topic}");
        }
    }
}
