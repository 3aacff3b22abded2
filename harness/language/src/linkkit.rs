//! Linkkit in a scenario: what its cloud and the devices agree on.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;

/// The Linkkit fake, and what devices and cloud agree on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linkkit {
    /// Which version's numbers and spellings.
    #[serde(default)]
    pub profile: Profile,
    /// How long after its report the cloud takes a token for a bind; without it, for ever.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub token_life: Option<Duration>,
    /// Whether the product lets a device belong to several accounts, each by a token of its own.
    #[serde(default = "several_accounts")]
    pub several_accounts: bool,
    /// Whether a token counts only until the device reports its next one. A device that is asked for its
    /// token reports the next one at once, so that what it has told is void by then.
    #[serde(default)]
    pub last_token_only: bool,
    /// Whether devices answer a phone that asks while they have no token with code 400, as those of SDK 3.2.0
    /// do, and not by silence.
    #[serde(default)]
    pub no_token_is_said: bool,
}

fn several_accounts() -> bool {
    true
}

impl Default for Linkkit {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            token_life: None,
            several_accounts: several_accounts(),
            last_token_only: false,
            no_token_is_said: false,
        }
    }
}

/// A version of the Linkkit SDK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Profile {
    /// The article of 2019-05-31.
    #[default]
    #[serde(rename = "seed-2019")]
    Seed2019,
    /// SDK 2.3.0.
    #[serde(rename = "sdk-2.3.0")]
    Sdk230,
    /// SDK 3.0.1.
    #[serde(rename = "sdk-3.0.1")]
    Sdk301,
}
