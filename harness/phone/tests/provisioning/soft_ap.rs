//! Over HTTP, with nothing forgiven.

use std::time::Duration;

use phone::{
    Blame, Knowledge, Outcome, OutcomeReached, ProvisioningError, Settings, StationStatus, gen_sec2,
};

use super::*;

#[tokio::test]
async fn every_security_is_chosen_from_the_version_and_ends_connected() {
    let (salt, verifier) = gen_sec2("wifiprov", "abcd1234");
    let v2 = factory::Security::V2 {
        username: "wifiprov".into(),
        salt,
        verifier,
    };
    let name_and_password = Settings {
        username: Some("wifiprov".into()),
        password: Some("abcd1234".into()),
        ..Settings::of("alice")
    };
    for (security, version, settings) in [
        (factory::Security::None, NO_SECURITY, Settings::of("alice")),
        (v1("abcd1234"), SECURITY_1, with_pop("abcd1234")),
        (v1(""), NO_POP, with_pop("not asked for")),
        (v2, SECURITY_2, name_and_password),
    ] {
        let world = World::new();
        let device = world
            .device(&security, version)
            .answering(&[SET_OK, APPLY_OK, CONNECTING, CONNECTED]);
        let outcome = world
            .client(&device, settings)
            .provision(&credentials())
            .await
            .unwrap();
        let Outcome::Connected(connected) = outcome else {
            panic!("{version}: {outcome:?}");
        };
        assert_eq!(connected.ip.to_string(), "192.168.43.243");
        assert_eq!((connected.channel, connected.auth_mode), (6, 3));
    }
}

#[tokio::test]
async fn one_connection_and_one_cookie_serve_the_whole_session() {
    let world = World::new();
    let device = world
        .device(&v1("abcd1234"), SECURITY_1)
        .answering(&[SET_OK, APPLY_OK, CONNECTED]);
    world
        .client(&device, with_pop("abcd1234"))
        .provision(&credentials())
        .await
        .unwrap();
    let seen = device.seen();
    let paths: Vec<_> = seen.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/proto-ver",
            "/prov-session",
            "/prov-session",
            "/prov-config",
            "/prov-config",
            "/prov-config",
        ]
    );
    assert_eq!(seen[0].header("cookie"), None);
    for request in &seen[1..] {
        assert_eq!(request.header("cookie"), Some("session=4242"));
    }
    assert!(seen.iter().all(|request| request.connection == 1));
    assert_eq!(
        seen[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(seen[0].header("accept"), Some("text/plain"));
}

#[tokio::test]
async fn a_connection_that_was_closed_between_requests_is_opened_again() {
    let world = World::new();
    let device = world
        .device(&v1("abcd1234"), SECURITY_1)
        .answering(&[SET_OK, APPLY_OK, CONNECTED])
        .hanging_up();
    let outcome = world
        .client(&device, with_pop("abcd1234"))
        .provision(&credentials())
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Connected(_)));
    let connections: Vec<_> = device
        .seen()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn failures_that_the_device_reports_are_outcomes() {
    for (status, expected) in [
        (AUTH_ERROR, Outcome::AuthError),
        (NOT_FOUND, Outcome::NetworkNotFound),
    ] {
        let world = World::new();
        let device = world
            .plain_device()
            .answering(&[SET_OK, APPLY_OK, CONNECTING, status]);
        let outcome = world.stranger(&device).provision(&credentials()).await;
        assert_eq!(outcome.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_wrong_pop_is_a_refused_session_and_the_right_one_works_afterwards() {
    let world = World::new();
    let device = world.device(&v1("abcd1234"), SECURITY_1);
    let outcome = world
        .client(&device, with_pop("wrong"))
        .provision(&credentials())
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::SessionRefused);
    device.forget_session();
    world
        .client(&device, with_pop("abcd1234"))
        .establish()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_a_refused_session() {
    let world = World::new();
    let (salt, verifier) = gen_sec2("wifiprov", "abcd1234");
    let security = factory::Security::V2 {
        username: "wifiprov".into(),
        salt,
        verifier,
    };
    let device = world.device(&security, SECURITY_2);
    for (username, password) in [("wifiprov", "abcd12345"), ("somebody", "abcd1234")] {
        let settings = Settings {
            username: Some(username.into()),
            password: Some(password.into()),
            ..Settings::of("alice")
        };
        let outcome = world
            .client(&device, settings)
            .provision(&credentials())
            .await;
        assert_eq!(outcome.unwrap(), Outcome::SessionRefused, "{username}");
    }
}

#[tokio::test]
async fn a_session_that_the_device_forgot_is_lost() {
    let world = World::new();
    let device = world
        .device(&v1("abcd1234"), SECURITY_1)
        .answering(&[SET_OK]);
    let mut client = world.client(&device, with_pop("abcd1234"));
    client.establish().await.unwrap();
    assert!(client.is_established());
    device.forget_session();
    assert_eq!(
        client.provision(&credentials()).await.unwrap(),
        Outcome::SessionLost
    );
    assert!(!client.is_established());
    let again = client.set_config(&credentials()).await.unwrap_err();
    assert!(matches!(again, ProvisioningError::NoSession { .. }));
    assert_eq!(again.blame(), Blame::Phone);
}

#[tokio::test]
async fn a_refused_command_is_an_outcome_that_names_it() {
    for (answers, command, status) in [
        (&["08036a020804"][..], "set_config", 4),
        (&[SET_OK, "08057a020805"][..], "apply_config", 5),
    ] {
        let world = World::new();
        let device = world.plain_device().answering(answers);
        let outcome = world.stranger(&device).provision(&credentials()).await;
        assert_eq!(
            outcome.unwrap(),
            Outcome::CredentialsRefused { command, status }
        );
    }
}

#[tokio::test]
async fn success_without_an_address_is_not_believed() {
    let world = World::new();
    let device = world
        .plain_device()
        .answering(&[ENDED, SET_OK, APPLY_OK, ENDED, ENDED, ENDED, ENDED]);
    let mut client = world.stranger(&device);
    client.establish().await.unwrap();
    assert_eq!(client.status().await.unwrap(), StationStatus::ServiceEnded);
    let outcome = client.provision(&credentials()).await.unwrap();
    assert!(
        matches!(outcome, Outcome::Unreachable { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_device_that_cannot_be_reached_is_an_outcome() {
    let world = World::new();
    let device = world.plain_device().unreachable();
    let outcome = world
        .stranger(&device)
        .provision(&credentials())
        .await
        .unwrap();
    let Outcome::Unreachable { why } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        why.contains("proto-ver") && why.contains("192.168.4.1:80"),
        "{why}"
    );
}

#[tokio::test]
async fn a_silent_device_is_waited_for_as_long_as_the_phone_was_told() {
    let world = World::new();
    let device = world.plain_device().silent();
    let began = world.clock.now();
    let outcome = world
        .stranger(&device)
        .provision(&credentials())
        .await
        .unwrap();
    assert!(
        matches!(outcome, Outcome::Unreachable { .. }),
        "{outcome:?}"
    );
    let waited = world.clock.now().since(began);
    assert!(waited >= Duration::from_secs(10), "{waited:?}");
}

#[tokio::test]
async fn a_device_that_never_decides_is_given_up() {
    let world = World::new();
    let mut answers = vec![SET_OK, APPLY_OK];
    answers.extend([CONNECTING; 20]);
    let device = world.plain_device().answering(&answers);
    let settings = Settings {
        patience: Duration::from_secs(10),
        ..Settings::of("alice")
    };
    let outcome = world
        .client(&device, settings)
        .provision(&credentials())
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Undecided { .. }), "{outcome:?}");
}

#[tokio::test]
async fn what_no_sound_device_says_is_an_error_and_the_devices_fault() {
    let endless_head = [&b"HTTP/1.1 200 OK\r\nX-Filler: "[..], &[b'x'; 100_000]].concat();
    let many_headers = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(1_000)].concat();
    let endless_body = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 100_000]].concat();
    for instead in [
        &b"SSH-2.0-OpenSSH_9.6\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{{{{",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        &endless_head,
        &many_headers,
        &endless_body,
    ] {
        let world = World::new();
        let device = world.plain_device().saying(instead);
        let error = world
            .stranger(&device)
            .provision(&credentials())
            .await
            .unwrap_err();
        assert_eq!(error.outcome(), None, "{error}");
        assert_eq!(error.blame(), Blame::Device, "{error}");
        assert!(world.exchanges()[0].failure.is_some());
    }
}

#[tokio::test]
async fn nonsense_behind_the_encryption_is_an_error() {
    for answer in ["ff", CONNECTED, "0803", "08015a0410035009", "08015a021009"] {
        let world = World::new();
        let device = world.plain_device().answering(&[SET_OK, APPLY_OK, answer]);
        let mut client = world.stranger(&device);
        client.establish().await.unwrap();
        client.set_config(&credentials()).await.unwrap();
        let result = if answer == CONNECTED {
            client.apply_config().await.unwrap();
            client.apply_config().await
        } else {
            client.apply_config().await.unwrap();
            client.status().await.map(|_| ())
        };
        assert_eq!(result.unwrap_err().outcome(), None, "{answer}");
    }
}

#[tokio::test]
async fn a_phone_that_was_told_too_little_says_so() {
    let world = World::new();
    let device = world.device(&v1("abcd1234"), SECURITY_1);
    let error = world
        .stranger(&device)
        .provision(&credentials())
        .await
        .unwrap_err();
    assert!(matches!(error, ProvisioningError::Missing(Knowledge::Pop)));
    assert_eq!(error.blame(), Blame::Phone);
}

#[tokio::test]
async fn exchanges_are_traced_without_secrets() {
    let world = World::new();
    let device = world
        .device(&v1("the proof of it"), SECURITY_1)
        .answering(&[SET_OK, APPLY_OK, CONNECTED]);
    world
        .client(&device, with_pop("the proof of it"))
        .provision(&credentials())
        .await
        .unwrap();

    let exchanges = world.exchanges();
    assert_eq!(exchanges.len(), 6);
    assert_eq!(exchanges[3].request["message"], "cmd_set_config");
    assert_eq!(exchanges[3].request["ssid"], "myssid");
    assert_eq!(exchanges[3].request["passphrase"], "<passphrase 1>");
    assert_eq!(exchanges[3].answer["status"], "success");
    assert_eq!(exchanges[5].answer["connected"]["ip"], "192.168.43.243");
    let events = world.trace.since(0);
    let outcome: OutcomeReached = events.last().unwrap().payload().unwrap();
    assert_eq!(outcome.outcome, "connected");
    for event in events {
        let line = serde_json::to_string(&*event).unwrap();
        assert!(
            !line.contains(PASSPHRASE) && !line.contains("the proof of it"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn raw_bytes_reach_an_endpoint_as_they_are() {
    let world = World::new();
    let device = world.plain_device();
    let mut client = world.stranger(&device);
    let answer = client.raw("prov-session", b"\xff\xff").await.unwrap_err();
    assert_eq!(answer.outcome(), Some(Outcome::SessionRefused));
    let answer = client.raw("proto-ver", b"none").await.unwrap();
    assert_eq!(answer, NO_SECURITY.as_bytes());
}
