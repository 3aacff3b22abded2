//! Makes a failing walk as short and as plain as it can be while it still fails alike.

use std::collections::BTreeSet;

use crate::action::{Action, Breakage, By, Credentials, Network, Phone, Time, Until};
use crate::walk::Walk;

/// What became of shrinking.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The shortest walk that failed alike.
    pub walk: Walk,
    /// How many walks were tried.
    pub tried: usize,
    /// Whether more would have been tried, had there been time.
    pub was_cut: bool,
}

/// Says of walks whether each fails alike.
pub type Fails<'f, E> = dyn FnMut(&[Walk]) -> Result<Vec<bool>, E> + 'f;

/// Shrinks `walk`.
///
/// `fails` is given some walks and says of each whether it fails alike; it answers for the first ones at
/// least up to the first that does. After `most` walks it ends.
pub fn shrink<E>(walk: &Walk, most: usize, fails: &mut Fails<'_, E>) -> Result<Shrunk, E> {
    let mut shrinker = Shrinker {
        best: walk.clone(),
        known: BTreeSet::from([key(walk)]),
        tried: 0,
        most,
        fails,
    };
    loop {
        let before = shrinker.best.clone();
        shrinker.delete()?;
        shrinker.plain_settings()?;
        shrinker.plain_actions()?;
        if shrinker.best == before || shrinker.is_over() {
            break;
        }
    }
    Ok(Shrunk {
        tried: shrinker.tried,
        was_cut: shrinker.is_over(),
        walk: shrinker.best,
    })
}

struct Shrinker<'f, 'g, E> {
    best: Walk,
    /// What was tried already.
    known: BTreeSet<String>,
    tried: usize,
    most: usize,
    fails: &'f mut Fails<'g, E>,
}

impl<E> Shrinker<'_, '_, E> {
    fn is_over(&self) -> bool {
        self.tried >= self.most
    }

    /// Takes the first of `candidates` that fails, if any does.
    fn try_all(&mut self, candidates: Vec<Walk>) -> Result<bool, E> {
        let mut fresh: Vec<Walk> = Vec::new();
        for candidate in candidates {
            if !candidate.actions.is_empty() && self.known.insert(key(&candidate)) {
                fresh.push(candidate);
            }
        }
        fresh.truncate(self.most.saturating_sub(self.tried));
        if fresh.is_empty() {
            return Ok(false);
        }
        let failed = (self.fails)(&fresh)?;
        self.tried += failed.len();
        let first = failed.iter().position(|failed| *failed);
        if let Some(walk) = first.and_then(|first| fresh.get(first)) {
            self.best = walk.clone();
        }
        Ok(first.is_some())
    }

    /// Delta debugging: halves, quarters, and so on; what belongs together goes together.
    fn delete(&mut self) -> Result<(), E> {
        let mut size = (self.best.actions.len() / 2).max(1);
        loop {
            let length = self.best.actions.len();
            let mut candidates: Vec<Walk> = (0..length)
                .step_by(size)
                .rev()
                .map(|from| {
                    let places = (from..(from + size).min(length)).collect();
                    self.best.without(&places)
                })
                .collect();
            if size == 1 {
                candidates.extend(self.groups().iter().map(|places| self.best.without(places)));
            }
            // Those that lose most come first.
            candidates.sort_by_key(|candidate| candidate.actions.len());
            let is_shorter = self.try_all(candidates)?;
            if self.is_over() || !is_shorter && size == 1 {
                return Ok(());
            }
            if !is_shorter {
                size = size.div_ceil(2);
            }
            size = size.min(self.best.actions.len().max(1));
        }
    }

    /// Places of actions that mean nothing without each other.
    fn groups(&self) -> Vec<BTreeSet<usize>> {
        let mut groups = Vec::new();
        let actions = &self.best.actions;
        for (from, action) in actions.iter().enumerate() {
            let end: Option<Action> = match action {
                Action::Break(what) => Some(Action::Mend(*what)),
                Action::PowerOff => Some(Action::PowerOn),
                _ => None,
            };
            let rest = actions.iter().enumerate().skip(from + 1);
            if let Some((to, _)) = rest.clone().find(|(_, other)| Some(**other) == end) {
                groups.push(BTreeSet::from([from, to]));
            }
            groups.extend(rest.take(3).map(|(to, _)| BTreeSet::from([from, to])));
        }
        groups
    }

    fn plain_settings(&mut self) -> Result<(), E> {
        loop {
            let candidates = self
                .best
                .setting
                .simpler()
                .into_iter()
                .map(|setting| Walk {
                    setting,
                    ..self.best.clone()
                })
                // Only what is still the same walk.
                .filter(|walk| walk.end().is_some())
                .collect();
            if !self.try_all(candidates)? || self.is_over() {
                return Ok(());
            }
        }
    }

    fn plain_actions(&mut self) -> Result<(), E> {
        loop {
            let mut candidates = Vec::new();
            for (place, action) in self.best.actions.iter().enumerate() {
                for plain in plainer(action) {
                    let mut walk = self.best.clone();
                    walk.actions[place] = plain;
                    if walk.end().is_some() {
                        candidates.push(walk);
                    }
                }
            }
            if !self.try_all(candidates)? || self.is_over() {
                return Ok(());
            }
        }
    }
}

/// What tells one walk from another.
fn key(walk: &Walk) -> String {
    format!("{walk:?}")
}

/// Actions that are a bit plainer than this one.
fn plainer(action: &Action) -> Vec<Action> {
    match *action {
        Action::Wait(Time::VeryLong) => vec![Action::Wait(Time::AWhile), Action::Wait(Time::Long)],
        Action::Wait(Time::Long) => vec![Action::Wait(Time::AWhile)],
        Action::Provision(phone, credentials, until) => {
            let mut all = Vec::new();
            if phone == Phone::Bob {
                all.push(Action::Provision(Phone::Alice, credentials, until));
            }
            if credentials != Credentials::Right(Network::Home) {
                all.push(Action::Provision(
                    phone,
                    Credentials::Right(Network::Home),
                    until,
                ));
            }
            if until == Until::EndAndStay {
                all.push(Action::Provision(phone, credentials, Until::End));
            }
            all
        }
        Action::WrongSecret(Phone::Bob) => vec![Action::WrongSecret(Phone::Alice)],
        Action::ReadVersion(Phone::Bob) => vec![Action::ReadVersion(Phone::Alice)],
        Action::Bind(Phone::Bob) => vec![Action::Bind(Phone::Alice)],
        Action::Query(phone, by) if by != By::Broadcast || phone != Phone::Alice => {
            vec![
                Action::Query(Phone::Alice, By::Broadcast),
                Action::Query(phone, By::Broadcast),
            ]
        }
        Action::FactoryReset => vec![Action::Reset],
        Action::Break(Breakage::BrokerDownLost) => vec![Action::Break(Breakage::BrokerDownKept)],
        Action::Mend(Breakage::BrokerDownLost) => vec![Action::Mend(Breakage::BrokerDownKept)],
        _ => Vec::new(),
    }
}

/// Cuts off what comes after the action at `place`.
pub fn cut(walk: &Walk, place: usize) -> Walk {
    let mut walk = walk.clone();
    walk.actions.truncate(place + 1);
    walk
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::chance::Chance;

    /// Three actions in this order make the planted failure.
    fn is_planted(walk: &Walk) -> bool {
        let mut wanted = [
            Action::Provision(
                Phone::Alice,
                Credentials::WrongPassphrase(Network::Home),
                Until::End,
            ),
            Action::FactoryReset,
        ]
        .into_iter();
        let mut next = wanted.next();
        for action in &walk.actions {
            if Some(*action) == next {
                next = wanted.next();
            }
        }
        next.is_none()
    }

    fn failing() -> Walk {
        (0..)
            .map(|index| Walk::drawn(5, index))
            .find(|walk| is_planted(walk) && walk.actions.len() > 9)
            .expect("there are walks without end")
    }

    #[test]
    fn a_planted_failure_shrinks_to_its_actions() {
        let shrunk = shrink(&failing(), 500, &mut |walks: &[Walk]| {
            Ok::<_, Infallible>(walks.iter().map(is_planted).collect())
        });
        let Ok(shrunk) = shrunk;
        // The power has to come before.
        assert_eq!(shrunk.walk.actions.len(), 3, "{:?}", shrunk.walk.actions);
        assert_eq!(shrunk.walk.setting, crate::setting::Setting::plain());
        assert!(!shrunk.was_cut);
    }

    #[test]
    fn a_failure_that_comes_in_seven_of_ten_runs_shrinks_with_few_repeats() {
        let mut chance = Chance::new(3);
        let mut runs = 0;
        let shrunk = shrink(&failing(), 60, &mut |walks: &[Walk]| {
            let mut failed = Vec::new();
            for walk in walks {
                // So often that a failure is overlooked once in a hundred times.
                let tries = (0..4).map(|_| chance.percent(70)).collect::<Vec<_>>();
                runs += 1;
                let is_it = is_planted(walk) && tries.contains(&true);
                failed.push(is_it);
                if is_it {
                    break;
                }
            }
            Ok::<_, Infallible>(failed)
        });
        let Ok(shrunk) = shrunk;
        assert!(shrunk.walk.actions.len() <= 4, "{:?}", shrunk.walk.actions);
        assert!(runs <= 60, "{runs}");
    }

    #[test]
    fn nothing_more_is_tried_than_was_allowed() {
        let mut runs = 0;
        let shrunk = shrink(&failing(), 3, &mut |walks: &[Walk]| {
            runs += walks.len();
            Ok::<_, Infallible>(walks.iter().map(is_planted).collect())
        });
        let Ok(shrunk) = shrunk;
        assert!(runs <= 3);
        assert!(shrunk.was_cut);
    }
}
