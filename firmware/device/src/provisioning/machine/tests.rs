use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules {
    profile: Profile(factory::Version::Idf55),
    connect: 1_000,
    auto_stop: 30_000,
    cleanup: 1_000,
    stops_by_itself: true,
    attempts: 0,
    failures: 0,
    stale_reason: false,
};
const COMPONENT: Profile = Profile(factory::Version::NetworkProvisioning);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 2);

fn home() -> Credentials {
    Credentials::new(b"home", "correct horse").unwrap()
}

fn access_point() -> AccessPoint {
    AccessPoint {
        ssid: b"home".to_vec(),
        bssid: [2, 0, 0, 0, 0, 1],
        channel: 6,
        rssi: -41,
        auth: 3,
    }
}

fn connected() -> Report {
    Report::Connected {
        address: "192.168.43.2".into(),
        access_point: access_point(),
    }
}

fn all_due(machine: &mut Machine, now: u64) -> Vec<Due> {
    core::iter::from_fn(|| machine.due(now)).collect()
}

/// What becomes of a request to apply what was set.
fn applicable(machine: &mut Machine) -> Result<Credentials, WrongState> {
    let credentials = machine.take_set().ok_or(WrongState)?;
    machine.awaits_credentials()?;
    Ok(credentials)
}

fn apply(machine: &mut Machine, now: u64) {
    machine.set(home());
    let credentials = applicable(machine).unwrap();
    machine.apply(now, credentials);
    let due = all_due(machine, now + 1_000);
    assert_eq!(due, [Due::Connect(home())]);
}

/// Credentials that have failed are forgotten, by the station, too.
fn reset(machine: &mut Machine) {
    machine.reset();
    assert_eq!(machine.due(0), Some(Due::Disconnect));
}

/// Credentials were applied at 0 and the station was told to connect.
fn trying_by(rules: Rules) -> Machine {
    let mut machine = Machine::new(rules);
    apply(&mut machine, 0);
    machine
}

fn trying() -> Machine {
    trying_by(RULES)
}

fn failed(reason: u16) -> Machine {
    let mut machine = trying();
    assert!(machine.station_left(reason).is_some());
    machine
}

/// The station got its address at 2 s.
fn succeeded() -> Machine {
    let mut machine = trying();
    let event = machine.got_address(2_000, ADDRESS, access_point());
    assert_eq!(event, Some(Event::Succeeded));
    machine
}

#[test]
fn the_station_connects_one_delay_after_apply() {
    let mut machine = Machine::new(RULES);
    machine.set(home());
    let credentials = applicable(&mut machine).unwrap();
    assert_eq!(
        machine.apply(5_000, credentials),
        Event::CredentialsReceived(home())
    );
    assert_eq!(machine.next_moment(), Some(6_000));
    assert_eq!(machine.due(5_999), None);
    assert_eq!(all_due(&mut machine, 6_000), [Due::Connect(home())]);
}

#[test]
fn apply_needs_credentials_set_before() {
    let mut machine = Machine::new(RULES);
    assert_eq!(applicable(&mut machine), Err(WrongState));
}

#[test]
fn apply_uses_up_the_credentials_that_were_set() {
    let mut machine = trying();
    assert_eq!(applicable(&mut machine), Err(WrongState));
}

#[test]
fn second_credentials_are_refused_while_trying_after_failure_and_after_success() {
    for mut machine in [trying(), failed(15), succeeded()] {
        let state = machine.state();
        machine.set(home());
        assert_eq!(applicable(&mut machine), Err(WrongState), "{state:?}");
        assert_eq!(machine.state(), state);
    }
}

#[test]
fn reasons_are_told_apart() {
    for (reason, expected) in [
        (14, Some(Reason::AuthError)),
        (15, Some(Reason::AuthError)),
        (202, Some(Reason::AuthError)),
        (204, Some(Reason::AuthError)),
        (201, Some(Reason::NetworkNotFound)),
        (2, None),
        (8, None),
        (200, None),
        (205, None),
    ] {
        let mut machine = trying();
        let event = machine.station_left(reason);
        assert_eq!(event, expected.map(Event::Failed), "{reason}");
        let report = expected.map_or(Report::Connecting, Report::Failed);
        assert_eq!(machine.report(2_000), report, "{reason}");
    }
}

#[test]
fn a_failure_is_final() {
    let mut machine = failed(201);
    assert_eq!(machine.station_left(15), None);
    assert_eq!(machine.got_address(9_000, ADDRESS, access_point()), None);
    assert_eq!(
        machine.report(9_000),
        Report::Failed(Reason::NetworkNotFound)
    );
    assert_eq!(machine.next_moment(), None);
}

#[test]
fn a_reset_after_failure_takes_credentials_anew() {
    let mut machine = failed(15);
    assert_eq!(machine.resettable(), Ok(()));
    reset(&mut machine);
    machine.set(home());
    assert_eq!(applicable(&mut machine), Ok(home()));
}

#[test]
fn what_becomes_of_reset_credentials_says_nothing_about_the_next_ones() {
    let mut machine = failed(15);
    reset(&mut machine);
    machine.set(home());
    let credentials = applicable(&mut machine).unwrap();
    machine.apply(5_000, credentials);
    assert_eq!(machine.station_left(15), None);
    assert_eq!(machine.got_address(5_500, ADDRESS, access_point()), None);
    assert_eq!(machine.report(5_500), Report::Connecting);
    assert_eq!(all_due(&mut machine, 6_000), [Due::Connect(home())]);
    assert!(machine.station_left(15).is_some());
}

#[test]
fn only_a_failure_can_be_reset() {
    for machine in [Machine::new(RULES), trying(), succeeded()] {
        assert_eq!(machine.resettable(), Err(WrongState));
    }
}

#[test]
fn a_reported_success_ends_the_service_after_the_clean_up_delay() {
    let mut machine = succeeded();
    assert_eq!(machine.report(3_000), connected());
    assert_eq!(machine.next_moment(), Some(4_000));
    assert_eq!(machine.due(3_999), None);
    assert_eq!(all_due(&mut machine, 4_000), [Due::Stop]);
}

#[test]
fn a_second_question_does_not_delay_the_end() {
    let mut machine = succeeded();
    machine.report(3_000);
    assert_eq!(machine.report(3_900), connected());
    assert_eq!(machine.next_moment(), Some(4_000));
}

#[test]
fn a_success_that_no_phone_asks_for_ends_the_service_by_itself() {
    let mut machine = succeeded();
    assert_eq!(machine.next_moment(), Some(33_000));
    assert_eq!(all_due(&mut machine, 33_000), [Due::Stop]);
    assert_eq!(machine.next_moment(), None);
}

#[test]
fn the_secret_is_freed_while_the_service_ends() {
    // Asked for at 3 s: it ends at 4 s.
    let mut machine = succeeded();
    assert!(!machine.is_cleaning_up(2_999));
    machine.report(3_000);
    assert!(machine.is_cleaning_up(3_000));
    // Not asked for: the clean-up begins 30 s after success.
    let machine = succeeded();
    assert!(!machine.is_cleaning_up(31_999));
    assert!(machine.is_cleaning_up(32_000));
    for machine in [&trying(), &failed(NO_AP_FOUND)] {
        assert!(!machine.is_cleaning_up(u64::MAX - 1_000));
    }
}

#[test]
fn a_failure_does_not_end_the_service() {
    let mut machine = failed(15);
    assert_eq!(machine.report(5_000), Report::Failed(Reason::AuthError));
    assert_eq!(machine.next_moment(), None);
}

#[test]
fn a_phone_is_told_of_a_failure_until_it_applies_others() {
    let mut machine = failed(201);
    reset(&mut machine);
    let report = Report::Failed(Reason::NetworkNotFound);
    assert_eq!(machine.report(5_000), report);
    apply(&mut machine, 5_000);
    assert_eq!(machine.report(6_000), Report::Connecting);
}

#[test]
fn attempts_are_counted_down_until_none_is_left() {
    let mut machine = trying_by(Rules {
        attempts: 3,
        ..RULES
    });
    for remaining in [2, 1] {
        assert_eq!(machine.station_left(15), None);
        assert_eq!(
            machine.station_left(205),
            None,
            "says nothing about credentials"
        );
        assert_eq!(machine.report(2_000), Report::AttemptFailed { remaining });
    }
    let failed = Some(Event::Failed(Reason::AuthError));
    assert_eq!(machine.station_left(15), failed);
}

#[test]
fn only_the_component_counts_anew_after_a_reset() {
    for (profile, left) in [(RULES.profile, None), (COMPONENT, Some(1))] {
        let mut machine = trying_by(Rules {
            attempts: 2,
            profile,
            ..RULES
        });
        machine.station_left(15);
        machine.station_left(15);
        assert_eq!(machine.state(), State::Failed);
        reset(&mut machine);
        apply(&mut machine, 5_000);
        machine.station_left(15);
        let expected = left.map_or(Report::Failed(Reason::AuthError), |remaining| {
            Report::AttemptFailed { remaining }
        });
        assert_eq!(machine.report(7_000), expected);
    }
}

#[test]
fn a_stale_reason_is_the_one_before() {
    let mut machine = trying_by(Rules {
        stale_reason: true,
        ..RULES
    });
    let mut told = Vec::new();
    for reason in [201, 201, 15, 15] {
        told.push(machine.station_left(reason));
        reset(&mut machine);
        apply(&mut machine, 5_000);
    }
    let (auth, missing) = (Reason::AuthError, Reason::NetworkNotFound);
    let expected = [auth, missing, missing, auth];
    assert_eq!(told, expected.map(|reason| Some(Event::Failed(reason))));
}

#[test]
fn after_so_many_failures_the_application_wants_a_reset() {
    let mut machine = trying_by(Rules {
        failures: 2,
        ..RULES
    });
    for (failures, due) in [
        (1, None),
        (2, Some(Due::Reset)),
        (3, None),
        (4, Some(Due::Reset)),
    ] {
        machine.station_left(15);
        assert_eq!(machine.due(5_000), due, "{failures}");
        reset(&mut machine);
        apply(&mut machine, 5_000);
    }
}

#[test]
fn a_service_that_does_not_stop_by_itself_waits_for_the_application() {
    let mut machine = trying_by(Rules {
        stops_by_itself: false,
        ..RULES
    });
    machine.got_address(2_000, ADDRESS, access_point());
    assert_eq!(machine.report(3_000), connected());
    assert_eq!(machine.next_moment(), None);
    machine.stop(100_000);
    machine.stop(100_500);
    assert_eq!(machine.due(100_999), None);
    assert_eq!(all_due(&mut machine, 101_000), [Due::Stop]);
}

#[test]
fn an_end_that_is_postponed_comes_later_and_one_that_is_not_to_come_never() {
    let mut machine = succeeded();
    machine.report(3_000);
    machine.postpone_stop(1_700);
    assert_eq!(machine.due(5_699), None);
    assert_eq!(machine.due(5_700), Some(Due::Stop));
    machine.postpone_stop(1_700);
    assert_eq!(machine.next_moment(), None);
}

#[test]
fn provisioning_anew_leaves_the_network_and_awaits_credentials() {
    assert_eq!(succeeded().reprovision(), Err(WrongState));
    let rules = Rules {
        stops_by_itself: false,
        ..RULES
    };
    let mut machine = trying_by(rules);
    machine.got_address(2_000, ADDRESS, access_point());
    assert_eq!(machine.reprovision(), Ok(()));
    assert_eq!(all_due(&mut machine, 3_000), [Due::Disconnect]);
    assert_eq!(machine.report(3_000), Report::Connecting);
    assert_eq!(machine.station_left(8), None);
    apply(&mut machine, 4_000);
    assert_eq!(
        Machine::new(rules).reprovision(),
        Ok(()),
        "whatever the state"
    );
}

#[test]
fn the_component_grants_a_reset_while_it_awaits_credentials_anyway() {
    let rules = Rules {
        profile: COMPONENT,
        ..RULES
    };
    assert_eq!(Machine::new(rules).resettable(), Ok(()));
    assert_eq!(trying_by(rules).resettable(), Err(WrongState));
}

#[derive(Clone, Debug)]
enum Step {
    Set,
    Apply,
    Left(u16),
    GotAddress,
    Report,
    Reset,
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reasons = proptest::sample::select(&[2_u16, 8, 15, 201, 202, 205][..]);
    let step = prop_oneof![
        Just(Step::Set),
        Just(Step::Apply),
        reasons.prop_map(Step::Left),
        Just(Step::GotAddress),
        Just(Step::Report),
        Just(Step::Reset),
        any::<u16>().prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    /// Whatever happens in whatever order: the service ends only after success, once, and a phone
    /// that is told of success is told so by a device that has an address.
    #[test]
    fn the_service_ends_once_and_only_after_success(steps in steps()) {
        let mut machine = Machine::new(RULES);
        let (mut now, mut successes, mut stops) = (0_u64, 0, 0);
        for step in steps {
            match step {
                Step::Set => machine.set(home()),
                Step::Apply => {
                    if let Ok(credentials) = applicable(&mut machine) {
                        machine.apply(now, credentials);
                    }
                }
                Step::Left(reason) => { machine.station_left(reason); }
                Step::GotAddress => {
                    let event = machine.got_address(now, ADDRESS, access_point());
                    successes += usize::from(event.is_some());
                }
                Step::Report => {
                    let report = machine.report(now);
                    prop_assert_eq!(report == connected(), successes > 0);
                }
                Step::Reset => {
                    if machine.resettable().is_ok() {
                        reset(&mut machine);
                    }
                }
                Step::Wait(ms) => now += u64::from(ms),
            }
            stops += all_due(&mut machine, now).iter().filter(|due| **due == Due::Stop).count();
            prop_assert!(machine.next_moment().is_none_or(|moment| moment > now));
        }
        prop_assert!(successes <= 1);
        prop_assert!(stops <= successes);
        now += 31_000;
        stops += all_due(&mut machine, now).iter().filter(|due| **due == Due::Stop).count();
        prop_assert_eq!(stops, successes);
    }
}
