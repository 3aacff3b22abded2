//! What types cannot say about a scenario.

mod attributes;
mod faults;
mod provision;

use std::collections::BTreeSet;

use serde_json::Value;
use trace::{Source, Ssid};

use super::access_point;
use super::captures::{CaptureList, references};
use super::certificate::{self, Certificate};
use super::clause::{Clause, Expect};
use super::fault::Fault;
use super::mistake::Mistake;
use super::pattern::{Pattern, Vendor, regular_expression};
use super::scenario::Scenario;
use super::span::{Placed, Span};
use super::step::Step;
use super::web::{ClientTls, WebSocketStep};
use super::world::{Device, Over, WorldSpec};
use super::{esp8266, events, old_tls};

/// What there is outside the file that a scenario may name.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Bugs that can be put into the device.
    pub bugs: Vec<String>,
    /// Contracts, by id.
    pub contracts: Vec<String>,
    /// Certificate profiles that a broker can show.
    pub server_certificates: Vec<String>,
    /// Certificate profiles that a device can have.
    pub client_certificates: Vec<String>,
    /// Certificate profiles that sign others.
    pub authorities: Vec<String>,
}

/// Everything in `scenario` that its types allow and that makes no sense.
pub(super) fn check(scenario: &Scenario, known: &Known) -> Vec<Mistake> {
    let mut checker = Checker {
        scenario,
        known,
        captured: BTreeSet::new(),
        open_sessions: BTreeSet::new(),
        faults: Vec::new(),
        mistakes: Vec::new(),
    };
    checker.header();
    checker.world(&scenario.world);
    for step in &scenario.steps {
        checker.step(step);
    }
    for exception in &scenario.except {
        let ids = known.contracts.iter().map(String::as_str);
        checker.known(&exception.contract, "contract", ids);
    }
    for never in &scenario.never {
        checker.pattern(&never.pattern);
        checker.bugs(&never.catches);
    }
    checker.compile_together(scenario.never.iter().map(|never| &never.pattern));
    if let Some(unasked) = &scenario.unasked {
        checker.bugs(&unasked.catches);
    }
    checker.mistakes
}

struct Checker<'s> {
    scenario: &'s Scenario,
    known: &'s Known,
    /// Names that steps so far have captured.
    captured: BTreeSet<&'s str>,
    /// Phones whose session was left open.
    open_sessions: BTreeSet<&'s str>,
    /// Faults that are on.
    faults: Vec<&'s Fault>,
    mistakes: Vec<Mistake>,
}

impl<'s> Checker<'s> {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.mistakes.push(Mistake::at(span, message));
    }

    fn header(&mut self) {
        let name = &self.scenario.name;
        if name.trim().is_empty() || name.contains(['[', ']', '\n', '$']) {
            self.wrong(name.span, "a name is one line without `[`, `]` and `$`");
        }
        if self.scenario.steps.is_empty() {
            self.wrong(name.span, "there are no steps");
        }
    }

    fn world(&mut self, world: &'s WorldSpec) {
        if world.devices.is_empty() {
            self.wrong(self.scenario.name.span, "there is no device in the world");
        }
        let devices = world.devices.placed_names();
        let access_points = world.access_points.placed_names();
        for name in devices.chain(access_points).chain(&world.phones) {
            if !is_word(name) {
                let message = "a name is made of letters, digits, `-` and `_`";
                self.mistakes.push(Mistake::at(name.span, message));
            }
        }
        for (position, phone) in world.phones.iter().enumerate() {
            if world.phones[..position].contains(phone) {
                self.wrong(phone.span, format!("phone `{phone}` is there already"));
            }
        }
        for (_, point) in world.access_points.iter() {
            if let Some(ssid) = &point.ssid {
                self.ssid(ssid);
            }
            self.mistakes
                .extend(access_point::passphrase_mistake(point));
            if !(1..=13).contains(&point.channel.value) {
                self.wrong(point.channel.span, "channels are 1 to 13");
            }
        }
        if let Some(cloud) = &world.cloud {
            let known = &self.known.server_certificates;
            self.certificate(cloud.broker.certificate.as_ref(), known);
            self.mistakes.extend(old_tls::mistakes(&cloud.broker));
            if let (Some(_), Some(thingsboard)) = (&cloud.linkkit, &cloud.thingsboard) {
                let message = "a world has one cloud: `linkkit` or `thingsboard`";
                self.wrong(thingsboard.span, message);
            }
        }
        for (_, device) in world.devices.iter() {
            let authorities = &self.known.authorities;
            self.mistakes.extend(esp8266::mistakes(device, authorities));
            let certificate = device.cloud.certificate.as_ref();
            if certificate.is_none_or(|certificate| !certificate.is_named("none")) {
                self.certificate(certificate, &self.known.client_certificates);
            }
            if let Some(limit) = &device.provisioning.line_limit
                && !(64..=4096).contains(&limit.value)
            {
                self.wrong(limit.span, "a line of the console has 64 to 4096 bytes");
            }
            for shown in device.server.iter().flat_map(|server| &server.certificates) {
                let known = &self.known.server_certificates;
                self.certificate(shown.certificate.as_ref(), known);
            }
            if let Some(telemetry) = &device.telemetry
                && telemetry.qos.value > 1
            {
                self.wrong(telemetry.qos.span, "a device publishes with QoS 0 or 1");
            }
            if let Some(will) = &device.cloud.will
                && will.qos.value > 1
            {
                self.wrong(will.qos.span, "a device's will has QoS 0 or 1");
            }
        }
    }

    fn ssid(&mut self, ssid: &Placed<Ssid>) {
        if ssid.is_empty() || ssid.as_bytes().len() > 32 {
            self.wrong(ssid.span, "an SSID has 1 to 32 bytes");
        }
    }

    fn certificate(&mut self, certificate: Option<&Placed<Certificate>>, known: &[String]) {
        let mistake = certificate
            .and_then(|given| certificate::mistake(given, known, &self.known.authorities));
        self.mistakes.extend(mistake);
    }

    fn known<'k>(
        &mut self,
        name: &Placed<String>,
        what: &str,
        known: impl Iterator<Item = &'k str>,
    ) {
        let known: Vec<_> = known.collect();
        if !known.contains(&name.value.as_str()) {
            self.mistakes
                .push(Mistake::unknown(Some(name.span), what, name, known));
        }
    }

    fn bugs(&mut self, names: &[Placed<String>]) {
        for name in names {
            self.known(name, "bug", self.known.bugs.iter().map(String::as_str));
        }
    }

    fn step(&mut self, step: &'s Placed<Step>) {
        self.bugs(step.catches());
        self.device(step.device(), step);
        self.visits(step);
        match &step.value {
            Step::Power(_) | Step::Wait(_) | Step::EraseStorage(_) => {}
            Step::DamageStorage(damage) => self.damage(damage),
            Step::ReadVersion(read) => {
                self.phone(&read.phone);
                for (pointer, _) in read.wanted.iter() {
                    if !pointer.starts_with('/') {
                        let message = format!("`{pointer}` is no JSON pointer: it begins with `/`");
                        self.wrong(step.span, message);
                    }
                }
            }
            Step::Scan(scan) => {
                self.in_session(&scan.phone);
                for role in &scan.finds {
                    self.known(
                        role,
                        "access point",
                        self.scenario.world.access_points.names(),
                    );
                }
            }
            Step::Control(control) => self.in_session(&control.phone),
            Step::Custom(custom) => self.in_session(&custom.phone),
            Step::Request(request) => self.in_session(&request.phone),
            Step::Datagram(datagram) => self.phone(&datagram.phone),
            Step::Wire(wire) => {
                self.in_session(&wire.phone);
                self.references(&wire.send, wire.send.span);
            }
            Step::Attribute(attribute) => self.attribute(attribute, step.span),
            Step::Leave(leave) => {
                self.phone(&leave.phone);
                self.open_sessions.remove(leave.phone.value.as_str());
            }
            Step::Reconnect(reconnect) => {
                self.phone(&reconnect.phone);
                if !self.open_sessions.contains(reconnect.phone.value.as_str()) {
                    let message = format!("{} has no session open", reconnect.phone);
                    self.wrong(step.span, message);
                }
            }
            Step::Console(console) => {
                if self
                    .meant(console.device.as_ref())
                    .is_some_and(|device| device.provisioning.over() != Over::Console)
                {
                    self.wrong(
                        step.span,
                        "only a device provisioned over `console` has one",
                    );
                }
            }
            Step::Provision(provision) => self.provision(provision, step.span),
            Step::Query(query) => {
                self.phone(&query.phone);
                self.needs_linkkit(step.span, "a query");
                self.capture(&query.capture);
            }
            Step::Discover(discover) => {
                match discover.own_network {
                    true => self.in_session(&discover.phone),
                    false => self.phone(&discover.phone),
                }
                if let Some((message, help)) = discover.mistake() {
                    self.mistakes
                        .push(Mistake::at(step.span, message).help(help));
                }
                self.capture(&discover.capture);
            }
            Step::Bind(bind) => {
                self.phone(&bind.phone);
                self.needs_linkkit(step.span, "a bind");
                self.references(&bind.token, bind.token.span);
            }
            Step::Claim(claim) => {
                self.phone(&claim.phone);
                self.needs_thingsboard(step.span, "a claim");
                self.references(&claim.secret_key, claim.secret_key.span);
            }
            Step::Call(_) => self.needs_thingsboard(step.span, "a call"),
            Step::Unclaim(unclaim) => {
                self.phone(&unclaim.phone);
                self.needs_thingsboard(step.span, "giving a device back");
            }
            Step::Browse(browse) => {
                self.phone(&browse.phone);
                self.needs_server(browse.device.as_ref(), step.span);
                self.client_tls(&browse.tls);
                if browse.kept && browse.stop_after.is_some() {
                    self.wrong(step.span, "a kept connection is past every stage");
                }
            }
            Step::WebSocket(websocket) => self.websocket(websocket, step.span),
            Step::Expect(Expect::Clause(clause)) => self.clause(clause),
            Step::Expect(Expect::Transcript(transcript)) => {
                if !is_word(&transcript.name) {
                    let message = "a transcript's name is made of letters, digits, `-` and `_`";
                    self.wrong(transcript.name.span, message);
                }
            }
            Step::Fault(fault) => self.fault(fault, step.span),
        }
    }

    /// A step that is about a device names it if there are several.
    fn device(&mut self, named: Option<&Placed<String>>, step: &Placed<Step>) {
        let devices = &self.scenario.world.devices;
        match named {
            Some(name) => self.known(name, "device", devices.names()),
            None if step.is_about_a_device() && devices.len() > 1 => {
                let help = format!(
                    "there are: {}",
                    devices.names().collect::<Vec<_>>().join(", ")
                );
                let mistake = Mistake::at(step.span, "which device? Say `device: …`");
                self.mistakes.push(mistake.help(help));
            }
            None => {}
        }
    }

    fn phone(&mut self, name: &Placed<String>) {
        let phones = self
            .scenario
            .world
            .phones
            .iter()
            .map(|phone| phone.value.as_str());
        self.known(name, "phone", phones);
    }

    /// A phone goes to a device only where that is provisioned.
    fn visits(&mut self, step: &'s Placed<Step>) {
        if step.value.is_visit()
            && self
                .meant(step.device())
                .is_some_and(|device| device.on_network)
        {
            let message = "the device is on its network already: it says `on_network: true`";
            self.wrong(step.span, message);
        }
    }

    /// A step that leaves its phone's session open.
    fn in_session(&mut self, phone: &'s Placed<String>) {
        self.phone(phone);
        self.open_sessions.insert(phone.value.as_str());
    }

    /// The device that a step means.
    fn meant(&self, named: Option<&Placed<String>>) -> Option<&'s Device> {
        let devices = &self.scenario.world.devices;
        match named {
            Some(name) => devices.named(name),
            None => devices.iter().next().map(|(_, device)| device),
        }
    }

    fn needs_thingsboard(&mut self, span: Span, what: &str) {
        let cloud = self.scenario.world.cloud.as_ref();
        if cloud.is_none_or(|cloud| cloud.thingsboard.is_none()) {
            let message = format!("{what} needs `thingsboard` in the world's cloud");
            self.wrong(span, message);
        }
    }

    fn needs_server(&mut self, named: Option<&Placed<String>>, span: Span) {
        if self
            .meant(named)
            .is_some_and(|device| device.server.is_none())
        {
            self.wrong(span, "the device has no web server: say `server: {}`");
        }
    }

    fn client_tls(&mut self, tls: &ClientTls) {
        let known = &self.known.client_certificates;
        self.certificate(tls.certificate.as_ref(), known);
        if let Some(authority) = &tls.trusts {
            let known = self.known.authorities.iter().map(String::as_str);
            self.known(authority, "authority", known);
        }
    }

    fn websocket(&mut self, step: &WebSocketStep, span: Span) {
        self.phone(&step.phone);
        self.needs_server(step.device.as_ref(), span);
        self.client_tls(&step.tls);
        if step.actions() != 1 {
            let what = "a WebSocket does one thing at a time: `open`, `send`, `receive`, `ping`, `close`, `misbehave` or `ends`";
            self.wrong(span, what);
        }
    }

    fn needs_linkkit(&mut self, span: Span, what: &str) {
        let cloud = self.scenario.world.cloud.as_ref();
        if cloud.is_none_or(|cloud| cloud.linkkit.is_none()) {
            self.wrong(span, format!("{what} needs `linkkit` in the world's cloud"));
        }
    }

    fn clause(&mut self, clause: &'s Clause) {
        for pattern in clause.wanted.patterns() {
            self.pattern(pattern);
        }
        if let [pattern] = clause.wanted.patterns() {
            let mistakes = events::capture_mistakes(pattern, &clause.capture);
            self.mistakes.extend(mistakes);
        }
        self.compile_together(clause.wanted.patterns());
        self.capture(&clause.capture);
    }

    /// Regular expressions that are looked for in one pass must fit into one set.
    fn compile_together<'p>(&mut self, patterns: impl IntoIterator<Item = &'p Pattern>) {
        let mut texts = patterns
            .into_iter()
            .filter_map(|pattern| pattern.text.as_ref());
        let Some(first) = texts.next() else { return };
        let texts = std::iter::once(first).chain(texts);
        let expressions = texts.filter_map(|text| regular_expression(text));
        let expressions: Vec<_> = expressions.map(fill_anything).collect();
        if let Err(regex::Error::CompiledTooBig(limit)) = regex::RegexSet::new(&expressions)
            && expressions.iter().all(|one| regex::Regex::new(one).is_ok())
        {
            let message = format!(
                "the regular expressions that belong together take more than {limit} bytes"
            );
            let mistake = Mistake::at(first.span, message);
            self.mistakes
                .push(mistake.help("make them shorter, or use several expectations"));
        }
    }

    fn pattern(&mut self, pattern: &'s Pattern) {
        let world = &self.scenario.world;
        if let Some(device) = &pattern.device {
            self.known(device, "device", world.devices.names());
        }
        match pattern.source {
            Source::Tls | Source::Mqtt if world.cloud.is_none() => {
                self.wrong(pattern.span, "there is no `cloud` in the world");
            }
            Source::Cloud => match pattern.vendor {
                Some(Vendor::Linkkit) => self.needs_linkkit(pattern.span, "this event"),
                Some(Vendor::ThingsBoard) => self.needs_thingsboard(pattern.span, "this event"),
                None => {
                    let message =
                        "exactly one cloud has seen an event: name `linkkit` or `thingsboard`";
                    self.wrong(pattern.span, message);
                }
            },
            _ => {}
        }
        if let Some(text) = &pattern.text {
            self.references(text, text.span);
            self.regular_expression(text, text.span);
        }
        self.mistakes.extend(events::mistakes(pattern));
        for field in &pattern.fields {
            if field.pointers.is_empty() && !field.pointer.starts_with('/') {
                let message = format!("`{}` is no JSON pointer: it begins with `/`", field.pointer);
                self.wrong(field.value.span, message);
            }
            match &field.value.value {
                Value::String(text) => {
                    self.references(text, field.value.span);
                    self.regular_expression(text, field.value.span);
                    if field.name == "to" {
                        let name = Placed::new(text.clone(), field.value.span);
                        self.phone(&name);
                    }
                }
                Value::Array(_) | Value::Object(_) | Value::Null => {
                    self.wrong(field.value.span, "only single values are compared");
                }
                _ => {}
            }
        }
    }

    fn references(&mut self, text: &str, span: Span) {
        for name in references(text) {
            if !self.captured.contains(name) {
                let mistake = Mistake::at(span, format!("`${{{name}}}` is not set yet"));
                self.mistakes
                    .push(mistake.help("only a later step captures it; this one comes too early"));
            }
        }
    }

    fn regular_expression(&mut self, text: &str, span: Span) {
        if let Some(expression) = regular_expression(text)
            && let Err(error) = regex::Regex::new(&fill_anything(expression))
        {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            self.wrong(span, format!("not a regular expression: {reason}"));
        }
    }

    fn capture(&mut self, list: &'s CaptureList) {
        for (name, pointer) in list.iter() {
            if !is_word(name) {
                self.wrong(
                    pointer.span,
                    "a name is made of letters, digits, `-` and `_`",
                );
            }
            if self.scenario.matrix.named(name).is_some() {
                self.wrong(
                    pointer.span,
                    format!("`{name}` is a variable of the matrix"),
                );
            }
            if !pointer.is_empty() && !pointer.starts_with('/') {
                self.wrong(pointer.span, "a JSON pointer begins with `/`");
            }
            self.captured.insert(name);
        }
    }
}

/// What is captured later may be anything; something harmless stands for it.
fn fill_anything(expression: &str) -> String {
    super::captures::replace(expression, |_| Some("x".into()))
        .unwrap_or_else(|_| expression.to_owned())
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
}
