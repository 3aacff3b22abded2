//! Who has reported which token, and who has bound what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use clock::LabTime;

use super::codes;
use super::padding::unpadded_text;

/// What a product lets its devices' owners do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a token can be used after its (last) report; for ever if left out. The documents
    /// know of an end only on the device.
    pub token_life: Option<Duration>,
    /// Whether a device can belong to several accounts, each with a token of its own.
    pub several_accounts: bool,
    /// Whether a report makes the device's earlier tokens void. Devices that answer queries report
    /// the next token as soon as they have given one away, so this must not be set for them.
    pub last_token_only: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            token_life: None,
            several_accounts: true,
            last_token_only: false,
        }
    }
}

/// Product key and device name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) product_key: String,
    pub(super) device_name: String,
}

impl Key {
    /// Without the NULs that pad names to a fixed length.
    pub(super) fn new(product_key: &str, device_name: &str) -> Self {
        Self {
            product_key: unpadded_text(product_key).to_owned(),
            device_name: unpadded_text(device_name).to_owned(),
        }
    }
}

/// Tokens and owners.
#[derive(Debug, Default)]
pub(super) struct Registry {
    owners: BTreeMap<Key, BTreeSet<String>>,
    last: BTreeMap<Key, String>,
    tokens: HashMap<String, Token>,
}

#[derive(Debug)]
struct Token {
    device: Key,
    reported: LabTime,
    used_by: Option<String>,
}

impl Registry {
    pub(super) fn new(devices: impl IntoIterator<Item = Key>) -> Self {
        Self {
            owners: devices
                .into_iter()
                .map(|key| (key, BTreeSet::new()))
                .collect(),
            ..Self::default()
        }
    }

    /// `device` says that it has `token`. A report that is repeated makes its life begin again and
    /// does not make it unused.
    pub(super) fn report(&mut self, device: &Key, token: &str, now: LabTime) {
        let used_by = self
            .tokens
            .remove(token)
            .filter(|known| known.device == *device)
            .and_then(|known| known.used_by);
        let entry = Token {
            device: device.clone(),
            reported: now,
            used_by,
        };
        self.tokens.insert(token.to_owned(), entry);
        self.last.insert(device.clone(), token.to_owned());
    }

    /// Whether `device` has reported `token`: a code of [`codes`].
    pub(super) fn check(&self, device: &Key, token: &str) -> i64 {
        match self.find(device, token) {
            Ok(_) => codes::OK,
            Err(code) => code,
        }
    }

    /// Binds `device` to `account` by `token`, if that can be: a code of [`codes`].
    pub(super) fn bind(
        &mut self,
        rules: &Rules,
        account: &str,
        device: &Key,
        token: &str,
        now: LabTime,
    ) -> i64 {
        let known = match self.find(device, token) {
            Ok(known) => known,
            Err(code) => return code,
        };
        match known.used_by.as_deref() {
            Some(same) if same == account => return codes::TOKEN_USED_BY_SAME,
            Some(_) => return codes::TOKEN_USED,
            None => {}
        }
        if rules.last_token_only && self.last.get(device).is_none_or(|last| last != token) {
            return codes::TOKEN_MISMATCHED;
        }
        let age = now.since(known.reported);
        if rules.token_life.is_some_and(|life| age > life) {
            return codes::TOKEN_EXPIRED;
        }
        let Some(owners) = self.owners.get_mut(device) else {
            return codes::DEVICE_NOT_FOUND;
        };
        if !rules.several_accounts && owners.iter().any(|owner| owner != account) {
            return codes::FORBIDDEN;
        }
        owners.insert(account.to_owned());
        if let Some(known) = self.tokens.get_mut(token) {
            known.used_by = Some(account.to_owned());
        }
        codes::OK
    }

    /// `device` was reset: it belongs to no account, and its tokens are void.
    pub(super) fn reset(&mut self, device: &Key) {
        if let Some(owners) = self.owners.get_mut(device) {
            owners.clear();
        }
        self.tokens.retain(|_, token| token.device != *device);
        self.last.remove(device);
    }

    /// The accounts that `device` belongs to.
    pub(super) fn owners(&self, device: &Key) -> Vec<String> {
        self.owners
            .get(device)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    fn find(&self, device: &Key, token: &str) -> Result<&Token, i64> {
        if !self.owners.contains_key(device) {
            let product = self
                .owners
                .keys()
                .any(|known| known.product_key == device.product_key);
            return Err(match product {
                true => codes::DEVICE_NOT_FOUND,
                false => codes::PRODUCT_NOT_FOUND,
            });
        }
        let known = self.tokens.get(token).ok_or(codes::TOKEN_UNKNOWN)?;
        if known.device != *device {
            return Err(codes::TOKEN_MISMATCHED);
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp() -> Key {
        Key::new("pk", "lamp")
    }

    fn registry() -> Registry {
        Registry::new([lamp(), Key::new("pk", "fan")])
    }

    fn at(secs: u64) -> LabTime {
        LabTime::from_secs(secs)
    }

    #[test]
    fn a_token_binds_once() {
        let mut registry = registry();
        let rules = Rules::default();
        registry.report(&lamp(), "T", at(0));
        let mut bind = |account| registry.bind(&rules, account, &lamp(), "T", at(1));
        assert_eq!(bind("alice"), codes::OK);
        assert_eq!(bind("mallory"), codes::TOKEN_USED);
        assert_eq!(bind("alice"), codes::TOKEN_USED_BY_SAME);
        assert_eq!(registry.owners(&lamp()), ["alice"]);
    }

    #[test]
    fn a_used_token_that_is_reported_again_stays_used() {
        let mut registry = registry();
        let rules = Rules::default();
        registry.report(&lamp(), "T", at(0));
        assert_eq!(registry.bind(&rules, "a", &lamp(), "T", at(1)), codes::OK);
        registry.report(&lamp(), "T", at(2));
        assert_eq!(
            registry.bind(&rules, "b", &lamp(), "T", at(3)),
            codes::TOKEN_USED
        );
    }

    #[test]
    fn several_accounts_bind_each_with_its_own_token_if_the_product_lets_them() {
        for (several_accounts, expected) in [(true, codes::OK), (false, codes::FORBIDDEN)] {
            let mut registry = registry();
            let rules = Rules {
                several_accounts,
                ..Rules::default()
            };
            registry.report(&lamp(), "A", at(0));
            registry.report(&lamp(), "B", at(0));
            assert_eq!(registry.bind(&rules, "a", &lamp(), "A", at(1)), codes::OK);
            assert_eq!(registry.bind(&rules, "b", &lamp(), "B", at(1)), expected);
        }
    }

    #[test]
    fn what_is_wrong_with_a_token_is_told_apart() {
        let mut registry = registry();
        registry.report(&lamp(), "T", at(0));
        registry.report(&Key::new("pk", "fan"), "F", at(0));
        let rules = Rules {
            token_life: Some(Duration::from_secs(45)),
            ..Rules::default()
        };
        for (device, token, now, expected) in [
            (Key::new("other", "lamp"), "T", 1, codes::PRODUCT_NOT_FOUND),
            (Key::new("pk", "other"), "T", 1, codes::DEVICE_NOT_FOUND),
            (lamp(), "X", 1, codes::TOKEN_UNKNOWN),
            (lamp(), "F", 1, codes::TOKEN_MISMATCHED),
            (lamp(), "T", 46, codes::TOKEN_EXPIRED),
            (lamp(), "T", 45, codes::OK),
        ] {
            let code = registry.bind(&rules, "alice", &device, token, at(now));
            assert_eq!(code, expected, "{device:?} {token} at {now} s");
        }
    }

    #[test]
    fn only_the_last_token_counts_where_the_product_says_so() {
        let mut registry = registry();
        registry.report(&lamp(), "A", at(0));
        registry.report(&lamp(), "B", at(0));
        let rules = Rules {
            last_token_only: true,
            ..Rules::default()
        };
        assert_eq!(
            registry.bind(&rules, "a", &lamp(), "A", at(1)),
            codes::TOKEN_MISMATCHED
        );
        assert_eq!(registry.bind(&rules, "a", &lamp(), "B", at(1)), codes::OK);
    }

    #[test]
    fn a_reset_frees_the_device_and_voids_its_tokens() {
        let mut registry = registry();
        let rules = Rules::default();
        registry.report(&lamp(), "T", at(0));
        registry.report(&lamp(), "U", at(0));
        assert_eq!(registry.bind(&rules, "a", &lamp(), "T", at(1)), codes::OK);
        registry.reset(&lamp());
        assert_eq!(registry.owners(&lamp()), [""; 0]);
        assert_eq!(registry.check(&lamp(), "U"), codes::TOKEN_UNKNOWN);
    }
}
