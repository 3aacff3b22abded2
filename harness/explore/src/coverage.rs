//! What walks have been through, and what they have not.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::State;
use crate::walk::Walk;

/// States, transitions and contracts, with how often walks were there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By name of the state.
    pub states: BTreeMap<String, u64>,
    /// By state, kind of action and state.
    pub transitions: BTreeMap<(String, String, String), u64>,
    /// Times that each contract was exercised, by id.
    pub contracts: BTreeMap<String, u64>,
}

impl Coverage {
    /// Adds what `walk` goes through up to the action at `last`; whether any of it is new.
    pub fn add(&mut self, walk: &Walk, last: usize) -> bool {
        let mut is_new = false;
        let mut state = State::fresh();
        for action in walk.actions.iter().take(last + 1) {
            let Some(taken) = state.take(&walk.setting, action) else {
                break;
            };
            let (from, to) = (state.name(), taken.state.name());
            let times = self.states.entry(to.clone()).or_default();
            is_new |= *times == 0;
            *times += 1;
            let name = match action {
                crate::action::Action::Break(_) | crate::action::Action::Mend(_) => {
                    action.to_string()
                }
                _ => action.kind().to_owned(),
            };
            let times = self.transitions.entry((from, name, to)).or_default();
            is_new |= *times == 0;
            *times += 1;
            state = taken.state;
        }
        is_new
    }

    /// What the model can come to, by so many walks that nobody runs.
    pub fn of_model(walks: u64) -> Self {
        let mut all = Self::default();
        for index in 0..walks {
            let walk = Walk::drawn(0, index);
            all.add(&walk, walk.actions.len());
        }
        all
    }

    /// Adds what another has been through.
    pub fn merge(&mut self, other: &Self) {
        for (state, times) in &other.states {
            *self.states.entry(state.clone()).or_default() += times;
        }
        for (transition, times) in &other.transitions {
            *self.transitions.entry(transition.clone()).or_default() += times;
        }
    }

    /// States that the model can come to, and no walk has.
    pub fn missing_states<'m>(&self, model: &'m Self) -> BTreeSet<&'m str> {
        let all = model.states.keys().map(String::as_str);
        all.filter(|state| !self.states.contains_key(*state))
            .collect()
    }

    /// Transitions that the model can take, and no walk has.
    pub fn missing_transitions<'m>(
        &self,
        model: &'m Self,
    ) -> BTreeSet<&'m (String, String, String)> {
        let all = model.transitions.keys();
        all.filter(|transition| !self.transitions.contains_key(*transition))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_walk_has_been_to_is_missing() {
        let model = Coverage::of_model(50);
        let mut walked = Coverage::default();
        let walk = Walk::drawn(0, 0);
        assert!(walked.add(&walk, walk.actions.len()));
        assert!(!walked.add(&walk, walk.actions.len()));
        let missing = walked.missing_states(&model);
        assert_eq!(missing.len(), model.states.len() - walked.states.len());
        assert!(model.missing_states(&model).is_empty());
    }
}
