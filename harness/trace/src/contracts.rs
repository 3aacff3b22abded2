//! Events about contracts: rules on the device that are always on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Payload, Source};

/// A contract was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractBroken {
    /// The contract's id.
    pub contract: String,
    /// The rule in one sentence.
    pub says: String,
    /// Where the rule stands.
    pub rule_source: String,
    /// What was seen instead.
    pub seen: String,
    /// The events that show it, by `seq`.
    pub events: Vec<u64>,
    /// Why the scenario excepts it, if it does; then it fails nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<String>,
}

impl Payload for ContractBroken {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "contract_broken";
}

/// How all contracts stand at the end of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractsJudged {
    /// Times that each contract was exercised, by id; those that were not are left out.
    pub exercised: BTreeMap<String, u64>,
}

impl Payload for ContractsJudged {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "contracts_judged";
}
