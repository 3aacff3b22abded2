//! Over a console.

use std::time::Duration;

use phone::{
    Blame, Console, ConsoleSettings, Outcome, ProvisioningClient, Settings, TransportKind, gen_sec2,
};

use super::support::console::Habits;
use super::*;

const LOG: &str = "\x1b[0;32mI (1834) wifi: mode : sta (a0:b1:c2:d3:e4:f5)\x1b[0m\r\n";

impl World {
    fn console(&self, habits: Habits) -> FakeDevice {
        self.device(&v1("abcd1234"), SECURITY_1)
            .answering(&[SET_OK, APPLY_OK, CONNECTED])
            .with_console(habits)
    }

    fn talker(
        &self,
        device: &FakeDevice,
        pop: &str,
        line_limit: Option<usize>,
    ) -> ProvisioningClient {
        let settings = Settings {
            pop: Some(pop.into()),
            username: Some("wifiprov".into()),
            password: Some("abcd1234".into()),
            ..Settings::of("alice")
        };
        let console = Console::new(
            device.port(),
            "a test",
            self.clock.clone(),
            settings.request_timeout,
            ConsoleSettings { line_limit },
        );
        ProvisioningClient::over(Box::new(console), settings, self.trace.clone())
    }
}

#[tokio::test]
async fn a_device_is_provisioned_whatever_it_logs_in_between() {
    for habits in [
        Habits::default(),
        Habits {
            before: LOG,
            after: LOG,
            ..Habits::default()
        },
        Habits {
            in_echo: LOG,
            ..Habits::default()
        },
        // Without line ends, as drivers in ROM print.
        Habits {
            in_echo: "phy_init",
            after: "W (9) x: no end",
            ..Habits::default()
        },
    ] {
        let world = World::new();
        let device = world.console(habits.clone());
        let mut client = world.talker(&device, "abcd1234", Some(256));
        assert_eq!(client.transport(), TransportKind::Console);
        let outcome = client.provision(&credentials()).await.unwrap();
        assert!(
            matches!(outcome, Outcome::Connected(_)),
            "{habits:?}: {outcome:?}"
        );
        let seen = device.seen();
        let session = seen[0].header("session");
        assert!(
            seen.iter()
                .all(|request| request.header("session") == session)
        );
    }
}

#[tokio::test]
async fn a_console_that_never_prompts_again_is_still_understood() {
    let world = World::new();
    let device = world.console(Habits {
        after: "\r\nI (5) x: prompt lost>",
        ..Habits::default()
    });
    let outcome = world
        .talker(&device, "abcd1234", Some(256))
        .provision(&credentials())
        .await;
    assert!(matches!(outcome, Ok(Outcome::Connected(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_wrong_pop_is_a_refused_session_and_tells_what_the_console_said() {
    let world = World::new();
    let device = world.console(Habits {
        before: "E (7) security1: Key mismatch. Close connection\r\n",
        ..Habits::default()
    });
    let mut client = world.talker(&device, "wrong", Some(256));
    let error = client.establish().await.unwrap_err();
    assert!(
        trace::in_full(&error).contains("Key mismatch"),
        "{}",
        trace::in_full(&error)
    );
    assert_eq!(error.outcome(), Some(Outcome::SessionRefused));
    assert_eq!(Outcome::SessionRefused.blame(), Some(Blame::Owner));
}

#[tokio::test]
async fn security_2_does_not_fit_on_a_line_of_256_bytes_and_does_on_a_longer_one() {
    let (salt, verifier) = gen_sec2("wifiprov", "abcd1234");
    let security = factory::Security::V2 {
        username: "wifiprov".into(),
        salt,
        verifier,
    };
    for (limit, fits) in [(256, false), (2048, true)] {
        let world = World::new();
        let device = FakeDevice::new(world.clock.clone(), &security, SECURITY_2)
            .answering(&[SET_OK, APPLY_OK, CONNECTED])
            .with_console(Habits {
                limit,
                ..Habits::default()
            });
        let mut client = world.talker(&device, "", Some(limit));
        match client.provision(&credentials()).await.unwrap() {
            Outcome::Connected(_) => assert!(fits),
            Outcome::DoesNotFit { why } => {
                assert!(!fits && why.contains("holds 256 bytes"), "{why}");
                // Nobody has waited for an answer, and nothing of it was sent.
                assert_eq!(device.seen().len(), 1);
            }
            outcome => panic!("{limit}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_line_that_the_device_cuts_off_is_no_answer() {
    let world = World::new();
    let device = world.console(Habits {
        limit: 40,
        ..Habits::default()
    });
    let outcome = world
        .talker(&device, "abcd1234", None)
        .provision(&credentials())
        .await;
    assert_eq!(outcome.unwrap(), Outcome::SessionRefused);
}

#[tokio::test]
async fn a_port_without_a_console_is_waited_for_as_long_as_the_phone_was_told() {
    let world = World::new();
    let device = world.console(Habits::default()).silent();
    let began = world.clock.now();
    let outcome = world
        .talker(&device, "abcd1234", None)
        .provision(&credentials())
        .await
        .unwrap();
    let Outcome::Unreachable { why } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("no prompt within 10s"), "{why}");
    let waited = world.clock.now().since(began);
    assert!(waited >= Duration::from_secs(10), "{waited:?}");
}

#[tokio::test]
async fn a_device_that_forgot_the_session_is_a_lost_session_and_a_new_one_has_another_number() {
    let world = World::new();
    let device = world.console(Habits::default());
    let mut client = world.talker(&device, "abcd1234", Some(256));
    client.establish().await.unwrap();
    device.forget_session();
    let outcome = client.provision(&credentials()).await.unwrap();
    assert_eq!(outcome, Outcome::SessionLost);
    client.forget();
    let outcome = client.provision(&credentials()).await.unwrap();
    assert!(matches!(outcome, Outcome::Connected(_)), "{outcome:?}");
    let seen = device.seen();
    assert_ne!(
        seen[0].header("session"),
        seen.last().unwrap().header("session")
    );
}
