//! What answers get lost, and what applications and `prov-ctrl` add.

use phone::{BindingToken, Blame, Outcome, ProvisioningError, ScanSettings, Settings, Tolerance};

use super::*;

/// A phone in the field: the device is carried around, and answers get lost.
fn tolerant() -> Settings {
    Settings {
        tolerance: Tolerance::FIELD,
        ..with_pop("abcd1234")
    }
}

#[tokio::test]
async fn any_lost_answer_is_made_up_for_by_a_new_session() {
    // proto-ver, both steps of the handshake, set, apply, status.
    for lost in 0..6 {
        let world = World::new();
        // What a device says to an apply that comes twice: it has the credentials already.
        let apply_again = if lost == 4 { "08057a020805" } else { APPLY_OK };
        let mut answers = vec![SET_OK, APPLY_OK, CONNECTED];
        match lost {
            3 => answers = vec![SET_OK, SET_OK, APPLY_OK, CONNECTED],
            4 => answers = vec![SET_OK, APPLY_OK, SET_OK, apply_again, CONNECTED],
            5 => answers.push(CONNECTED),
            _ => {}
        }
        let device = world
            .device(&v1("abcd1234"), SECURITY_1)
            .answering(&answers)
            .losing([lost]);
        let ended = world
            .client(&device, tolerant())
            .provision(&credentials())
            .await;
        match ended {
            Ok(Outcome::Connected(_)) if lost != 2 => {}
            // Whoever breaks off there has judged the proof of possession.
            Ok(Outcome::SessionRefused) if matches!(lost, 1 | 2) => {}
            other => panic!("{lost}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_that_was_taken_over_is_begun_anew_if_the_phone_tolerates_it() {
    let world = World::new();
    let device = world
        .device(&v1("abcd1234"), SECURITY_1)
        .answering(&[SET_OK, APPLY_OK, CONNECTED]);
    let mut client = world.client(&device, tolerant());
    client.establish().await.unwrap();
    device.forget_session();
    let outcome = client.provision(&credentials()).await.unwrap();
    assert!(matches!(outcome, Outcome::Connected(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_device_that_stays_away_is_given_up_in_the_end() {
    let world = World::new();
    let device = world.plain_device().unreachable();
    let began = world.clock.now();
    let outcome = world
        .client(&device, tolerant())
        .provision(&credentials())
        .await;
    assert!(
        matches!(outcome, Ok(Outcome::Unreachable { .. })),
        "{outcome:?}"
    );
    let waited = world.clock.now().since(began);
    let pauses = Tolerance::FIELD.pause * Tolerance::FIELD.retries;
    assert!(waited >= pauses && waited < 10 * pauses, "{waited:?}");
}

#[tokio::test]
async fn a_failure_is_taken_back_and_a_lost_answer_to_that_is_no_failure() {
    // RespCtrlReset, status 0 and status 5.
    for answers in [&["0802"][..], &["0802", "08021005"][..]] {
        let world = World::new();
        let device = world
            .device(&v1("abcd1234"), SECURITY_1)
            .answering(answers)
            .losing((answers.len() > 1).then_some(3));
        let mut client = world.client(&device, tolerant());
        client.establish().await.unwrap();
        client.reset().await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_reset_and_a_refused_reprovision_are_named() {
    let world = World::new();
    let device = world.plain_device().answering(&["08021005", "08041005"]);
    let mut client = world.stranger(&device);
    client.establish().await.unwrap();
    let refused = client.reset().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the device answered ctrl_reset with InternalError"
    );
    let refused = client.reprovision().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the device answered ctrl_reprov with InternalError"
    );
}

#[tokio::test]
async fn an_endpoint_of_the_application_answers_in_the_session() {
    let world = World::new();
    let device = world
        .device(&v1("abcd1234"), SECURITY_1)
        .answering(&["5355434345535300"]);
    let mut client = world.client(&device, tolerant());
    client.establish().await.unwrap();
    assert_eq!(
        client.custom("custom-data", b"hello").await.unwrap(),
        b"SUCCESS\0"
    );
    assert_eq!(device.seen().last().unwrap().path, "/custom-data");
}

#[tokio::test]
async fn what_the_application_says_of_itself_is_told() {
    let world = World::new();
    let version = r#"{"my_app": {"ver": "1.345", "cap": ["cloud"]}, "prov": {"ver": "v1.1", "cap": ["no_sec"]}}"#;
    let device = world.device(&factory::Security::None, &format!("{version}\0"));
    let info = world.stranger(&device).info().await.unwrap();
    assert_eq!(info.prov.ver, "v1.1");
    assert_eq!(info.app["my_app"]["ver"], "1.345");
    assert_eq!(info.app.len(), 1);
}

#[tokio::test]
async fn a_scan_that_does_not_block_is_asked_until_it_is_over() {
    let running = "08036a021001"; // not finished, 1 so far
    let finished = "08036a0408011001";
    let result = "08057a170a150a066d7973736964100618d7ffffffffffffffff01";
    let world = World::new();
    let device = world
        .plain_device()
        .answering(&["08015a00", running, running, finished, result]);
    let mut client = world.stranger(&device);
    client.establish().await.unwrap();
    let settings = ScanSettings {
        blocking: false,
        ..ScanSettings::default()
    };
    let found = client.scan_as(&settings).await.unwrap().found;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].ssid.as_slice(), found[0].rssi),
        (&b"myssid"[..], -41)
    );
}

#[tokio::test]
async fn a_device_that_delivers_fewer_networks_than_it_announced_is_told_of() {
    let finished = "08036a0408011012"; // finished, 18 found
    let network = "0a150a066d7973736964100618d7ffffffffffffffff01";
    let delivered = format!("08057a8703{}", network.repeat(17));
    let world = World::new();
    let device = world
        .plain_device()
        .answering(&["08015a00", finished, &delivered]);
    let mut client = world.stranger(&device);
    client.establish().await.unwrap();
    let scanned = client.scan().await.unwrap();
    assert_eq!((scanned.announced, scanned.found.len()), (18, 17));
    assert_eq!(scanned.missing(), 1);
    let error = scanned.complete().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the device announced 18 access points and delivered 17"
    );
    assert_eq!(error.blame(), Blame::Device);
}

#[tokio::test]
async fn a_scan_without_end_is_given_up() {
    let mut answers = vec!["08015a00"];
    answers.extend(["08036a021001"; 200]);
    let world = World::new();
    let device = world.plain_device().answering(&answers);
    let mut client = world.stranger(&device);
    client.establish().await.unwrap();
    let error = client.scan().await.unwrap_err();
    assert!(
        matches!(error, ProvisioningError::EndlessScan { .. }),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Device);
}

#[tokio::test]
async fn a_token_is_handed_over_alone_or_with_the_credentials() {
    let hex_of = |text: &str| hex::encode(text);
    let world = World::new();
    let device = world.plain_device().answering(&[
        &hex_of(r#"{"code":200}"#),
        &hex_of(r#"{"id":"1","code":200}"#),
        &hex_of(r#"{"code":-5}"#),
        &hex_of("no"),
    ]);
    let mut client = world.stranger(&device);
    client.establish().await.unwrap();
    let token = BindingToken::random();
    client.hand_over("binding-token", &token).await.unwrap();
    client
        .switch_ap("switchap", &credentials(), &token)
        .await
        .unwrap();
    let refused = client.hand_over("binding-token", &token).await.unwrap_err();
    assert!(refused.to_string().contains("its code is -5"), "{refused}");
    assert!(client.hand_over("binding-token", &token).await.is_err());
    for event in world.trace.since(0) {
        let line = serde_json::to_string(&*event).unwrap();
        assert!(!line.contains(token.as_str()), "{line}");
        assert!(!line.contains(&hex::encode(PASSPHRASE)), "{line}");
    }
}
