//! What the device says of itself, beside what others saw.

use serde::Serialize;

/// A sentence of the engine, taken apart.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Claim {
    /// What the device says.
    claims: String,
    /// Who saw it, such as `the air`.
    witness: Option<String>,
    /// What was seen.
    saw: Option<String>,
}

/// The claim in a failure's message, if there is one: `…the device says: X; the air saw: Y`.
pub(super) fn of(message: &str) -> Option<Claim> {
    const SAYS: &str = "the device says: ";
    const SAW: &str = " saw: ";
    let after = &message[message.find(SAYS)? + SAYS.len()..];
    // The last one: what the device says may hold the same words.
    let seen = after.rmatch_indices("; the ").find_map(|(at, _)| {
        let (witness, saw) = after[at + 2..].split_once(SAW)?;
        (witness.len() < 24).then(|| (at, witness.to_owned(), saw.to_owned()))
    });
    Some(match seen {
        Some((at, witness, saw)) => Claim {
            claims: after[..at].to_owned(),
            witness: Some(witness),
            saw: Some(saw),
        },
        None => Claim {
            claims: after.to_owned(),
            witness: None,
            saw: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_told_from_what_was_seen() {
        let message = "alice wanted provisioning to end with NetworkNotFound; the device says: \
                       wrong passphrase; the air saw: no such access point (reason 201)";
        let claim = of(message).expect("there is one");
        assert_eq!(claim.claims, "wrong passphrase");
        assert_eq!(claim.witness.as_deref(), Some("the air"));
        assert_eq!(
            claim.saw.as_deref(),
            Some("no such access point (reason 201)")
        );
        let alone = of("x; the device says: y; z").expect("there is one");
        assert_eq!((alone.claims.as_str(), alone.saw), ("y; z", None));
        assert_eq!(of("nothing came within 5 s"), None);
    }
}
