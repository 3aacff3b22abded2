//! One log, read line by line.

mod conclusion;
pub mod text;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::Ipv4Addr;

use dialect::{Row, Text};

use crate::advertised::Advertised;
use crate::beside::Beside;
use crate::binary;
use crate::changed::Changes;
use crate::codes;
use crate::compared::Compared;
use crate::cut_short;
use crate::diagnosis::{Cause, Evidence, Past};
use crate::exchange::Exchange;
use crate::foretold::Foretold;
use crate::glance;
use crate::heard::Heard;
use crate::journal::{Journal, is_by_broker};
use crate::meant::{as_meant, is_aside, is_denied, is_of_other_tongue, is_remark};
use crate::names::{self, Names};
use crate::peers::{self, Clients};
use crate::power_loss::PowerLosses;
use crate::radio::RadioStarts;
use crate::registration::Registration;
use crate::replies;
use crate::rules::{Mark, Pattern, Rule, rules};
use crate::spelled;
use crate::subject::Subject;
use crate::supply::Supply;
use crate::unnamed::Tail;
use crate::visitors::Visitors;
use crate::waiting::Moment;
use crate::watch::{Ending, Verdict, Watch, is_of, is_own};
use crate::whose;
use crate::withdrawn::Withdrawn;
use crate::{Kind, Stage};
use text::{in_words, plain, with_returns_seen};

/// Bytes in which a line tells its time.
const LONGEST_TIME: usize = 32;
/// Bytes of a line that are looked at.
const LONGEST_LINE: usize = 8 * 1024;
/// Past problems that are kept, of the first and of the last attempts.
const MOST_PAST: usize = 64;
/// How a broker says that it starts.
const STARTS: &str = "mosquitto version";
/// Clients of a broker that are kept.
const MOST_PEERS: usize = 1024;

/// Reads a log; what it keeps does not grow with the log's length.
pub struct Log {
    name: String,
    kind: Option<Kind>,
    lines: u64,
    bytes: u64,
    garbage: u64,
    /// What the file is, if it is no log.
    binary: Option<&'static str>,
    attempts: u64,
    current: Watch,
    /// The last line that may tell a time, and the one before it.
    last: [String; 2],
    /// What stands in it for comparison.
    compared: Compared,
    /// Whose lines a system's journal has.
    journal: Journal,
    /// The beginning of the last line of all, in a log in which something is waited for.
    tail: String,
    /// Whether the log ends in the middle of a line.
    is_cut: bool,
    /// The last attempt before this one that had a cause.
    failed: Option<Verdict>,
    /// The first cause of an attempt before this one that a restart does not end.
    outlived: Option<Cause>,
    /// Of each rule on starts in a row, the first line and how many they are by now.
    starts: BTreeMap<usize, Evidence>,
    /// The clients that a broker's log names.
    peers: BTreeSet<Ipv4Addr>,
    /// The identifiers by which a broker's log names them.
    clients: Clients,
    /// The line by which a broker starts.
    server_start: u64,
    /// The names of hosts.
    names: Names,
    /// What the network gave the device, before and after.
    changes: Changes,
    /// The names of networks.
    spelled: spelled::Names,
    /// The names over Bluetooth.
    advertised: Advertised,
    /// The phones in the device's own network.
    visitors: Visitors,
    /// The networks that are heard.
    heard: Heard,
    /// The starts after a loss of power.
    power_losses: PowerLosses,
    /// The starts at the radio's beginning.
    radio: RadioStarts,
    /// The figures of the supply.
    supply: Supply,
    /// What a modem answers of its registration.
    registration: Registration,
    /// The messages of DHCP.
    exchange: Exchange,
    /// What stands beside replies that refuse something.
    beside: Beside,
    /// The failures that it foretells.
    foretold: Foretold,
    /// Where the device left its network itself.
    withdrawn: Withdrawn,
    /// The identifiers by which a device calls itself at a broker.
    ids: BTreeSet<String>,
    history: Vec<Past>,
    left_out: u64,
    /// Its last lines.
    end: Tail,
}

impl Log {
    /// A log of this name, still empty.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: None,
            lines: 0,
            bytes: 0,
            garbage: 0,
            binary: None,
            attempts: 1,
            current: Watch::new(1, 1, false),
            last: Default::default(),
            compared: Compared::default(),
            journal: Journal::default(),
            tail: String::new(),
            is_cut: false,
            failed: None,
            outlived: None,
            starts: BTreeMap::new(),
            peers: BTreeSet::new(),
            clients: Clients::default(),
            server_start: 0,
            names: Names::default(),
            changes: Changes::default(),
            spelled: spelled::Names::default(),
            advertised: Advertised::default(),
            visitors: Visitors::default(),
            heard: Heard::default(),
            power_losses: PowerLosses::default(),
            radio: RadioStarts::default(),
            supply: Supply::default(),
            registration: Registration::default(),
            exchange: Exchange::default(),
            beside: Beside::default(),
            foretold: Foretold::default(),
            withdrawn: Withdrawn::default(),
            ids: BTreeSet::new(),
            history: Vec::new(),
            left_out: 0,
            end: Tail::default(),
        }
    }

    /// The next line, without its end.
    pub fn line(&mut self, line: &[u8]) {
        if self.lines == 0 {
            self.binary = binary::what(line);
        }
        self.lines += 1;
        let line = &line[..line.len().min(LONGEST_LINE)];
        self.bytes += line.len() as u64;
        let clean = plain(line).map_or_else(
            || {
                let text = Text::of(&with_returns_seen(line));
                self.garbage += text.garbage as u64;
                Cow::Owned(text.clean().to_owned())
            },
            Cow::Borrowed,
        );
        let clean = &*clean;
        if clean.trim().is_empty() {
            self.compared.blank();
            return;
        }
        let (current, failed, kind) = (&self.current, &self.failed, self.kind);
        // A trouble that is not over, or one behind which nothing was told yet.
        let is_in_trouble =
            || current.is_in_trouble(kind) || (failed.is_some() && !current.has_come_on());
        if self.compared.takes(clean, is_in_trouble) {
            return;
        }
        let mut found = find(clean);
        let fails = take_failure(&mut found);
        if self.journal.take(clean) {
            self.kind = Some(Kind::Device);
            self.current.has_broker = true;
        }
        let may_tell = self.kind != Some(Kind::Broker) && glance::may_tell(clean);
        if is_own(self.kind) {
            self.changes.take(self.lines, clean);
            self.spelled.take(self.lines, clean);
            self.advertised.take(self.lines, clean, !found.is_empty());
            self.visitors.take(self.lines, clean);
            self.heard.take(self.lines, clean);
            if may_tell {
                self.power_losses.take(self.lines, clean);
                self.supply.take(self.lines, clean);
                self.registration.take(self.lines, clean);
                self.foretold.take(self.lines, clean);
                self.withdrawn.take(self.lines, clean);
            }
            peers::take_own_id(clean, &mut self.ids);
            let is_reply = replies::is_refusal(&found);
            let before = self.end.lines();
            self.beside.take(self.lines, clean, is_reply, before);
        }
        if may_tell {
            self.exchange.take(self.lines, clean);
        }
        if self.kind != Some(Kind::Network) {
            self.end.take(self.lines, clean);
        }
        self.take_names(&found, clean);
        let begins = !found.is_empty() && self.meet(&found, clean);
        if fails && is_own(self.kind) {
            self.current.fail(&found, self.lines, clean);
        }
        if self.current.only_start && !begins {
            self.current.only_start = matches!(dialect::row(clean), Some(Row::Rom));
        }
        if !self.current.waits() {
            return;
        }
        self.tail.clear();
        self.tail
            .push_str(&clean[..clean.floor_char_boundary(LONGEST_TIME)]);
        let head = &clean.as_bytes()[..clean.len().min(LONGEST_TIME)];
        if head.iter().any(u8::is_ascii_digit) {
            self.last.swap(0, 1);
            self.last[0].clear();
            self.last[0].push_str(clean);
        }
    }

    fn take_names(&mut self, found: &[Pattern], text: &str) {
        let rules = rules();
        if found.iter().any(|pattern| rules.blocks[*pattern]) {
            self.names.block(self.lines, text);
        } else if self.kind == Some(Kind::Network) {
            self.names.ask(text);
        } else if found.iter().any(|pattern| rules.of_servers[*pattern]) || names::may_have(text) {
            self.names.take(text);
        }
    }

    /// The last line has no end: the log was cut in the middle of it.
    pub fn cut(&mut self) {
        self.is_cut = true;
    }

    /// A line of which level, component and time are known already, as a trace has it: the letter of the
    /// level, the device's time in ms. What continues it in further lines counts as lines of its own.
    pub fn record(&mut self, level: char, tag: &str, text: &str, device_ms: Option<u64>) {
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or_default();
        let ms = device_ms.map_or_else(|| "0".to_owned(), |ms| ms.to_string());
        match tag {
            "" => self.line(first.as_bytes()),
            _ => self.line(format!("{level} ({ms}) {tag}: {first}").as_bytes()),
        }
        for line in lines {
            self.line(line.as_bytes());
        }
    }

    /// The device was switched on here, by what is known beside the log.
    pub fn power_on(&mut self) {
        // What a chip's ROM says of it.
        self.line(b"rst:0x1 (POWERON_RESET)");
    }

    /// Takes a line in which these expressions were found, and returns whether it begins an attempt.
    fn meet(&mut self, found: &[Pattern], text: &str) -> bool {
        let rules = rules();
        // Of lines that only stand before others or beside them, neither is asked.
        let is_said = found
            .iter()
            .any(|pattern| !rules.said_by[*pattern].is_empty());
        let proves = |pattern: &Pattern| !rules.proved_by[*pattern].is_empty();
        let subject = match is_said || found.iter().any(proves) {
            true => Subject::of(text),
            false => Subject::Any,
        };
        let marks: Vec<usize> = found
            .iter()
            .flat_map(|pattern| rules.proved_by[*pattern].iter().copied())
            .filter(|mark| subject.tells_of(rules.marks[*mark].stage))
            .filter(|_| !self.compared.is_of_tool())
            .collect();
        let is_denied = marks.iter().any(|mark| rules.marks[*mark].loose) && is_denied(text);
        if self.kind.is_none() {
            self.kind = marks.iter().find_map(|mark| rules.marks[*mark].log);
            // A journal of a broker that was put behind what the device has printed of its refusal.
            let is_journal = self.kind == Some(Kind::Broker) && is_by_broker(text);
            if is_journal && self.current.is_refused() {
                self.kind = Some(Kind::Device);
                self.current.has_broker = true;
            }
        }
        if self.kind == Some(Kind::Broker) && self.peers.len() < MOST_PEERS {
            self.peers.extend(peers::of(text));
            self.clients.take(text);
        }
        if self.kind == Some(Kind::Broker) && text.contains(STARTS) && text.ends_with("starting") {
            self.server_start = self.lines;
        }
        let kind = self.kind;
        let has_broker = self.current.has_broker;
        let is_of_broker = |mark: &Mark| mark.log == Some(Kind::Broker);
        let is_by_broker = has_broker && is_by_broker(text);
        self.current.is_by_broker = has_broker.then_some(is_by_broker);
        let counts = |mark: &usize| {
            let mark = &rules.marks[*mark];
            let is_own = is_by_broker && is_of_broker(mark) && mark.passed;
            let is_of_log = !is_by_broker && is_of(mark.log, kind);
            (is_own || is_of_log) && !(mark.loose && is_denied)
        };
        let begins = marks.iter().any(|mark| {
            let begins = rules.marks[*mark].begins;
            begins && counts(mark) && !(has_broker && is_of_broker(&rules.marks[*mark]))
        });
        if begins && !self.current.only_start {
            if is_own(kind) {
                self.radio.restarts(self.end.lines().skip(1));
            }
            self.attempts += 1;
            let next = self.current.next(self.attempts, self.lines, kind);
            let ended = mem::replace(&mut self.current, next);
            self.end_attempt(&ended);
        } else if begins {
            self.current.from_start = true;
        }
        for mark in marks.into_iter().filter(counts) {
            // What the clients of its own broker reach is nothing that the device has reached.
            if !(has_broker && is_of_broker(&rules.marks[mark])) {
                self.current.prove(mark, self.lines, text);
            }
            if !rules.marks[mark].passed {
                continue;
            }
            self.visitors.passed(rules.marks[mark].stage);
            match rules.marks[mark].stage {
                Stage::Credentials => self.changes.has_other_credentials(),
                Stage::Join | Stage::Dhcp if is_own(kind) => {
                    self.changes.joined(self.lines, text);
                    self.withdrawn.joined();
                }
                Stage::Mqtt | Stage::Cloud | Stage::Bind => {
                    self.changes.reached();
                    self.power_losses.reached();
                    self.supply.reached();
                }
                _ => {}
            }
            let over = self.current.recover(&rules.marks[mark], kind, text);
            self.remember_over(over);
        }
        let has_asides = is_own(kind);
        let is_remark = || self.compared.has_own() && is_remark(text);
        let is_aside = is_said && has_asides && (is_aside(text) || is_remark());
        if subject == Subject::Any {
            for pattern in found {
                let over = self.current.reach(*pattern, kind, is_aside);
                self.remember_over(over);
            }
        }
        // After what the line ends, for it ends no trouble that it tells itself.
        for pattern in found {
            self.current
                .meet(*pattern, self.lines, text, (subject, is_aside));
        }
        begins
    }

    fn remember_over(&mut self, over: Vec<(usize, Evidence)>) {
        for (index, evidence) in over {
            let rule = &rules().rules[index];
            let peers = peers_of(&self.current, rule.stage, &evidence);
            let last = self.current.latest(index);
            let past = past(rule, self.current.number, evidence, peers);
            self.remember(Past { last, ..past });
        }
    }

    fn remember(&mut self, past: Past) {
        let is_known = |known: &&mut Past| {
            known.id == past.id && known.recovered == past.recovered && known.peers == past.peers
        };
        if let Some(known) = self.history.iter_mut().find(is_known) {
            known.evidence.count += past.evidence.count;
            known.times += past.times;
            known.last = past.last;
        } else if self.history.len() < MOST_PAST {
            self.history.push(past);
        } else {
            self.left_out += 1;
        }
    }

    /// Credentials that the cloud had not given are there when a later attempt gets in with them.
    fn forget_what_is_back(&mut self, reached: Option<Stage>) {
        if reached >= Some(Stage::Mqtt) {
            self.outlived.take_if(|cause| cause.stage == Stage::Cloud);
        }
    }

    fn end_attempt(&mut self, watch: &Watch) {
        let verdict = watch.judge(self.kind, self.ending(false, false));
        self.count_starts(watch, &verdict);
        self.forget_what_is_back(verdict.attempt.reached);
        let mut all = verdict.causes.iter().chain(&verdict.consequences);
        self.changes.restarts(all.clone());
        if self.outlived.is_none() {
            self.outlived = all.find_map(|cause| {
                let rule = rules().named(&cause.id)?;
                let certainty = rule.text.sure;
                rule.text.outlives.then(|| Cause {
                    certainty,
                    ..cause.clone()
                })
            });
        }
        let Some(first) = verdict.causes.first() else {
            return;
        };
        if let Some(evidence) = first.evidence.first() {
            self.remember(Past {
                attempt: watch.number,
                id: first.id.clone(),
                stage: first.stage,
                cause: first.cause.clone(),
                evidence: evidence.clone(),
                recovered: false,
                peers: peers_of(watch, first.stage, evidence),
                times: 1,
                last: evidence.line,
            });
        }
        self.failed = Some(verdict);
    }

    /// Where the log ends by now.
    fn ending(&self, is_cut: bool, is_last: bool) -> Ending {
        let mut times = self.last.iter().map(|line| Moment::of(self.lines, line));
        let at = times.find(|at| at.has_time());
        let at = at.unwrap_or(Moment::of(self.lines, ""));
        let line = is_last.then_some(self.lines);
        Ending { at, is_cut, line }
    }

    /// Counts starts in a row that tell no trouble and come no further than an address.
    fn count_starts(&mut self, watch: &Watch, verdict: &Verdict) {
        if !verdict.is_silent || verdict.attempt.reached > Some(Stage::Dhcp) {
            self.starts.clear();
            return;
        }
        for (index, evidence) in watch.starts() {
            match (self.starts.get_mut(&index), evidence) {
                (Some(known), Some(_)) => known.count += 1,
                (None, Some(evidence)) => {
                    let first = Evidence {
                        count: 1,
                        ..evidence
                    };
                    self.starts.insert(index, first);
                }
                (_, None) => {}
            }
        }
    }
}

/// Whether any rule or milestone looks for something that this line has.
pub fn is_telling(line: &str) -> bool {
    let mut found = find(line);
    take_failure(&mut found);
    !found.is_empty()
}

/// Takes the words of failure out of what is found in a line, and returns whether it has some.
fn take_failure(found: &mut Vec<Pattern>) -> bool {
    let all = found.len();
    found.retain(|pattern| *pattern != rules().fails);
    found.len() < all
}

/// The expressions that are found in a line.
fn find(line: &str) -> Vec<Pattern> {
    let set = &rules().set;
    let mut found = set.found_in(line.as_bytes());
    if let Some(plain) = in_words(line) {
        found.extend(find(&plain));
        found.sort_unstable();
        found.dedup();
    }
    if !found.is_empty() || is_of_other_tongue(line) {
        found = match as_meant(line) {
            Cow::Borrowed(_) => found,
            Cow::Owned(line) => set.found_in(line.as_bytes()),
        };
    }
    if let Some(named) = codes::named(line) {
        set.add_found_in(named.as_bytes(), &mut found);
    }
    replies::add(&mut found, line, set);
    cut_short::add(&mut found, line, set);
    whose::leave_out(&mut found, line);
    found
}

fn past(rule: &Rule, attempt: u64, evidence: Evidence, peers: Vec<Ipv4Addr>) -> Past {
    Past {
        attempt,
        id: rule.text.id.clone(),
        stage: rule.stage,
        cause: rule.text.cause.clone(),
        evidence,
        recovered: true,
        peers,
        times: 1,
        last: 0,
    }
}

/// The clients that a broker's line is about: those that it names, or of a line of TLS, which names none,
/// the one that has connected before it.
fn peers_of(watch: &Watch, stage: Stage, evidence: &Evidence) -> Vec<Ipv4Addr> {
    let named = peers::of(&evidence.text);
    match stage {
        Stage::Tls if named.is_empty() => watch.client(),
        _ => named,
    }
}
