//! What comes out.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::names::Names;
use crate::peers::Clients;
use crate::rules::rules;
use crate::{Kind, Reading, Stage};

/// How much a cause can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The log fits it, and other causes as well.
    Possible,
    /// Other causes would be unusual.
    Likely,
    /// The log says so.
    Certain,
}

impl Certainty {
    /// One step less.
    pub(crate) fn less(self) -> Self {
        match self {
            Self::Certain => Self::Likely,
            Self::Likely | Self::Possible => Self::Possible,
        }
    }

    /// In words, to be put behind a cause.
    pub fn words(self) -> &'static str {
        match self {
            Self::Certain => "the log says so",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// What a log tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Name of the log.
    pub log: String,
    /// Whose log it is; none if nothing in it tells.
    pub kind: Option<Kind>,
    /// Lines read.
    pub lines: u64,
    /// The last attempt, which the causes are of.
    pub last: Attempt,
    /// Causes, the first cause first. None: nothing in the log says that anything is wrong.
    pub causes: Vec<Cause>,
    /// What followed from them.
    pub consequences: Vec<Cause>,
    /// What is worth a look, though a log without any trouble can look the same.
    pub hints: Vec<Cause>,
    /// What was over in the end, and what earlier attempts ended with.
    pub history: Vec<Past>,
    /// What is to be known of the log itself.
    pub notes: Vec<String>,
    /// The clients that a broker's log names.
    #[serde(skip)]
    pub(crate) peers: BTreeSet<Ipv4Addr>,
    /// The identifiers by which it names them.
    #[serde(skip)]
    pub(crate) clients: Clients,
    /// The identifiers by which a device calls itself at a broker.
    #[serde(skip)]
    pub(crate) ids: BTreeSet<String>,
    /// The names of hosts in it.
    #[serde(skip)]
    pub(crate) names: Names,
}

/// One start of a device, or one connection to a broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Attempt {
    /// Which one it is, from 1.
    pub number: u64,
    /// Its first line.
    pub first_line: u64,
    /// The furthest stage that is proved.
    pub reached: Option<Stage>,
    /// What is proved, in order.
    pub proved: Vec<Milestone>,
}

/// A stage that a line proves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Milestone {
    /// The stage.
    pub stage: Stage,
    /// What the line proves.
    pub what: String,
    /// The line.
    pub evidence: Evidence,
    /// Whether the stage is over with it; else it has only begun.
    #[serde(skip)]
    pub(crate) passed: bool,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Its number, from 1.
    pub line: u64,
    /// Its text, cut after 240 characters.
    pub text: String,
    /// How often a line like it was seen.
    pub count: u64,
}

/// Characters of a line that are shown.
const SHOWN: usize = 240;

impl Evidence {
    /// A line that was seen once.
    pub(crate) fn of(line: u64, text: &str) -> Self {
        Self {
            line,
            text: match text.char_indices().nth(SHOWN) {
                Some((end, _)) => text[..end].to_owned(),
                None => text.to_owned(),
            },
            count: 1,
        }
    }

    /// Counts a line, of which the first is kept.
    pub(crate) fn count(place: &mut Option<Self>, line: u64, text: &str) {
        match place {
            Some(seen) => seen.count += 1,
            None => *place = Some(Self::of(line, text)),
        }
    }
}

/// A cause that the log fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// The rule's name.
    pub id: String,
    /// Where it happened.
    pub stage: Stage,
    /// What it is.
    pub cause: String,
    /// Who can mend it.
    pub whose: String,
    /// How much it can be relied on.
    pub certainty: Certainty,
    /// The lines that say so.
    pub evidence: Vec<Evidence>,
    /// What numbers in those lines mean.
    pub readings: Vec<Reading>,
    /// What to do, in order.
    pub check: Vec<String>,
    /// Other causes of the same lines, and what rules them out.
    pub ruled_out: Vec<RuledOut>,
    /// What would tell the causes that are left apart.
    pub would_tell: Vec<String>,
}

impl Cause {
    /// Whether its rule tells no more than that something is wrong.
    pub(crate) fn is_general(&self) -> bool {
        let rule = rules().named(&self.id);
        rule.is_some_and(|rule| rule.text.general)
    }
}

/// A cause that it is not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuledOut {
    /// The cause.
    pub cause: String,
    /// The line that rules it out.
    pub by: Evidence,
}

/// A problem that is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Past {
    /// In which attempt.
    pub attempt: u64,
    /// The rule's name.
    pub id: String,
    /// The stage.
    pub stage: Stage,
    /// What it was.
    pub cause: String,
    /// The line that says so.
    pub evidence: Evidence,
    /// Whether the same attempt got further afterwards.
    pub recovered: bool,
    /// The clients of a broker that it is of, as far as its log tells.
    #[serde(skip)]
    pub(crate) peers: Vec<Ipv4Addr>,
    /// How often it was over.
    #[serde(skip)]
    pub(crate) times: u64,
    /// Its last line.
    #[serde(skip)]
    pub(crate) last: u64,
}
