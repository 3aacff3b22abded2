//! Whole files: what is taken, and what is said about mistakes.

use proptest::prelude::*;

use super::*;

fn known() -> Known {
    Known {
        contracts: vec!["mqtt-keeps-alive".into()],
        bugs: vec!["silent-hang".into(), "retry-storm".into()],
        server_certificates: vec!["server".into(), "server-expired".into()],
        client_certificates: vec!["client".into(), "client-expired".into()],
        authorities: vec!["ca".into(), "intermediate".into()],
    }
}

const WORLD: &str = "
  access_points: { home: { channel: 6, rssi: -41 } }
  cloud: { linkkit: { profile: seed-2019 } }
  devices: { device: {} }
  phones: [alice]
";

fn scenario(steps: &str) -> String {
    format!("name: A try\nworld:{WORLD}steps:\n{steps}")
}

/// What is said about `text`, as people see it.
fn mistakes_of(text: &str) -> String {
    let mistakes = parse("try.yaml", text, &known()).expect_err("a mistake");
    let mut shown = String::new();
    let handler = miette::NarratableReportHandler::new();
    for report in mistakes.iter() {
        handler.render_report(&mut shown, report).expect("a string");
    }
    shown
}

/// Message of the only mistake in a scenario with these steps.
fn mistake_of(steps: &str) -> String {
    let text = scenario(steps);
    let mistakes = parse("try.yaml", &text, &known()).expect_err(steps);
    let messages: Vec<_> = mistakes
        .iter()
        .map(|mistake| format!("line {}: {mistake}", mistake.span().line))
        .collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.into_iter().collect()
}

#[test]
fn the_scenario_of_the_design_is_taken() {
    let text = "
name: SoftAP, every security, bound by the device's notify
tags: [smoke, softap, linkkit]
matrix: { security: [none, v1, v1-no-pop, v2] }
world:
  access_points: { home: { channel: 6, rssi: -41 } }
  cloud: { broker: { client_certificate: required }, linkkit: { profile: seed-2019 } }
  devices: { device: { provisioning: { over: softap, security: \"${security}\" } } }
  phones: [alice, mallory]
steps:
  - power: on
  - expect: { log: { tag: wifi_prov_mgr, text: \"Provisioning started\" }, within: 5s }
  - provision: { phone: alice, join: home, outcome: connected }
  - expect:
      in_order:
        - { log: { text: \"Received Wi-Fi credentials\" } }
        - { log: { text: \"Provisioning successful\" } }
      within: 15s
  - expect: { cloud: { linkkit: token_reported }, capture: { token: /params/token }, within: 5s }
  - expect: { coap: { to: alice, path: /sys/device/info/notify, token: \"${token}\" }, within: 5s }
  - bind: { phone: alice, token: \"${token}\", outcome: bound }
  - bind: { phone: mallory, token: \"${token}\", outcome: already-used }
never:
  - { log: { level: error } }
settle: 5s
";
    let cases = parse("design.yaml", text, &known()).expect("a scenario");
    let ids: Vec<_> = cases.iter().map(|case| case.id.as_str()).collect();
    let name = "SoftAP, every security, bound by the device's notify";
    let expected =
        ["none", "v1", "v1-no-pop", "v2"].map(|value| format!("{name}[security={value}]"));
    assert_eq!(ids, expected);
    let securities: Vec<_> = cases
        .iter()
        .map(|case| {
            case.scenario
                .world
                .devices
                .named("device")
                .map(|d| d.provisioning.security())
        })
        .collect();
    let all = [
        Security::None,
        Security::V1,
        Security::V1NoPop,
        Security::V2,
    ];
    assert_eq!(securities, all.map(Some));
    assert_eq!(cases[0].scenario.steps.len(), 8);
    assert_eq!(cases[0].scenario.steps[0].span.line, 11);
    assert_eq!(cases[0].device(None), "device");
}

#[test]
fn a_matrix_has_one_case_for_each_combination() {
    let text = format!(
        "name: N\nmatrix: {{ secs: [1, 2], on: [true, false] }}\nworld:{WORLD}steps:
  - wait: \"${{secs}}s\"
  - provision: {{ phone: alice, join: home, resume: \"${{on}}\", outcome: connected }}
"
    );
    let mistakes = parse("n.yaml", &text, &known()).expect_err("nothing to resume");
    assert!(
        mistakes
            .iter()
            .all(|mistake| mistake.to_string().ends_with("(with on=true)"))
    );
    assert_eq!(mistakes.count(), 1);
    let text = text.replace("[true, false]", "[false]");
    let cases = parse("n.yaml", &text, &known()).expect("a scenario");
    let ids: Vec<_> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids, ["N[secs=1,on=false]", "N[secs=2,on=false]"]);
    assert_eq!(
        cases[1].values,
        [("secs".into(), "2".into()), ("on".into(), "false".into())]
    );
}

#[test]
fn a_mistake_is_told_once_and_without_values_if_every_case_has_it() {
    let text = scenario("  - power: on\n").replace("channel", "chanel");
    let mistakes = parse("try.yaml", &text, &known()).expect_err("no such field");
    let messages: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(messages, ["unknown field `chanel`"]);
}

#[test]
fn every_mistake_is_shown_with_its_place_and_a_way_out() {
    insta::assert_snapshot!(mistakes_of(
        "name: Several
tags: smoke
world:
  access_points: { home: { chanel: 6 }, office: { rssi: strong } }
  devices: { device: { provisioning: { security: v3 } } }
steps:
  - power: up
  - provision: { phon: alice }
  - expect: { log: { text: 401 }, within: 5 }
  - wait: 5s
    extra: 1
  - reset
  - provision
never:
  - { log: { level: fatal } }
"
    ));
}

#[test]
fn what_a_scenario_names_must_be_there() {
    insta::assert_snapshot!(mistakes_of(
        "name: Names
matrix: { used: [5s], unused: [1], empty: [] }
world:
  access_points: { home: {} }
  cloud: { broker: { certificate: server-expird } }
  devices: { lamp: { cloud: { certificate: none } }, plug: {} }
  phones: [alice]
steps:
  - wait: \"${used}\"
"
    ));
    insta::assert_snapshot!(mistakes_of(
        "name: Names
matrix: { used: [5s] }
world:
  access_points: { home: {} }
  cloud: { broker: { certificate: server-expird } }
  devices: { lamp: { cloud: { certificate: none } }, plug: {} }
  phones: [alice]
steps:
  - wait: \"${used}\"
  - power: on
  - power: { device: lmap, turn: on }
  - provision: { device: lamp, phone: allice, join: homme, outcome: connected, catches: [silent-hnag] }
  - fault: { on: { isolation: hom } }
  - query: { device: lamp, phone: alice }
  - expect: { log: { text: \"${tokn}\" }, within: 1s }
"
    ));
}

#[test]
fn clauses_that_make_no_sense_are_refused() {
    for (clause, message) in [
        ("{ within: 1s }", "which event?"),
        ("{ log: {}, board: exited, within: 1s }", "here are several"),
        ("{ log: {} }", "needs `within`"),
        ("{ log: {}, for: 1s }", "takes `within`"),
        ("{ never: [{ log: {} }] }", "needs `for`"),
        ("{ never: [{ log: {} }], within: 1s }", "takes `for`"),
        ("{ never: [], for: 1s }", "the list is empty"),
        (
            "{ log: {}, in_order: [{ log: {} }], within: 1s }",
            "one expectation has one of",
        ),
        (
            "{ in_order: [{ log: {} }, { board: exited }], within: 1s }",
            "mixes Log and Board",
        ),
        (
            "{ log: {}, count: 3 }",
            "`count` needs either `for` or `within`",
        ),
        (
            "{ log: {}, count: 3, for: 1s, within: 1s }",
            "`count` needs either",
        ),
        (
            "{ log: {}, count: { at_most: 3 }, within: 1s }",
            "say `for`",
        ),
        ("{ log: {}, count: {}, for: 1s }", "`count` needs a number"),
        (
            "{ log: {}, count: many, for: 1s }",
            "expected a number, or a map",
        ),
        (
            "{ never: [{ log: {} }], for: 1s, count: 1 }",
            "`count` needs a single event",
        ),
        (
            "{ log: {}, count: 1, within: 1s, capture: { a: /b } }",
            "`capture` needs a single",
        ),
        (
            "{ log: {}, within: 1s, capture: { a: b } }",
            "a JSON pointer begins with",
        ),
        (
            "{ transcript: a, within: 1s }",
            "goes with `device` and `catches` only",
        ),
        (
            "{ log: { text: \"/(/\" }, within: 1s }",
            "not a regular expression",
        ),
        (
            "{ mqtt: { where: { topic: a } }, within: 1s }",
            "is no JSON pointer",
        ),
        (
            "{ mqtt: { where: { /topic: [a] } }, within: 1s }",
            "only single values",
        ),
        ("{ coap: { to: bob }, within: 1s }", "unknown phone `bob`"),
        (
            "{ log: {}, within: 1s, since: then }",
            "unknown value `then`",
        ),
        (
            "{ log: {}, within: }",
            "expected a duration such as `300ms`, `5s`, `2m` or `1h`, found nothing",
        ),
    ] {
        let mistake = mistake_of(&format!("  - expect: {clause}\n"));
        assert!(mistake.starts_with("line 8:"), "{mistake}");
        assert!(mistake.contains(message), "{clause}: {mistake}");
    }
}

#[test]
fn steps_that_make_no_sense_are_refused() {
    for (step, message) in [
        (
            "power: { device: device }",
            "either `turn` or `cut_in_write`",
        ),
        (
            "provision: { phone: alice, join: home }",
            "either an `outcome` or a `stop_after`",
        ),
        (
            "provision: { phone: alice, outcome: connected }",
            "whose credentials?",
        ),
        (
            "provision: { phone: alice, join: home, outcome: connected, password: x }",
            "only security `v2`",
        ),
        (
            "provision: { phone: alice, join: home, outcome: connected, damaged_proof: 0 }",
            "a proof needs a device with `security: v1` or `v2`",
        ),
        (
            "provision: { phone: alice, join: home, outcome: connected, ssid: \"\" }",
            "1 to 32 bytes",
        ),
        (
            "provision: { phone: alice, resume: true, outcome: session-lost }",
            "no open session",
        ),
        ("fault: { off: time_silent }", "this fault is not on"),
        ("fault: { on: { connect_refused: 0 } }", "1 to 5"),
        ("fault: { on: { time_silent: 1 } }", "stands alone"),
        ("fault: { on: time_silnt }", "unknown value `time_silnt`"),
        ("fault: { for: 5s }", "`on` or `off` is missing"),
        ("fault: { on: time_silent, every: 5s }", "need `for`"),
        (
            "fault: { on: time_silent, for: 5s, times: 2 }",
            "needs `every`",
        ),
        (
            "fault: { on: time_silent, for: 5s, every: 9s }",
            "needs `times`",
        ),
        (
            "fault: { on: time_silent, for: 5s, every: 1s, times: 2 }",
            "`every` is shorter than `for`",
        ),
        (
            "fault: { on: time_silent, for: 5s, every: 9s, times: 0 }",
            "`times` is at least 1",
        ),
        ("fault: { off: time_silent, for: 5s }", "go with `on`"),
        (
            "fault: { on: time_silent, off: time_silent }",
            "`on` and `off` are two steps",
        ),
        (
            "fault: { on: { connect_answer: wrong-id } }",
            "unknown value `wrong-id`",
        ),
        (
            "fault: { off: { session_ended: reset } }",
            "what has ended is not mended",
        ),
        ("expect: { transcript: ../x }", "is made of letters"),
        ("wait: 5", "`2m` or `1h`, found the number 5"),
        ("wait: 5sec", "expected a duration"),
        ("power: no", "unknown value `no`"),
    ] {
        let mistake = mistake_of(&format!("  - {step}\n"));
        assert!(mistake.contains(message), "{step}: {mistake}");
    }
}

#[test]
fn text_that_looks_like_something_else_stays_text() {
    let text = scenario("  - expect: { log: { text: no }, within: 5s }\n");
    assert!(parse("try.yaml", &text, &known()).is_ok());
}

/// What is advised about the only mistake in a scenario with these steps.
fn advice(steps: &str) -> String {
    use miette::Diagnostic;
    let text = scenario(steps);
    let mistakes = parse("try.yaml", &text, &known()).expect_err(steps);
    assert_eq!(mistakes.count(), 1, "{}", mistakes_of(&text));
    let report = mistakes.iter().next().expect("a mistake");
    report.help().expect(steps).to_string()
}

#[test]
fn a_mistake_is_answered_with_what_to_write() {
    for (steps, wanted) in [
        ("  - wait: 15\n", "write `15s`"),
        ("  - wait: 15 s\n", "write `15s`"),
        ("  - expect: { log: {}, within: 15 }\n", "write `15s`"),
        ("  - expect: { log: {}, within: 1.5 }\n", "write `1500ms`"),
        (
            "  - expect: { log: { text: 0401 }, within: 1s }\n",
            "put it in quotes: \"0401\"",
        ),
        (
            "  - expect: { log: { text: null }, within: 1s }\n",
            "put it in quotes: \"null\"",
        ),
        (
            "  - expect: { log: { text: foo: bar }, within: 1s }\n",
            "stands in quotes: `text: \"foo: bar\"`",
        ),
        (
            "  - expect:\n    log: { text: x }\n    within: 1s\n",
            "indent `log`, `within` by two spaces more than `expect`, of which they are a part",
        ),
        (
            "  - power: on\n   - power: reset\n",
            "write 2 spaces before it, as before `power`",
        ),
        (
            "  - wait: \"${pauze}\"\n",
            "a variable is set in the `matrix`, or by the `capture` of a step before",
        ),
        (
            "  - query: { phone: alice, capture: { token: /token } }\n  - bind: { phone: alice, token: \"${tokn}\", outcome: bound }\n",
            "did you mean `${token}`?",
        ),
        (
            "  - bind: { phone: alice, token: \"${token}\", outcome: bound }\n  - query: { phone: alice, capture: { token: /token } }\n",
            "only a later step captures it; this one comes too early",
        ),
    ] {
        let advice = advice(steps);
        assert!(advice.ends_with(wanted), "{steps}: {advice}");
    }
    assert!(mistake_of("  - wait: \"${pauze}\"\n").ends_with("`${pauze}` is not set"));
}

#[test]
fn values_of_a_matrix_keep_their_spelling() {
    let words = "01823456, 1e3, 0x1F, 1_000, 20182018.0, on, no, 12:30, null, ~, true, 0401";
    let text = format!(
        "name: N
matrix: {{ pin: [{words}] }}
world:
  access_points: {{ home: {{ ssid: \"${{pin}}\", passphrase: \"passphrase-${{pin}}\" }} }}
  devices: {{ device: {{}} }}
steps:
  - expect: {{ air: {{ where: {{ /ssid: \"${{pin}}\" }} }}, within: 5s }}
"
    );
    let cases = parse("n.yaml", &text, &known()).expect("a scenario");
    for (case, word) in cases.iter().zip(words.split(", ")) {
        assert_eq!(case.id, format!("N[pin={word}]"));
        assert_eq!(case.values, [("pin".to_owned(), word.to_owned())]);
        let home = case.scenario.world.access_points.named("home").expect("it");
        let given = |text: &Option<Placed<String>>| text.as_ref().map(|text| text.value.clone());
        assert_eq!(given(&home.passphrase), Some(format!("passphrase-{word}")));
        assert_eq!(
            home.ssid.as_ref().map(|ssid| ssid.to_string()).as_deref(),
            Some(word)
        );
        let Step::Expect(Expect::Clause(clause)) = &case.scenario.steps[0].value else {
            panic!("no clause");
        };
        let fields = &clause.wanted.patterns()[0].fields;
        assert_eq!(fields[0].value.value, serde_json::json!(word));
    }
    assert_eq!(cases.len(), 12);
    // Where a number is wanted, it is one.
    let text = "name: N
matrix: { channel: [1, 0x6, 011], count: [2, 3] }
world:
  access_points: { home: { channel: \"${channel}\" } }
  devices: { device: {} }
steps:
  - expect: { log: {}, count: \"${count}\", within: 5s }
";
    let cases = parse("n.yaml", text, &known());
    let mistakes = cases.expect_err("011 is no whole number of YAML 1.2");
    assert_eq!(
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["expected a number from 0 to 255, found the number 11 (with channel=011)"]
    );
}

#[test]
fn a_case_needs_what_its_steps_do() {
    let needs = |steps: &str| {
        let cases = parse("try.yaml", &scenario(steps), &known()).expect(steps);
        let needs: Vec<_> = cases[0].needs().iter().map(ToString::to_string).collect();
        needs.join(" ")
    };
    assert_eq!(needs("  - power: on\n  - power: reset\n"), "");
    assert_eq!(
        needs("  - fault: { on: time_silent }\n"),
        "time-server a firmware that can sntp"
    );
    assert_eq!(
        needs("  - power: off\n  - erase_storage\n  - power: off\n"),
        "power storage"
    );
    assert_eq!(needs("  - power: { cut_in_write: 8 }\n"), "torn-write");
    let faults =
        "  - fault: { on: { isolation: home } }\n  - fault: { on: { internet_off: home } }\n";
    assert_eq!(needs(faults), "isolate switch-access-point");
    let lasting = "  - fault: { on: { internet_off: home }, for: 1h, every: 2h, times: 3 }\n";
    assert_eq!(needs(lasting), "switch-access-point");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = parse("x.yaml", &text, &known());
    }

    #[test]
    fn no_broken_scenario_makes_the_reader_panic(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), "[\\PC\n]{0,4}"), 1..6),
    ) {
        let mut text = scenario(
            "  - power: on\n  - expect: { log: { text: \"a ${b}\" }, count: 3, for: 5s }\n  - fault: { on: { match_reply: { code: 400 } } }\n",
        );
        for (index, new) in cuts {
            let mut at = index.index(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let end = text[at..].chars().next().map_or(at, |letter| at + letter.len_utf8());
            text.replace_range(at..end, &new);
        }
        let _ = parse("x.yaml", &text, &known());
    }
}

#[test]
fn an_exception_names_a_contract_that_there_is() {
    let scenario = |contract: &str| {
        format!(
            "name: X\nworld: {{ devices: {{ device: {{}} }} }}\nsteps: [power: on]\n\
             except: [{{ contract: {contract}, because: it is about that }}]\n"
        )
    };
    assert!(parse("x.yaml", &scenario("mqtt-keeps-alive"), &known()).is_ok());
    let mistakes = mistakes_of(&scenario("mqtt-keep-alive"));
    assert!(mistakes.contains("mqtt-keeps-alive"), "{mistakes}");
}

mod folders;
mod tls;
#[test]
fn faults_of_the_network_and_of_storage_are_checked() {
    let on = |fault: &str| mistake_of(&format!("  - fault: {{ on: {{ {fault} }} }}\n"));
    for (fault, said) in [
        (
            "frames: { at: home, lost: 101 }",
            "that is more than 100 per cent",
        ),
        (
            "frames: { at: home }",
            "what becomes of them is missing: `lost`, `doubled`, `reordered`, `late` or `longest`",
        ),
        (
            "frames: { at: home, longest: 20 }",
            "an IP packet may have 68 to 1500 bytes here",
        ),
        (
            "dhcp_answer: { at: hom, with: nak }",
            "unknown access point `hom`",
        ),
        (
            "dhcp_answer: { at: home, with: nack }",
            "unknown value `nack`",
        ),
        (
            "name_answer: { with: nxdomian }",
            "unknown value `nxdomian`",
        ),
        (
            "signal: { at: home, rssi: 3 }",
            "a signal has 0 dBm at most",
        ),
        (
            "stations_lost: { at: home, reason: 0 }",
            "802.11 has no reason 0",
        ),
    ] {
        assert_eq!(
            on(fault).split_once(": ").map(|(_, said)| said),
            Some(said),
            "{fault}"
        );
    }
    let lost = "fault: { off: { stations_lost: { at: home, reason: 3 } } }";
    let mended = mistake_of(&format!("  - {lost}\n"));
    assert!(mended.contains("what has ended is not mended"), "{mended}");
    let twice = mistake_of(
        "  - fault: { on: { dhcp_answer: { at: home, with: nak } } }\n  \
         - fault: { on: { dhcp_answer: { at: home, with: never } } }\n",
    );
    assert!(
        twice.contains("another fault of this kind is on there"),
        "{twice}"
    );
    let nothing = mistake_of("  - damage_storage: { bytes: 0, with: zeros }\n");
    assert!(nothing.contains("no byte is damaged so"), "{nothing}");
    let full = mistake_of("  - damage_storage: { at: 4, with: full }\n");
    assert!(full.contains("`full` is about all of storage"), "{full}");
}
