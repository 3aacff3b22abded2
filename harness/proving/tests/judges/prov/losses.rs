//! What goes astray between phone and device, and devices that say what they should not.

use super::*;
use crate::between::{Between, Mishap};

/// RespGetStatus of a device whose service has ended: success, and no address.
const NOTHING_KNOWN: [u8; 4] = [0x08, 0x01, 0x5a, 0x00];
/// CmdGetStatus, in a session without encryption.
const GET_STATUS: [u8; 2] = [0x52, 0x00];

/// A device of this security, and somebody before it.
fn behind(
    security: &str,
    judge: impl FnMut(&crate::between::Request<'_>) -> Mishap + Send + 'static,
) -> (Owner, Between) {
    let owner = Owner::of("softap", security);
    let between = Between::start(owner.up.forward("tcp", "softap", 80), judge);
    let owner = owner.through(&between.url());
    (owner, between)
}

/// How often a session was begun: each takes two requests.
fn sessions(between: &Between) -> usize {
    let paths = between.paths();
    let steps = paths.iter().filter(|path| *path == "/prov-session");
    steps.count() / 2
}

#[test]
fn an_answer_that_is_lost_is_asked_for_in_a_new_session() {
    // proto-ver, set, apply, status; both steps of the handshake stand between the first two.
    for (security, lost, begun) in [
        ("v1", 0, 1),
        ("v1", 3, 2),
        ("v1", 4, 2),
        ("v2", 4, 2),
        ("v2", 5, 2),
    ] {
        let (owner, between) = behind(security, move |request| match request.number {
            number if number == lost => Mishap::LoseAnswer,
            _ => Mishap::None,
        });
        let said = owner.set("env:PASSPHRASE", &[]).well();
        assert!(said.text().starts_with("connected: "), "{said:?}");
        assert_eq!(sessions(&between), begun, "{:?}", between.paths());
        owner.up.end();
    }
}

#[test]
fn a_session_that_another_phone_has_taken_is_begun_anew() {
    let (owner, between) = behind("v2", |request| match request.number {
        3 => Mishap::Intruder,
        _ => Mishap::None,
    });
    let said = owner.set("env:PASSPHRASE", &[]).well();
    assert!(said.text().starts_with("connected: "), "{said:?}");
    assert_eq!(sessions(&between), 2, "{:?}", between.paths());
    owner.up.end();
}

#[test]
fn who_forgives_nothing_hears_of_the_first_loss() {
    let (owner, between) = behind("v1", |request| match request.number {
        4 => Mishap::LoseAnswer,
        _ => Mishap::None,
    });
    let said = owner.set("env:PASSPHRASE", &["--no-retry"]);
    // A device that no longer knows the session hangs up just so.
    ended(&said, 1, "the device no longer knows the session");
    assert_eq!(between.paths().len(), 5);
    owner.up.end();
}

#[test]
fn connected_counts_only_where_it_says_to_what() {
    let (owner, _between) = behind("none", |request| match request.body {
        body if body == GET_STATUS => Mishap::Replace(NOTHING_KNOWN.to_vec()),
        _ => Mishap::None,
    });
    let status = owner.json(&["status"]);
    assert_eq!(status[0]["state"], "ended", "{status:?}");
    let said = owner.set("env:PASSPHRASE", &[]);
    assert!(!said.text().contains("connected"), "{said:?}");
    ended(&said, 3, "its status stays ServiceEnded");
    owner.up.end();

    let mut replaced = false;
    let (owner, _between) = behind("none", move |request| match request.body {
        body if body == GET_STATUS && !replaced => {
            replaced = true;
            Mishap::Replace(NOTHING_KNOWN.to_vec())
        }
        _ => Mishap::None,
    });
    let said = owner.set("env:PASSPHRASE", &[]).well();
    assert!(said.text().starts_with("connected: "), "{said:?}");
    owner.up.end();
}

#[test]
fn a_device_that_talks_nonsense_is_blamed_for_it() {
    for (path, answer, why) in [
        (
            "/proto-ver",
            &b"<html>"[..],
            "failed to read the device's version",
        ),
        (
            "/prov-session",
            b"\xff\xff",
            "failed to understand the answer of prov-session",
        ),
        (
            "/prov-config",
            b"\x08\x05\x7a\x00",
            "it is a RespApplyConfig",
        ),
    ] {
        let (owner, _between) = behind("none", move |request| {
            if request.path == path {
                Mishap::Replace(answer.to_vec())
            } else {
                Mishap::None
            }
        });
        let said = owner.prov(&["status"]);
        ended(&said, 1, why);
        ended(&said, 1, "the device caused this; ");
        owner.up.end();
    }
}
