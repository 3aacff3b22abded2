//! Rules out of their files.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::before::FAILS;
use crate::beside::REPLY_REFUSES;
use crate::expressions::{ExpressionError, Expressions};
use crate::names::NAME_BLOCKED;
use crate::{Certainty, Kind, Stage};

const FILES: [(Stage, &str); 22] = [
    (Stage::Power, include_str!("../rules/power.toml")),
    (Stage::Power, include_str!("../rules/power_linux.toml")),
    (Stage::Storage, include_str!("../rules/storage.toml")),
    (Stage::Storage, include_str!("../rules/storage_linux.toml")),
    (
        Stage::Provisioning,
        include_str!("../rules/provisioning.toml"),
    ),
    (Stage::Session, include_str!("../rules/session.toml")),
    (
        Stage::Credentials,
        include_str!("../rules/credentials.toml"),
    ),
    (Stage::Join, include_str!("../rules/association.toml")),
    (Stage::Join, include_str!("../rules/join.toml")),
    (Stage::Join, include_str!("../rules/lorawan.toml")),
    (Stage::Join, include_str!("../rules/modem.toml")),
    (Stage::Dhcp, include_str!("../rules/dhcp.toml")),
    (Stage::Dns, include_str!("../rules/dns.toml")),
    (Stage::Tcp, include_str!("../rules/tcp.toml")),
    (Stage::Clock, include_str!("../rules/clock.toml")),
    (Stage::Tls, include_str!("../rules/tls.toml")),
    (Stage::Tls, include_str!("../rules/tls_broker.toml")),
    (Stage::Mqtt, include_str!("../rules/mqtt.toml")),
    (Stage::Mqtt, include_str!("../rules/mqtt_broker.toml")),
    (Stage::Cloud, include_str!("../rules/cloud.toml")),
    (Stage::Bind, include_str!("../rules/bind.toml")),
    (Stage::Serving, include_str!("../rules/serving.toml")),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    milestone: Vec<MilestoneText>,
    #[serde(default)]
    rule: Vec<RuleText>,
}

/// A line that proves a stage.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MilestoneText {
    says: String,
    proves: String,
    /// Whether the stage is over with it; else it has only begun.
    #[serde(default = "yes")]
    passed: bool,
    /// Whether the line begins another attempt.
    #[serde(default)]
    begins: bool,
    #[serde(default)]
    log: Option<Kind>,
    /// Whether its words are those of many firmwares, which prove nothing beside words of failure.
    #[serde(default)]
    loose: bool,
    /// A line that says it.
    good: String,
}

/// A rule, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// Its name.
    pub id: String,
    /// Lines that say it, all of them needed; over when the attempt gets further.
    #[serde(default)]
    pub says: Vec<String>,
    /// Lines that must have been seen before in the attempt.
    #[serde(default)]
    pub after: Vec<String>,
    /// Lines that must not be there in the attempt.
    #[serde(default)]
    pub unless: Vec<String>,
    /// What is the cause.
    pub cause: String,
    /// Who can mend it.
    pub whose: String,
    /// How much it can be relied on.
    #[serde(default = "likely")]
    pub sure: Certainty,
    /// Whether any other cause of its stage tells more.
    #[serde(default)]
    pub general: bool,
    /// Whether it says what the lines beside it are about, whatever they say themselves.
    #[serde(default)]
    pub explains: bool,
    /// Whether a log without any trouble can look the same: told as a hint, never as the cause.
    #[serde(default)]
    pub hint: bool,
    /// Whether it stays a cause when the attempt gets further.
    #[serde(default)]
    pub lasting: bool,
    /// Whether a server says it, so that the connection to it stands.
    #[serde(default)]
    pub reaches: bool,
    /// Rules of the same stage whose troubles are over when it is met: its lines come further than theirs.
    #[serde(default)]
    pub ends: Vec<String>,
    /// Whether strangers do so at any server: they look for open ports, or whether it lives.
    #[serde(default)]
    pub strangers: bool,
    /// The first stage of those that end it when the attempt gets there; its own if left out.
    #[serde(default)]
    pub until: Option<Stage>,
    /// Lines by which the device mends it itself: with one of them in the attempt it is over once the device has
    /// an address.
    #[serde(default)]
    pub mended: Vec<String>,
    /// Whether it stays a cause after a restart: what was not written is missing then.
    #[serde(default)]
    pub outlives: bool,
    /// How often it must have happened to be the cause although each time it was over.
    #[serde(default)]
    pub repeats: Option<u64>,
    /// How many starts in a row must have its lines, and neither a trouble nor an address, for it to be
    /// the cause.
    #[serde(default)]
    pub restarts: Option<u64>,
    /// Of what never came: how many seconds the log has to go on behind the last of `after`, for a log that
    /// ends sooner tells less of it.
    #[serde(default)]
    pub patience: Option<u64>,
    /// Lines without which it is a cause beside another trouble only: alone it is a hint.
    #[serde(default)]
    pub alone: Vec<String>,
    /// Within how many lines behind one of `says` the next one has to come, if they only count in turn.
    #[serde(default)]
    pub in_turn: Option<u64>,
    /// Whose log it can stand in; a device's if left out.
    #[serde(default)]
    pub log: Option<Kind>,
    /// Whether it can stand in the log of anyone.
    #[serde(default)]
    pub anywhere: bool,
    /// What to do.
    pub check: Vec<String>,
    /// Other causes of the same lines.
    #[serde(default)]
    pub or: Vec<Alternative>,
    /// A log that it is the cause in.
    pub good: String,
    /// A log that resembles it, in which it is not.
    pub bad: String,
}

/// Another cause of the same lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// The cause.
    pub cause: String,
    /// The line that rules it out.
    #[serde(default)]
    pub unless: Option<String>,
    /// What would tell.
    pub tell: String,
}

fn yes() -> bool {
    true
}

fn likely() -> Certainty {
    Certainty::Likely
}

/// An expression's place in [`Rules::set`].
pub type Pattern = usize;

/// A rule with its expressions.
pub struct Rule {
    pub stage: Stage,
    pub text: RuleText,
    pub says: Vec<Pattern>,
    pub after: Vec<Pattern>,
    pub unless: Vec<Pattern>,
    pub alone: Vec<Pattern>,
    pub mended: Vec<Pattern>,
    pub or: Vec<Option<Pattern>>,
    /// The rules that it ends.
    pub ends: Vec<usize>,
}

impl Rule {
    /// Whether a test reads logs as if it were not there.
    pub fn is_left_out(&self) -> bool {
        #[cfg(test)]
        return crate::unseen::is_left_out(&self.text.id);
        #[cfg(not(test))]
        false
    }
}

/// A milestone with its expression.
pub struct Mark {
    pub stage: Stage,
    pub proves: String,
    pub passed: bool,
    pub begins: bool,
    pub log: Option<Kind>,
    pub loose: bool,
    pub says: Pattern,
    good: String,
}

/// All rules.
pub struct Rules {
    pub rules: Vec<Rule>,
    pub marks: Vec<Mark>,
    pub set: Expressions,
    /// The texts of all expressions.
    pub expressions: Vec<String>,
    /// Of each expression, the rules that need it and its place in each.
    pub said_by: Vec<Vec<(usize, usize)>>,
    /// Of each expression, the milestones that it proves.
    pub proved_by: Vec<Vec<usize>>,
    /// Of each expression, whether a rule with patience waits from its line on.
    pub waits: Vec<bool>,
    /// Of each expression, whether its line is on servers, whose names are in it.
    pub of_servers: Vec<bool>,
    /// Of each expression, whether by its line a filter blocks a name.
    pub blocks: Vec<bool>,
    /// Of each expression, whether its line is on the device's own address.
    pub of_addresses: Vec<bool>,
    /// Of each expression, whether by its line a reply refuses something that its own words do not tell.
    pub refuses: Vec<bool>,
    /// The expression that tells a failure, whatever it is.
    pub fails: Pattern,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    // Tests read every file.
    #[expect(clippy::expect_used, reason = "the rules are part of the program")]
    Rules::read().expect("the rules are sound")
});

/// All rules, compiled once.
pub fn rules() -> &'static Rules {
    &RULES
}

/// What is wrong with a file of rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is no such file.
    #[error("rules of {stage}: {source}")]
    Toml {
        stage: Stage,
        source: toml::de::Error,
    },
    /// An expression cannot be one.
    #[error("an expression of the rules")]
    Expression(#[from] ExpressionError),
}

/// The texts of all expressions, and the place of each.
#[derive(Default)]
struct Patterns {
    texts: Vec<String>,
    places: HashMap<String, Pattern>,
}

impl Patterns {
    fn add(&mut self, text: &str) -> Pattern {
        if let Some(known) = self.places.get(text) {
            return *known;
        }
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(text.to_owned());
        self.texts.len() - 1
    }

    fn add_all(&mut self, texts: &[String]) -> Vec<Pattern> {
        texts.iter().map(|text| self.add(text)).collect()
    }
}

impl Rules {
    /// The rule of this name.
    pub fn named(&self, id: &str) -> Option<&Rule> {
        let rule = self.rules.iter().find(|rule| rule.text.id == id);
        rule.filter(|rule| !rule.is_left_out())
    }

    fn read() -> Result<Self, RulesError> {
        let mut patterns = Patterns::default();
        let (mut rules, mut marks) = (Vec::new(), Vec::new());
        for (stage, text) in FILES {
            let file: File =
                toml::from_str(text).map_err(|source| RulesError::Toml { stage, source })?;
            marks.extend(file.milestone.into_iter().map(|mark| Mark {
                stage,
                says: patterns.add(&mark.says),
                proves: mark.proves,
                passed: mark.passed,
                begins: mark.begins,
                log: mark.log,
                loose: mark.loose,
                good: mark.good,
            }));
            for text in file.rule {
                let unless = |other: &Alternative| other.unless.clone();
                let or: Vec<Option<String>> = text.or.iter().map(unless).collect();
                rules.push(Rule {
                    stage,
                    says: patterns.add_all(&text.says),
                    after: patterns.add_all(&text.after),
                    unless: patterns.add_all(&text.unless),
                    alone: patterns.add_all(&text.alone),
                    mended: patterns.add_all(&text.mended),
                    or: or
                        .iter()
                        .map(|unless| unless.as_deref().map(|unless| patterns.add(unless)))
                        .collect(),
                    ends: Vec::new(),
                    text,
                });
            }
        }
        let fails = patterns.add(FAILS);
        end_each_other(&mut rules);
        let (said_by, proved_by) = index(&rules, &marks, patterns.texts.len());
        let none = vec![false; patterns.texts.len()];
        let (mut waits, mut of_servers, mut blocks) = (none.clone(), none.clone(), none.clone());
        let (mut of_addresses, mut refuses) = (none.clone(), none);
        for rule in &rules {
            let after = rule.after.iter();
            after.for_each(|after| waits[*after] |= rule.text.patience.is_some());
            for says in &rule.says {
                of_servers[*says] |= (Stage::Dns..=Stage::Mqtt).contains(&rule.stage);
                blocks[*says] |= rule.text.id == NAME_BLOCKED;
                refuses[*says] |= rule.text.id == REPLY_REFUSES;
                of_addresses[*says] |= rule.stage == Stage::Dhcp && !rule.text.anywhere;
            }
        }
        for mark in &marks {
            of_servers[mark.says] |= (Stage::Dns..=Stage::Mqtt).contains(&mark.stage);
            of_addresses[mark.says] |= mark.stage == Stage::Dhcp;
        }
        Ok(Self {
            rules,
            marks,
            set: Expressions::new(&patterns.texts)?,
            expressions: patterns.texts,
            said_by,
            proved_by,
            waits,
            of_servers,
            blocks,
            of_addresses,
            refuses,
            fails,
        })
    }
}

/// Finds the rules that others end.
fn end_each_other(rules: &mut [Rule]) {
    let places: BTreeMap<String, usize> = rules
        .iter()
        .enumerate()
        .map(|(place, rule)| (rule.text.id.clone(), place))
        .collect();
    for rule in rules {
        let ends = rule.text.ends.iter();
        rule.ends = ends.filter_map(|id| places.get(id).copied()).collect();
    }
}

/// Of each expression, the rules and the milestones that it stands in.
#[expect(clippy::type_complexity, reason = "two columns of one table")]
fn index(
    rules: &[Rule],
    marks: &[Mark],
    patterns: usize,
) -> (Vec<Vec<(usize, usize)>>, Vec<Vec<usize>>) {
    let (mut said_by, mut proved_by) = (vec![Vec::new(); patterns], vec![Vec::new(); patterns]);
    for (rule, says) in rules.iter().map(|rule| &rule.says).enumerate() {
        for (place, pattern) in says.iter().enumerate() {
            said_by[*pattern].push((rule, place));
        }
    }
    for (mark, says) in marks.iter().map(|mark| mark.says).enumerate() {
        proved_by[says].push(mark);
    }
    (said_by, proved_by)
}

/// An example of a rule or a milestone.
pub struct Example {
    /// What it is an example of.
    pub of: String,
    /// The stage.
    pub stage: Stage,
    /// The log.
    pub log: &'static str,
    /// Whether the rule is the cause in it.
    pub good: bool,
    /// Whether it is of a milestone.
    pub milestone: bool,
}

/// The examples of all rules and milestones.
pub fn examples() -> Vec<Example> {
    let rules = rules();
    let mut all = Vec::new();
    for mark in &rules.marks {
        all.push(Example {
            of: mark.proves.clone(),
            stage: mark.stage,
            log: &mark.good,
            good: true,
            milestone: true,
        });
    }
    for rule in &rules.rules {
        for (log, good) in [(&rule.text.good, true), (&rule.text.bad, false)] {
            all.push(Example {
                of: rule.text.id.clone(),
                stage: rule.stage,
                log,
                good,
                milestone: false,
            });
        }
    }
    all
}
