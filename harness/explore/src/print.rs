//! Walks as scenarios.

use std::fmt::Write;

use crate::action::Action;
use crate::model::State;
use crate::walk::Walk;

/// A walk as a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The whole file.
    pub yaml: String,
    /// For each step, which action it is of, by its place, and what it checks.
    pub steps: Vec<(usize, String)>,
}

/// Everybody who has a phone, in the order of the world.
const PHONES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// `walk` as a scenario of this name, with these lines of comment above it; none if it cannot be walked.
pub fn print(walk: &Walk, name: &str, comment: &[String]) -> Option<Printed> {
    let mut state = State::fresh();
    let mut lines = String::new();
    let mut steps = Vec::new();
    let mut is_noisy = false;
    for (place, action) in walk.actions.iter().enumerate() {
        let taken = state.take(&walk.setting, action)?;
        is_noisy |= taken.is_noisy;
        for step in taken.steps {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "  - {}", step.yaml);
            steps.push((place, step.checks));
        }
        state = taken.state;
    }
    let phones: Vec<&str> = PHONES
        .into_iter()
        .filter(|phone| *phone == "alice" || mentions(&lines, phone))
        .collect();
    let mut yaml = String::new();
    for line in comment {
        let _ = writeln!(yaml, "# {line}");
    }
    let _ = writeln!(yaml, "name: \"{}\"", name.replace(['"', '\\'], "'"));
    yaml.push_str("tags: [explored]\n");
    yaml.push_str(&walk.setting.world(&phones));
    yaml.push_str("steps:\n");
    yaml.push_str(&lines);
    if !is_noisy {
        yaml.push_str("never:\n  - { log: { level: error } }\n");
    }
    Some(Printed { yaml, steps })
}

/// Whether a step names this phone.
fn mentions(lines: &str, phone: &str) -> bool {
    ["phone: ", "by: ", "to: "]
        .iter()
        .any(|key| lines.contains(&format!("{key}{phone}")))
}

/// What failed, in a few words that are the same whenever the same thing fails.
pub fn signature(walk: &Walk, printed: &Printed, failure: &trace::Failure) -> String {
    let step = failure
        .step
        .and_then(|step| printed.steps.get(step.checked_sub(1)?));
    match step {
        Some((place, checks)) => {
            let action = walk.actions.get(*place).map_or("", Action::kind);
            format!("{action}: {checks}")
        }
        None => failure.label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use language::parse;

    use super::*;

    #[test]
    fn every_walk_is_a_scenario_without_mistakes() {
        let known = language::known().expect("built in");
        for index in 0..3000 {
            let walk = Walk::drawn(11, index);
            let printed = print(&walk, "a walk", &[]).expect("it can be walked");
            let cases = parse("walk.yaml", &printed.yaml, &known);
            let cases =
                cases.unwrap_or_else(|error| panic!("walk {index}: {:?}\n{}", error, printed.yaml));
            assert_eq!(cases[0].scenario.steps.len(), printed.steps.len());
        }
    }
}
