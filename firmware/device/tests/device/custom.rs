//! The application's own endpoints.

use embassy_time::Timer;
use factory::{PhoneToken, TokenForm, Unregister};
use proto::handover::{HandoverReply, OK, RANDOM, SSID, STATE, TOKEN};

use crate::phone::{Client, Closed, Phone};
use crate::world::World;
use crate::{log, time};

/// Plays a scenario with a phone on the SoftAP.
fn play(world: &World, scenario: impl AsyncFnOnce(&mut Client)) {
    time::run(world.powered(Phone::with(world, 1, async |phone| {
        scenario(&mut phone.connect().await).await;
    })));
}

#[test]
fn the_example_endpoint_logs_and_answers() {
    play(&World::new(), async |client| {
        let response = client.post("/custom-data", b"hello").await.unwrap();
        assert_eq!(response.body, b"SUCCESS\0");
    });
    log::assert_in_order(&["Received data: hello"]);
}

#[test]
fn endpoints_come_with_their_handlers_and_go_without_them() {
    let world = World::with(|provisioning| {
        provisioning.custom_endpoints = vec!["one".into(), "two".into()];
        provisioning.register_delay_ms = 5_000;
        let order = |endpoint: &str, after_ms| Unregister {
            endpoint: endpoint.into(),
            after_ms,
        };
        provisioning.unregister = vec![order("two", 10_000), order("prov-scan", 10_000)];
    });
    play(&world, async |client| {
        assert_eq!(client.post("/one", b"x").await.unwrap().status, 404);
        client.wait_closed().await;
    });
    play(&world, async |client| {
        Timer::after_secs(6).await;
        for path in ["/one", "/two", "/prov-scan"] {
            assert_eq!(client.post(path, b"\x08\x02").await.unwrap().status, 200);
        }
        Timer::after_secs(5).await;
        assert_eq!(client.post("/one", b"x").await.unwrap().status, 200);
        assert_eq!(
            client.post("/prov-scan", b"\x08\x02").await.unwrap().status,
            404
        );
        client.wait_closed().await;
    });
}

#[test]
fn the_application_can_stop_the_service_from_its_handler() {
    let world = World::with(|provisioning| {
        provisioning.disable_auto_stop = true;
        provisioning.cleanup_delay_ms = 2_000;
        provisioning.stop_endpoint = "custom-data".into();
    });
    play(&world, async |client| {
        client.provision("home", "correct horse").await;
        Timer::after_secs(90).await;
        client.status().await;
        Timer::after_secs(90).await;
        assert_eq!(log::count("Provisioning stopped"), 0);
        let response = client.post("/custom-data", b"goodbye").await.unwrap();
        assert_eq!(response.body, b"SUCCESS\0");
        Timer::after_millis(1_900).await;
        assert!(client.version().await.is_ok());
        client.wait_closed().await;
        Timer::after_secs(1).await;
    });
    log::assert_in_order(&["Received data: goodbye", "Provisioning stopped"]);
}

fn with_token(form: TokenForm) -> World {
    World::with(|provisioning| {
        provisioning.custom_endpoints = vec!["bind-token".into()];
        let endpoint = "bind-token".into();
        provisioning.phone_token = Some(PhoneToken { endpoint, form });
    })
}

async fn code(client: &mut Client, request: &str) -> i64 {
    let response = client.post("/bind-token", request.as_bytes()).await;
    let reply: HandoverReply = serde_json::from_slice(&response.unwrap().body).unwrap();
    reply.code
}

#[test]
fn a_phone_hands_its_token_over_before_the_credentials() {
    play(&with_token(TokenForm::Alone), async |client| {
        for (token, expected) in [
            ("4786F0F6E1CC7BF86017FD4D1429EE4F", OK),
            ("4786f0f6e1cc7bf86017fd4d1429ee4f", OK),
            ("4786", TOKEN),
        ] {
            let request = format!(r#"{{"token":"{token}"}}"#);
            assert_eq!(code(client, &request).await, expected, "{token}");
        }
        assert_eq!(client.post("/bind-token", b"{}").await, Err(Closed));
    });
    assert_eq!(log::count("the phone's binding token is taken"), 2);
    assert_eq!(log::count("4786F0F6E1CC7BF86017FD4D1429EE4F"), 0);
}

#[test]
fn token_and_credentials_come_in_one_message() {
    let request = |ssid: &str, random: &str| {
        let passwd = hex::encode("correct horse");
        let token = "4786F0F6E1CC7BF86017FD4D1429EE4F";
        format!(
            r#"{{"id":"7","params":{{"ssid":"{ssid}","random":"{random}","token":"{token}","passwd":"{passwd}"}}}}"#
        )
    };
    let random = "00112233445566778899AABBCCDDEEFF";
    play(&with_token(TokenForm::Switchap), async |client| {
        for (request, expected) in [
            (request("", random), SSID),
            (request("home", "00"), RANDOM),
            (request("home", random), OK),
            (request("home", random), STATE),
        ] {
            assert_eq!(code(client, &request).await, expected, "{request}");
        }
        Timer::after_secs(5).await;
        assert_eq!(client.post("/bind-token", b"{").await, Err(Closed));
    });
    log::assert_in_order(&[
        "Received Wi-Fi credentials",
        "the phone's binding token is taken",
        "Provisioning successful",
    ]);
    assert_eq!(log::count("the phone's binding token is taken"), 1);
}
