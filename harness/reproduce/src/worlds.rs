//! Worlds that cause what a diagnosis names.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use diagnose::Stage;
use serde::Deserialize;

/// A world in which something is wrong on purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Its name, unique.
    pub id: String,
    /// The rules of `diagnose` whose cause it is, the one that it shows itself by first.
    pub causes: Vec<String>,
    /// What is wrong in it, for people.
    pub because: String,
    /// A scenario but for its name.
    scenario: String,
}

impl World {
    /// The scenario, which is red as long as the device is not helped.
    pub fn scenario(&self, name: &str) -> String {
        let name: String = name
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | '_' | '-' => c,
                _ => '_',
            })
            .collect();
        format!("name: {name}\n{}", self.scenario)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    world: Vec<World>,
}

static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the file is part of the program, and tested"
    )]
    let file: File = toml::from_str(include_str!("worlds.toml")).expect("worlds.toml is sound");
    file.world
});

/// The worlds that bring these causes about, those of the first cause first; if there are none, those whose
/// first cause is of this stage.
pub fn worlds(causes: &[&str], stage: Option<Stage>) -> Vec<&'static World> {
    let mut found: Vec<&World> = Vec::new();
    for cause in causes {
        let mut of_it: Vec<(usize, &World)> = WORLDS
            .iter()
            .filter_map(|world| Some((world.causes.iter().position(|c| c == cause)?, world)))
            .collect();
        of_it.sort_by_key(|(place, _)| *place);
        for (_, world) in of_it {
            if !found.iter().any(|known| known.id == world.id) {
                found.push(world);
            }
        }
    }
    if found.is_empty() {
        let of_stage: BTreeSet<String> = diagnose::examples()
            .into_iter()
            .filter(|example| Some(example.stage) == stage && !example.milestone)
            .map(|example| example.of)
            .collect();
        let fits = |world: &&World| {
            world
                .causes
                .first()
                .is_some_and(|first| of_stage.contains(first))
        };
        found = WORLDS.iter().filter(fits).collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_of_a_world_is_a_rule_and_every_world_has_a_name_of_its_own() {
        let rules: BTreeSet<String> = diagnose::examples()
            .into_iter()
            .map(|example| example.of)
            .collect();
        let mut names = BTreeSet::new();
        for world in WORLDS.iter() {
            assert!(names.insert(&world.id), "{}", world.id);
            assert!(!world.causes.is_empty(), "{}", world.id);
            for cause in &world.causes {
                assert!(rules.contains(cause), "{}: {cause}", world.id);
            }
        }
    }

    #[test]
    fn a_cause_without_a_world_gets_those_of_its_stage() {
        let found = worlds(&["ap-no-such-rule"], Some(Stage::Dns));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, "name-unknown");
        assert!(worlds(&[], None).is_empty());
    }

    #[test]
    fn a_name_cannot_break_the_scenario() {
        let world = &WORLDS[0];
        let text = world.scenario("a: b\nsteps: []");
        assert!(text.starts_with("name: a_ b_steps_ __\n"), "{text}");
    }
}
