use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const DELAYS: Delays = Delays {
    connect: 1_000,
    auto_stop: 30_000,
    cleanup: 1_000,
};
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

/// Credentials were applied at 0 and the station was told to connect.
fn trying() -> Machine {
    let mut machine = Machine::new(DELAYS);
    machine.set(home());
    let credentials = machine.applicable().unwrap();
    machine.apply(0, credentials);
    assert_eq!(all_due(&mut machine, 1_000), [Due::Connect(home())]);
    machine
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
    let mut machine = Machine::new(DELAYS);
    machine.set(home());
    let credentials = machine.applicable().unwrap();
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
    let mut machine = Machine::new(DELAYS);
    assert_eq!(machine.applicable(), Err(WrongState));
}

#[test]
fn apply_uses_up_the_credentials_that_were_set() {
    let mut machine = trying();
    assert_eq!(machine.applicable(), Err(WrongState));
}

#[test]
fn second_credentials_are_refused_while_trying_after_failure_and_after_success() {
    for mut machine in [trying(), failed(15), succeeded()] {
        let state = machine.state();
        machine.set(home());
        assert_eq!(machine.applicable(), Err(WrongState), "{state:?}");
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
    machine.reset();
    machine.set(home());
    assert_eq!(machine.applicable(), Ok(home()));
}

#[test]
fn what_becomes_of_reset_credentials_says_nothing_about_the_next_ones() {
    let mut machine = failed(15);
    machine.reset();
    machine.set(home());
    let credentials = machine.applicable().unwrap();
    machine.apply(5_000, credentials);
    assert_eq!(machine.station_left(15), None);
    assert_eq!(machine.got_address(5_500, ADDRESS, access_point()), None);
    assert_eq!(machine.report(5_500), Report::Connecting);
    assert_eq!(all_due(&mut machine, 6_000), [Due::Connect(home())]);
    assert!(machine.station_left(15).is_some());
}

#[test]
fn only_a_failure_can_be_reset() {
    for machine in [Machine::new(DELAYS), trying(), succeeded()] {
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
fn a_success_that_nobody_asks_for_ends_the_service_by_itself() {
    let mut machine = succeeded();
    assert_eq!(machine.next_moment(), Some(33_000));
    assert_eq!(all_due(&mut machine, 33_000), [Due::Stop]);
    assert_eq!(machine.next_moment(), None);
}

#[test]
fn a_failure_does_not_end_the_service() {
    let mut machine = failed(15);
    assert_eq!(machine.report(5_000), Report::Failed(Reason::AuthError));
    assert_eq!(machine.next_moment(), None);
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
        let mut machine = Machine::new(DELAYS);
        let (mut now, mut successes, mut stops) = (0_u64, 0, 0);
        for step in steps {
            match step {
                Step::Set => machine.set(home()),
                Step::Apply => {
                    if let Ok(credentials) = machine.applicable() {
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
                        machine.reset();
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
