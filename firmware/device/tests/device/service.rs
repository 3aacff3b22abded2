//! The HTTP server in front of the endpoints.

use embassy_time::{Duration, Instant, Timer};
use proto::Message;
use proto::wifi_scan::{CmdScanResult, CmdScanStart, Payload, WifiScanPayload};

use crate::phone::{Closed, Phone};
use crate::world::World;
use crate::{log, time};

#[test]
fn one_connection_serves_many_requests_and_sets_its_cookie_once() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let first = client.version().await.unwrap();
        let cookie = first.cookie.expect("a new session");
        assert!(cookie.starts_with("session="), "{cookie}");
        for cookies in [None, Some(cookie)] {
            client.cookie = cookies;
            assert_eq!(client.version().await.unwrap().cookie, None);
        }
    })));
}

#[test]
fn a_newer_client_evicts_the_older_one() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |alice| {
        let mut first = alice.connect().await;
        first.version().await.unwrap();
        Phone::with(&world, 2, async |mallory| {
            let mut second = mallory.connect().await;
            second.version().await.unwrap();
            first.wait_closed().await;
            let mut third = alice.connect().await;
            third.version().await.unwrap();
            second.wait_closed().await;
        })
        .await;
    })));
    log::assert_in_order(&[
        "Resetting socket session id as socket 54 was closed",
        "Closing session with ID: ",
    ]);
}

#[test]
fn a_second_phone_ends_the_first_ones_session() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |alice| {
        let mut first = alice.connect().await;
        let cookie = first.version().await.unwrap().cookie;
        Phone::with(&world, 2, async |mallory| {
            let mut second = mallory.connect().await;
            assert!(second.version().await.unwrap().cookie.is_some());
        })
        .await;
        let mut again = alice.connect().await;
        again.cookie = cookie.clone();
        let renewed = again.version().await.unwrap().cookie;
        assert!(renewed.is_some() && renewed != cookie, "{renewed:?}");
    })));
}

#[test]
fn a_cookie_takes_the_session_to_another_connection() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let cookie = phone.connect().await.version().await.unwrap().cookie;
        let mut again = phone.connect().await;
        again.cookie = cookie;
        assert_eq!(again.version().await.unwrap().cookie, None);
    })));
    assert_eq!(log::count("Closing session"), 0);
}

#[test]
fn wrong_paths_and_methods_are_refused() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        for (request, status) in [
            ("GET /proto-ver HTTP/1.1\r\n\r\n", 405),
            ("GET / HTTP/1.1\r\n\r\n", 404),
            (
                "POST /elsewhere HTTP/1.1\r\nContent-Length: 1\r\n\r\n-",
                404,
            ),
            ("HELLO\r\n\r\n", 400),
        ] {
            let mut client = phone.connect().await;
            client.send(request.as_bytes()).await.unwrap();
            let response = client.receive().await.unwrap();
            assert_eq!(response.status, status, "{request}");
            client.close().await;
        }
    })));
}

#[test]
fn a_request_that_no_handler_can_serve_closes_the_connection_without_a_response() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let requests: [(&str, &[u8]); 5] = [
            ("/proto-ver", b""),
            ("/proto-ver", &[b'-'; 4097]),
            ("/prov-session", b"garbage"),
            ("/prov-config", b"\xFF\xFF"),
            ("/prov-config", &[8, 77]),
        ];
        for (count, (path, body)) in requests.into_iter().enumerate() {
            let mut client = phone.connect().await;
            assert_eq!(client.post(path, body).await, Err(Closed), "{path}");
            assert_eq!(log::count("uri handler execution failed"), count + 1);
            client.close().await;
        }
        let mut client = phone.connect().await;
        assert!(client.version().await.is_ok(), "the next client is served");
    })));
}

#[test]
fn the_longest_body_is_taken() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let response = client.post("/proto-ver", &[b'-'; 4096]).await;
        assert_eq!(response.unwrap().status, 200);
    })));
}

#[test]
fn half_a_request_is_not_waited_for_without_end() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.send(b"POST /proto-ver HTTP/1.1\r\n").await.unwrap();
        let begun = Instant::now();
        assert_eq!(client.receive().await.unwrap().status, 408);
        assert_eq!(begun.elapsed().as_secs(), 5);
    })));
}

#[test]
fn a_scan_tells_what_the_radio_hears() {
    let world = World::with_home();
    world.add_access_point("attic", "", 11, -80);
    world.add_access_point("cellar", "", 1, -30);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let begun = Instant::now();
        let start = WifiScanPayload::from(Payload::CmdScanStart(CmdScanStart {
            blocking: true,
            passive: false,
            group_channels: 5,
            period_ms: 120,
        }));
        client
            .post("/prov-scan", &start.encode_to_vec())
            .await
            .unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(240));
        let wanted = WifiScanPayload::from(Payload::CmdScanResult(CmdScanResult {
            start_index: 0,
            count: 3,
        }));
        let response = client.post("/prov-scan", &wanted.encode_to_vec()).await;
        let response = WifiScanPayload::decode(&response.unwrap().body[..]).unwrap();
        let Some(Payload::RespScanResult(result)) = response.payload else {
            panic!("{response:?}");
        };
        let found: Vec<_> = result
            .entries
            .iter()
            .map(|entry| (entry.ssid.as_slice(), entry.channel, entry.rssi))
            .collect();
        let expected: [(&[u8], u32, i32); 3] =
            [(b"cellar", 1, -30), (b"home", 6, -41), (b"attic", 11, -80)];
        assert_eq!(found, expected);
    })));
}

#[test]
fn a_silent_client_is_forgotten_in_the_end() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.version().await.unwrap();
        Timer::after_secs(110).await;
        client.version().await.unwrap();
        Timer::after_secs(119).await;
        client.wait_closed().await;
    })));
}
