use super::*;
use crate::action::{By, Command, Credentials, Time, Until};
use crate::setting::{Setting, Telemetry};

const WRONG: Action = Action::Provision(
    Phone::Alice,
    Credentials::WrongPassphrase(Network::Home),
    Until::End,
);
const RIGHT: Action =
    Action::Provision(Phone::Alice, Credentials::Right(Network::Home), Until::End);

/// What comes of the last of `actions`, all of which can be taken.
fn after(setting: &Setting, actions: &[Action]) -> Taken {
    let mut state = State::fresh();
    let mut last = None;
    for action in actions {
        let taken = state.take(setting, action);
        let taken = taken.unwrap_or_else(|| panic!("{action} cannot be taken in {state:?}"));
        state = taken.state.clone();
        last = Some(taken);
    }
    last.expect("there are actions")
}

/// ESP-IDF 5.5, `wifi_prov_mgr`: what phones are told in each state (docs/explore.md names the sources).
#[test]
fn the_manager_goes_through_its_states() {
    let setting = Setting::plain();
    let stays = Setting {
        auto_stop: false,
        ..setting.clone()
    };
    let apply = Action::Provision(
        Phone::Alice,
        Credentials::Right(Network::Home),
        Until::Apply,
    );
    let reset = Action::Control(Command::Reset);
    let untold = Service::Untold {
        is_half_over: false,
    };
    let rows: [(&Setting, &[Action], Service, &str); 8] = [
        (
            &setting,
            &[Action::PowerOn],
            Service::Started,
            "log: Provisioning started with service name",
        ),
        (
            &setting,
            &[Action::PowerOn, RIGHT],
            Service::Stopped,
            "connected",
        ),
        (
            &stays,
            &[Action::PowerOn, RIGHT],
            Service::Succeeded,
            "connected",
        ),
        (
            &setting,
            &[Action::PowerOn, WRONG],
            Service::Failed,
            "auth-error",
        ),
        (
            &setting,
            &[Action::PowerOn, WRONG, RIGHT],
            Service::Failed,
            "credentials-refused",
        ),
        (
            &setting,
            &[Action::PowerOn, WRONG, reset],
            Service::Started,
            "reset granted",
        ),
        (
            &setting,
            &[Action::PowerOn, reset],
            Service::Started,
            "reset refused",
        ),
        (&setting, &[Action::PowerOn, apply], untold, "apply"),
    ];
    for (setting, actions, service, checks) in rows {
        let taken = after(setting, actions);
        assert_eq!(taken.state.service, service, "{actions:?}");
        let told = taken.steps.iter().map(|step| step.checks.as_str());
        assert!(
            told.clone().any(|told| told == checks),
            "{actions:?}: {told:?}"
        );
    }
}

#[test]
fn a_service_that_told_nobody_ends_within_a_minute_and_not_at_once() {
    let setting = Setting::plain();
    let apply = Action::Provision(
        Phone::Alice,
        Credentials::Right(Network::Home),
        Until::Apply,
    );
    let soon = after(
        &setting,
        &[Action::PowerOn, apply, Action::Wait(Time::AWhile)],
    );
    assert_eq!(soon.steps[0].checks, "never log: Provisioning stopped");
    let later = after(
        &setting,
        &[Action::PowerOn, apply, Action::Wait(Time::Long)],
    );
    assert_eq!(later.state.service, Service::Stopped);
}

#[test]
fn what_failed_is_kept_until_storage_is_erased() {
    let setting = Setting::plain();
    let again = after(&setting, &[Action::PowerOn, WRONG, Action::Reset]);
    assert_eq!(again.state.service, Service::Off);
    let erased = after(&setting, &[Action::PowerOn, WRONG, Action::FactoryReset]);
    assert_eq!(erased.state.service, Service::Started);
}

#[test]
fn what_nobody_knows_the_outcome_of_cannot_be_taken() {
    let setting = Setting::plain();
    let refused: [&[Action]; 4] = [
        &[Action::PowerOff],
        &[Action::PowerOn, Action::PowerOn],
        // An address that nobody leases would be waited for without end.
        &[Action::PowerOn, Action::Break(Breakage::NoLeases), RIGHT],
        &[Action::PowerOn, Action::Mend(Breakage::NoLeases)],
    ];
    for actions in refused {
        let (last, before) = actions.split_last().expect("there are actions");
        let state = match before {
            [] => State::fresh(),
            before => after(&setting, before).state,
        };
        assert!(state.take(&setting, last).is_none(), "{actions:?}");
    }
}

#[test]
fn a_second_phone_ends_the_session_of_the_first() {
    let setting = Setting {
        security: Security::V1,
        ..Setting::plain()
    };
    let begin = Action::Provision(
        Phone::Alice,
        Credentials::Right(Network::Home),
        Until::Session,
    );
    let actions = [
        Action::PowerOn,
        begin,
        Action::ReadVersion(Phone::Bob),
        RIGHT,
    ];
    assert_eq!(after(&setting, &actions).steps[0].checks, "session lost");
}

/// ESP-MQTT's outbox and that of Linkkit's SDK are full one day, as the device's is.
#[test]
fn no_token_is_asked_for_while_unacknowledged_telemetry_fills_the_outbox() {
    let setting = Setting {
        cloud: Cloud::Linkkit,
        telemetry: Some(Telemetry {
            acknowledged: true,
            goes_on: true,
        }),
        ..Setting::plain()
    };
    let query = Action::Query(Phone::Alice, By::Broadcast);
    let never = Breakage::PubackNever;
    let mut actions = vec![Action::PowerOn, RIGHT, Action::Break(never)];
    let can_ask = |actions: &[Action]| {
        let state = after(&setting, actions).state;
        state.take(&setting, &query).is_some()
    };
    assert!(can_ask(&actions));
    actions.push(Action::Wait(Time::VeryLong));
    assert!(!can_ask(&actions));
    actions.push(Action::Mend(never));
    assert!(!can_ask(&actions));
    actions.push(Action::Wait(Time::Long));
    assert!(can_ask(&actions));
}

/// A phone's stack keeps what it cannot send yet, and sends it with the next.
#[test]
fn no_token_is_asked_for_in_the_moment_in_which_an_earlier_question_gets_through() {
    let setting = Setting {
        cloud: Cloud::Linkkit,
        ..Setting::plain()
    };
    let query = Action::Query(Phone::Alice, By::Unicast);
    let isolation = Breakage::Isolation;
    let mut actions = vec![Action::PowerOn, Action::Break(isolation), RIGHT, query];
    let can_ask = |actions: &[Action]| {
        let state = after(&setting, actions).state;
        state.take(&setting, &query).is_some()
    };
    assert!(can_ask(&actions));
    actions.push(Action::Mend(isolation));
    assert!(!can_ask(&actions));
    // A device that is started anew may hear it before it has a token to tell.
    let silent = Breakage::NameFails;
    let anew = [Action::Break(silent), Action::Reset, Action::Mend(silent)];
    let started = [&actions[..], &anew].concat();
    assert_eq!(after(&setting, &started).state.binding, Binding::Unsure);
    actions.push(Action::Wait(Time::AWhile));
    assert!(can_ask(&actions));
}
