//! Replies that refuse something, and the lines beside them that tell what: a claim, or the token of an
//! activation.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::replies::is_of_account;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Certainty};

/// The rule on a reply of which its own words tell no more.
pub const REPLY_REFUSES: &str = "reply-refuses";
/// The rule on a reply that refuses the account.
const ACCOUNT: &str = "reply-refuses-account";
/// The rule on a token that is too old.
const TOKEN: &str = "binding-token-expired";
/// Lines before and behind a reply that tell what it is about.
const NEAR: u64 = 3;
/// A request or a failure of an activation.
static ACTIVATES: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:\b|_|\.)(?:activat\w*|(?:device|dev|gw|gateway|http_gw)[._ ]active|bind(?:ing)?|enrol\w*|register|registration|onboard\w*|netcfg|aktivier\w*|registrier\w*|activaci\S+|vincula\w*)(?:\b|_)|\xE6\xBF\x80\xE6\xB4\xBB|\xE7\xBB\x91\xE5\xAE\x9A",
    )
});
/// A token that is too old, in the words of a reply.
static EXPIRED: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:token|ticket|bind ?code|pair(?:ing)? ?code|activation ?code|kopplungs?-?code|c\S{1,2}digo)\w*\b[^\n]{0,24}\b(?:expired?|too old|timed? ?out|abgelaufen|caducad[oa]|vencid[oa]|expir\S+)|\bEXPIRED?\b[^\n]{0,40}\btoken\b|\btoken_?expired?\b|token ?\S{0,6}\xE8\xBF\x87\xE6\x9C\x9F",
    )
});
/// A token of a login, which has no part in the binding.
static OF_LOGIN: LazyLock<Regex> = LazyLock::new(|| {
    words(r"(?i)\b(?:access|refresh|oauth\w*|jwt|bearer|sas|session|id)[ _-]?token\b")
});

/// What a line tells that may stand beside a reply.
#[derive(Clone, Copy, Debug)]
struct Near {
    line: u64,
    is_of_account: bool,
    activates: bool,
}

impl Near {
    fn of(line: u64, text: &str) -> Self {
        Self {
            line,
            is_of_account: is_of_account(text),
            activates: ACTIVATES.is_match(text.as_bytes()),
        }
    }
}

/// The first reply, and the lines beside it.
#[derive(Debug, Default)]
pub struct Beside {
    kept: Option<(u64, Vec<Near>)>,
}

impl Beside {
    /// Takes a line, which may be a reply that refuses something, with those before it, the last one first.
    pub fn take<'t>(
        &mut self,
        line: u64,
        text: &'t str,
        is_reply: bool,
        before: impl Iterator<Item = (u64, &'t str)>,
    ) {
        match &mut self.kept {
            Some((reply, kept)) if line <= *reply + NEAR => kept.push(Near::of(line, text)),
            None if is_reply => {
                let before = before.take_while(|(before, _)| *before + NEAR >= line);
                let near = before.chain([(line, text)]);
                let near = near.map(|(line, text)| Near::of(line, text)).collect();
                self.kept = Some((line, near));
            }
            _ => {}
        }
    }

    /// What a reply refuses by the lines beside it.
    pub fn explain(&self, cause: &Cause) -> Option<Cause> {
        let (reply, kept) = self.kept.as_ref()?;
        let first = cause
            .evidence
            .first()
            .filter(|_| cause.id == REPLY_REFUSES)?;
        if first.line != *reply {
            return None;
        }
        let text = first.text.as_bytes();
        let is_token = EXPIRED.is_match(text) && !OF_LOGIN.is_match(text);
        if is_token && kept.iter().any(|near| near.activates || near.is_of_account) {
            return Some(told(rules().named(TOKEN)?, vec![first.clone()]));
        }
        let is_before = |near: &Near| near.line < *reply;
        let of_account = kept
            .iter()
            .filter(|near| near.is_of_account)
            .min_by_key(|near| near.line)?;
        let mut cause = told(rules().named(ACCOUNT)?, vec![first.clone()]);
        if !is_before(of_account) {
            cause.certainty = Certainty::Possible;
        }
        Some(cause)
    }
}

#[cfg(test)]
mod tests {
    use crate::Log;

    fn cause(lines: &[&str]) -> Option<String> {
        let mut log = Log::new("example");
        lines.iter().for_each(|line| log.line(line.as_bytes()));
        log.end().causes.into_iter().next().map(|cause| cause.id)
    }

    #[test]
    fn what_stands_beside_a_reply_tells_what_it_refuses() {
        let refused = r#"cloud: reply {"code":4093,"message":"not allowed"}"#;
        let expired = r#"cloud: reply {"success":false,"errorMsg":"token expired"}"#;
        for (beside, reply, id) in [
            (
                "cloud: POST /d?a=device.active",
                expired,
                "binding-token-expired",
            ),
            ("cloud: claim by user 17", refused, "reply-refuses-account"),
            ("cloud: sync", refused, "reply-refuses"),
            ("cloud: refresh", expired, "reply-refuses"),
        ] {
            assert_eq!(cause(&[beside, reply]).as_deref(), Some(id), "{beside}");
        }
        let far = ["cloud: claim by user 17", "a", "b", "c", refused];
        assert_eq!(cause(&far).as_deref(), Some("reply-refuses"));
    }
}
