//! Topic names and filters (MQTT 3.1.1 §4.7).

/// Longest topic that fits into a packet, in bytes.
const LONGEST: usize = 65_535;

/// Whether `text` may be published to.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.contains(['+', '#', '\0'])
}

/// Whether `text` may be subscribed to.
pub fn is_filter(text: &str) -> bool {
    if text.is_empty() || text.len() > LONGEST || text.contains('\0') {
        return false;
    }
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        let alone = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            other => !other.contains(['+', '#']),
        };
        if !alone {
            return false;
        }
    }
    true
}

/// Group and filter of a shared subscription, `$share/GROUP/FILTER` (MQTT 5 §4.8.2); an error if it
/// is none that is well formed, nothing if it is no shared one.
pub(crate) fn shared(filter: &str) -> Option<Result<(&str, &str), NotShared>> {
    let rest = filter.strip_prefix("$share/")?;
    let parts = rest.split_once('/').filter(|(group, filter)| {
        !group.is_empty() && !group.contains(['+', '#']) && is_filter(filter)
    });
    Some(parts.ok_or(NotShared))
}

/// A shared subscription without a group or without a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotShared;

/// Whether a message to `name` goes to subscribers of `filter`; both must be well formed.
///
/// ```
/// assert!(cloud::matches("/sys/+/+/thing/#", "/sys/pk/dn/thing/reset"));
/// assert!(cloud::matches("sport/#", "sport"));
/// assert!(!cloud::matches("#", "$SYS/uptime"));
/// ```
pub fn matches(filter: &str, name: &str) -> bool {
    // §4.7.2: a leading wildcard does not reach the server's own topics.
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    let mut filters = filter.split('/');
    loop {
        match (filters.next(), names.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, name, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            ("sport/#", "sport", true),
            ("sport/#", "sports", false),
            ("#", "a/b", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/x", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a", "A", false),
            ("a/b", "a", false),
            ("a", "a/b", false),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} {name}");
        }
    }

    #[test]
    fn shared_subscriptions_have_a_group_and_a_filter() {
        assert_eq!(shared("a/b"), None);
        assert_eq!(shared("$share/g/a/+"), Some(Ok(("g", "a/+"))));
        for bad in [
            "$share/",
            "$share/g",
            "$share//a",
            "$share/g/",
            "$share/+/a",
            "$share/g/a#",
        ] {
            assert_eq!(shared(bad), Some(Err(NotShared)), "{bad}");
        }
    }

    #[test]
    fn wildcards_stand_alone_in_their_level_and_a_hash_at_the_end() {
        for good in ["#", "+", "a/#", "+/a/+", "/", "a//b", "$share/g/a", " "] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "a/#/b", "a#", "#/", "a+", "a/+b", "a\0b"] {
            assert!(!is_filter(bad), "{bad}");
        }
        for bad in ["", "a/+", "#", "\0"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name("/") && is_name("$SYS") && is_name("a b"));
    }
}
