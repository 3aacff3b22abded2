//! Walks: a setting and what is done in it, drawn from a seed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Breakage, Credentials, Network, Phone, ScanKind, Time, Until};
use crate::chance::Chance;
use crate::model::{Session, State};
use crate::setting::Setting;

/// Fewest and most actions that are drawn.
const LENGTH: (u64, u64) = (3, 18);

/// A setting, and what is done in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// What the device is, and what stands around it.
    pub setting: Setting,
    /// In this order.
    pub actions: Vec<Action>,
}

impl Walk {
    /// The `index`th walk of `seed`: always the same.
    pub fn drawn(seed: u64, index: u64) -> Self {
        let mut chance = Chance::part(seed, index);
        let setting = Setting::drawn(&mut chance);
        Self::drawn_on(setting, Vec::new(), &mut chance)
    }

    /// A walk that goes on after `begun`, all of which can be taken in `setting`.
    pub fn drawn_on(setting: Setting, begun: Vec<Action>, chance: &mut Chance) -> Self {
        let mut walk = Self {
            setting,
            actions: begun,
        };
        let all = allowed(chance);
        let mut state = walk.end().unwrap_or_else(State::fresh);
        let length = LENGTH.0 + chance.below(LENGTH.1 - LENGTH.0 + 1);
        for _ in 0..length {
            let choices: Vec<(u64, Action)> = all
                .iter()
                .map(|action| (weight(action, &state), *action))
                .filter(|(weight, _)| *weight > 0)
                .filter(|(_, action)| state.take(&walk.setting, action).is_some())
                .collect();
            let Some(action) = chance.weighted(&choices).copied() else {
                break;
            };
            walk.push(&mut state, action);
        }
        if chance.percent(70) {
            walk.converge(&mut state);
        }
        walk
    }

    /// At the end all faults are mended: a device has to come back by itself (VOPR's liveness).
    fn converge(&mut self, state: &mut State) {
        self.push(state, Action::PowerOn);
        self.push(state, Action::Wait(Time::Long));
        self.push(state, Action::Leave(Phone::Alice));
        self.push(state, Action::Leave(Phone::Bob));
        for breakage in Breakage::ALL {
            self.push(state, Action::Mend(breakage));
        }
        self.push(state, Action::CloudLives);
    }

    /// Takes `action`, if it can be taken.
    fn push(&mut self, state: &mut State, action: Action) {
        if let Some(taken) = state.take(&self.setting, &action) {
            *state = taken.state;
            self.actions.push(action);
        }
    }

    /// What is true at its end; none if it cannot be walked.
    pub fn end(&self) -> Option<State> {
        let mut state = State::fresh();
        for action in &self.actions {
            state = state.take(&self.setting, action)?.state;
        }
        Some(state)
    }

    /// The same walk without what cannot be taken.
    #[must_use]
    pub fn repaired(&self) -> Self {
        let mut walk = Self {
            setting: self.setting.clone(),
            actions: Vec::new(),
        };
        let mut state = State::fresh();
        for action in &self.actions {
            walk.push(&mut state, *action);
        }
        walk
    }

    /// The same walk without the actions at these places, nor those that cannot be taken then.
    #[must_use]
    pub fn without(&self, places: &BTreeSet<usize>) -> Self {
        let mut rest = Self {
            setting: self.setting.clone(),
            actions: Vec::new(),
        };
        for (place, action) in self.actions.iter().enumerate() {
            if !places.contains(&place) {
                rest.actions.push(*action);
            }
        }
        rest.repaired()
    }
}

/// Swarm testing: each walk does without some kinds of actions and most faults, because some hide what
/// others would show (Groce et al., ISSTA 2012).
fn allowed(chance: &mut Chance) -> Vec<Action> {
    let mut left_out = BTreeSet::new();
    let mut all = Action::all();
    for action in &all {
        let is_needed = matches!(
            action,
            Action::PowerOn
                | Action::Mend(_)
                | Action::Leave(_)
                | Action::Provision(_, Credentials::Right(_), Until::End)
        );
        let percent = match action {
            _ if is_needed => 0,
            Action::Break(Breakage::MatchNever) => 75,
            Action::Break(_) => 65,
            _ => 30,
        };
        if chance.percent(percent) {
            left_out.insert(*action);
        }
    }
    all.retain(|action| !left_out.contains(action));
    all
}

/// How likely an action is, against others that can be taken.
fn weight(action: &Action, state: &State) -> u64 {
    use Credentials::{NoSuchNetwork, Right, WrongPassphrase};
    let of_phone = |phone: &Phone, weight: u64| match phone {
        Phone::Alice => weight * 3,
        Phone::Bob => weight,
    };
    match action {
        Action::FillStorage => 4,
        Action::PowerOn => 60,
        Action::PowerOff => 3,
        Action::Reset => 8,
        Action::FactoryReset => 8,
        Action::Provision(phone, credentials, until) => {
            let by_credentials = match credentials {
                Right(Network::Home) => 6,
                Right(Network::Office) => 2,
                WrongPassphrase(_) | NoSuchNetwork => 2,
            };
            let by_until = match until {
                Until::End => 3,
                Until::Apply | Until::Session => 2,
                Until::Set | Until::EndAndStay => 1,
            };
            // What a phone alone still believes is seen only if it asks.
            let lost = match state.session(*phone) {
                Session::Lost => 8,
                _ => 1,
            };
            of_phone(phone, by_credentials * by_until * lost)
        }
        Action::WrongSecret(phone) => of_phone(phone, 4),
        Action::StrangerLooks => 12,
        Action::ReadVersion(phone) => of_phone(phone, 4),
        Action::Leave(phone) if state.session(*phone) == Session::Open => of_phone(phone, 4),
        Action::Leave(phone) => of_phone(phone, 12),
        Action::Reconnect(_) => 12,
        Action::Scan(ScanKind::InGroups | ScanKind::PastTheEnd) => 6,
        Action::Scan(_) => 8,
        Action::Control(_) => 16,
        Action::Custom { .. } => 10,
        Action::Crowd => 5,
        Action::Noise | Action::OtherSession => 20,
        // Before a device is in its network, there is little time for it.
        Action::Break(Breakage::MatchNever) => 30,
        Action::Break(_) => 6,
        Action::Mend(_) => 20,
        Action::Once(_) => 8,
        Action::Wait(_) => 10,
        Action::Query(phone, _) => of_phone(phone, 5),
        Action::Bind(phone) => of_phone(phone, 14),
        Action::Browse { .. } => 24,
        Action::CloudLives => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_walks_each_time() {
        for index in 0..200 {
            assert_eq!(Walk::drawn(7, index), Walk::drawn(7, index));
        }
        assert_ne!(Walk::drawn(7, 0), Walk::drawn(8, 0));
    }

    #[test]
    fn what_was_drawn_can_be_walked() {
        for index in 0..2000 {
            let walk = Walk::drawn(1, index);
            assert!(walk.end().is_some(), "{walk:?}");
            assert_eq!(walk, walk.repaired());
        }
    }

    #[test]
    fn what_is_left_of_a_walk_can_be_walked() {
        for index in 0..300 {
            let walk = Walk::drawn(3, index);
            for place in 0..walk.actions.len() {
                let rest = walk.without(&BTreeSet::from([place]));
                assert!(rest.end().is_some());
                assert!(rest.actions.len() < walk.actions.len());
            }
        }
    }
}
