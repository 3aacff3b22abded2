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
fn a_cookie_that_was_shown_takes_the_place_of_the_socket() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.cookie = client.version().await.unwrap().cookie;
        assert_eq!(client.version().await.unwrap().cookie, None);
        client.close().await;
        assert_eq!(log::count("Resetting socket session id"), 0);

        let mut client = phone.connect().await;
        client.cookie = client.version().await.unwrap().cookie;
        assert_eq!(client.version().await.unwrap().cookie, None);
        client.cookie = None;
        let renewed = client.version().await.unwrap().cookie;
        assert!(
            renewed.is_some(),
            "a request without the cookie is a stranger's"
        );
    })));
    assert_eq!(log::count("Closing session with ID"), 2);
}

#[test]
fn a_short_cookie_of_another_service_begins_a_session_each_time() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.cookie = Some("a=b".into());
        for _ in 0..3 {
            assert!(client.version().await.unwrap().cookie.is_some());
        }
    })));
    assert_eq!(log::count("Closing session with ID"), 2);
}

#[test]
fn the_connection_stays_open_whatever_the_client_asks_for() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        for (version, field) in [
            ("1.0", ""),
            ("1.1", "Connection: close\r\n"),
            ("1.0", "Connection: close\r\n"),
        ] {
            let mut client = phone.connect().await;
            let request =
                format!("POST /proto-ver HTTP/{version}\r\nContent-Length: 3\r\n{field}\r\n---");
            for _ in 0..2 {
                client.send(request.as_bytes()).await.unwrap();
                let response = client.receive().await;
                assert_eq!(response.unwrap().status, 200, "{version} {field}");
                Timer::after_secs(1).await;
            }
            client.close().await;
        }
    })));
}

#[test]
fn a_query_finds_the_handler_and_no_endpoint() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        assert_eq!(client.post("/proto-ver?a=b", b"---").await, Err(Closed));
        let mut client = phone.connect().await;
        let response = client.post("/nothing?a=b", b"---").await;
        assert_eq!(response.unwrap().status, 404);
    })));
    log::assert_in_order(&[
        "No registered endpoint for proto-ver?a=b",
        "Data handler failed",
        "httpd_uri: uri handler execution failed",
        "httpd_uri: URI '/nothing?a=b' not found",
    ]);
}

#[test]
fn what_the_handler_refuses_is_told_by_the_transport() {
    // Without encryption it is the transport alone that says so.
    for (security, path, body, told) in [
        (factory::Security::None, "/prov-config", &b"\xFF\xFF"[..], 0),
        (factory::Security::None, "/prov-session", b"garbage", 0),
        (
            factory::Security::V1 {
                pop: "abcd1234".into(),
            },
            "/prov-session",
            b"garbage",
            0,
        ),
    ] {
        let world = World::with(|provisioning| provisioning.security = security.clone());
        let since = log::count("Data handler failed");
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let mut client = phone.connect().await;
            assert_eq!(client.post(path, body).await, Err(Closed));
        })));
        assert_eq!(log::count("Request handler for"), told, "{path}");
        assert_eq!(log::count("Data handler failed"), since + 1, "{path}");
    }
    let lines = log::lines();
    let line = lines.iter().find(|line| line.text == "Data handler failed");
    let line = line.unwrap();
    assert_eq!(
        (line.level, &line.tag[..]),
        (::log::Level::Error, "protocomm_httpd")
    );
}

#[test]
fn a_request_without_a_body_begins_a_session_before_it_is_refused() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let cookie = phone.connect().await.version().await.unwrap().cookie;
        let mut stranger = phone.connect().await;
        assert_eq!(stranger.post("/proto-ver", b"").await, Err(Closed));
        let mut client = phone.connect().await;
        client.cookie = cookie;
        assert!(client.version().await.unwrap().cookie.is_some());
    })));
    log::assert_in_order(&[
        "Closing session with ID",
        "Content length not found",
        "httpd_uri: uri handler execution failed",
        "Closing session with ID",
    ]);
}

#[test]
fn a_body_that_does_not_come_is_not_asked_for_again() {
    let world = World::new();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let head = b"POST /proto-ver HTTP/1.1\r\nContent-Length: 3\r\n\r\n-";
        client.send(head).await.unwrap();
        let begun = Instant::now();
        client.wait_closed().await;
        assert_eq!(begun.elapsed().as_secs(), 5);
    })));
}

#[test]
fn old_versions_have_a_space_behind_the_socket() {
    for (version, line) in [
        (factory::Version::Idf44, "as socket 54 was closed"),
        (factory::Version::Idf50, "as socket 54 was closed"),
        (factory::Version::Idf52, "as socket 54was closed"),
        (factory::Version::Idf55, "as socket 54was closed"),
        (
            factory::Version::NetworkProvisioning,
            "as socket 54was closed",
        ),
    ] {
        let world = World::with(|provisioning| provisioning.version = version);
        let since = log::count(line);
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let mut client = phone.connect().await;
            client.version().await.unwrap();
            client.close().await;
            Timer::after_secs(1).await;
        })));
        assert_eq!(log::count(line), since + 1, "{version:?}");
    }
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
        "Resetting socket session id as socket 54was closed",
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
            ("BREW /proto-ver HTTP/1.1\r\n\r\n", 400),
            (
                "POST /proto-ver HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n---",
                400,
            ),
            (&format!("GET /{} HTTP/1.1\r\n\r\n", "u".repeat(511)), 404),
            (&format!("GET /{} HTTP/1.1\r\n\r\n", "u".repeat(512)), 414),
            (&format!("GET /{}", "u".repeat(2000)), 414),
        ] {
            let mut client = phone.connect().await;
            client.send(request.as_bytes()).await.unwrap();
            let response = client.receive().await.unwrap();
            assert_eq!(response.status, status, "{request}");
            client.close().await;
        }
    })));
    log::assert_in_order(&[
        "httpd_uri: Method '1' not allowed for URI '/proto-ver'",
        "httpd_resp_send_err: 405 Method Not Allowed - Specified method is invalid for this resource",
        "httpd_uri: URI '/' not found",
        "httpd_resp_send_err: 404 Not Found - Nothing matches the given URI",
        "httpd_resp_send_err: 400 Bad Request - Bad request syntax",
        "cb_url: URI length (513) greater than supported (512)",
        "parse_block: parsing failed",
        "httpd_resp_send_err: 414 URI Too Long - URI is too long",
    ]);
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
