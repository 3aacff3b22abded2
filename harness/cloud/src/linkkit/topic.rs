//! Topics of the Linkkit cloud.

use super::registry::Key;

/// What a device may have to say on a topic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It reports its token.
    Match,
    /// It was reset.
    Reset,
    /// It posts its properties, or another event of its thing model.
    Event,
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
        _ if is_event(rest) => Said::Event,
        _ => return None,
    };
    Some((owner, said))
}

/// Whether `topic` is a device's in the spelling with `ts/`.
pub(super) fn is_with_ts(topic: &str) -> bool {
    owner(topic).is_some_and(|(_, rest)| rest.starts_with("ts/"))
}

/// Whose topic this is, if it is one of a device's, and what stands behind its name.
pub(super) fn owner(topic: &str) -> Option<(Key, &str)> {
    let mut levels = topic.strip_prefix("/sys/")?.splitn(3, '/');
    let (product_key, device_name) = (levels.next()?, levels.next()?);
    let rest = levels.next().unwrap_or_default();
    Some((Key::new(product_key, device_name), rest))
}

/// Whether `rest` is `thing/event/NAME/post`.
fn is_event(rest: &str) -> bool {
    let name = rest.strip_prefix("thing/event/");
    let name = name.and_then(|rest| rest.strip_suffix("/post"));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// Filters for all that this cloud says to a device.
pub(super) fn answers(device: &Key) -> [String; 3] {
    [
        match_reply(device),
        reset_reply(device),
        of(device, "thing/event/+/post_reply"),
    ]
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
    fn what_a_device_says_is_known_by_its_topic() {
        let lamp = Key::new("pk", "lamp");
        for (topic, expected) in [
            ("/sys/pk/lamp/thing/awss/enrollee/match", Some(Said::Match)),
            (
                "/sys/pk/lamp/ts/thing/awss/enrollee/match",
                Some(Said::Match),
            ),
            ("/sys/pk/lamp/thing/reset", Some(Said::Reset)),
            ("/sys/pk/lamp/thing/event/property/post", Some(Said::Event)),
            (
                "/sys/pk/lamp/thing/event/overheated/post",
                Some(Said::Event),
            ),
            ("/sys/pk/lamp/thing/event/property/post_reply", None),
            ("/sys/pk/lamp/thing/event//post", None),
            ("/sys/pk/lamp/thing/event/a/b/post", None),
            ("/sys/pk/lamp/thing/event/post", None),
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
