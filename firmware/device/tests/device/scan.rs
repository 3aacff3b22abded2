//! Scans, as a phone asks for them.

use embassy_time::{Duration, Instant, Timer};
use proto::wifi_scan::{
    CmdScanResult, CmdScanStart, CmdScanStatus, Payload, RespScanStatus, WifiScanPayload,
    WifiScanResult,
};
use proto::{Message, Status};

use crate::phone::{Client, Closed, Phone};
use crate::time;
use crate::world::World;

/// Starts a scan; returns what is said about it.
pub async fn start(client: &mut Client, start: CmdScanStart) -> Status {
    call(client, Payload::CmdScanStart(start)).await.status()
}

/// All channels at once, waiting for the end.
pub fn whole() -> CmdScanStart {
    CmdScanStart {
        blocking: true,
        ..CmdScanStart::default()
    }
}

pub async fn status(client: &mut Client) -> RespScanStatus {
    match call(client, Payload::CmdScanStatus(CmdScanStatus {}))
        .await
        .payload
    {
        Some(Payload::RespScanStatus(status)) => status,
        other => panic!("{other:?}"),
    }
}

pub async fn results(
    client: &mut Client,
    start_index: u32,
    count: u32,
) -> (Status, Vec<WifiScanResult>) {
    let wanted = Payload::CmdScanResult(CmdScanResult { start_index, count });
    let response = call(client, wanted).await;
    let status = response.status();
    match response.payload {
        Some(Payload::RespScanResult(result)) => (status, result.entries),
        other => panic!("{other:?}"),
    }
}

async fn call(client: &mut Client, request: Payload) -> WifiScanPayload {
    let request = WifiScanPayload::from(request);
    let response = client.post("/prov-scan", &request.encode_to_vec()).await;
    let response = WifiScanPayload::decode(&response.unwrap().body[..]).unwrap();
    assert_eq!(response.msg, request.msg + 1);
    response
}

fn with_neighbours(count: u8) -> World {
    let world = World::new();
    for number in 0..count {
        let ssid = format!("neighbour {number}");
        // Stronger and stronger, so that the order of hearing is the wrong one.
        world.add_access_point(&ssid, "", 1 + number % 13, -90 + number as i8);
    }
    world
}

#[test]
fn at_most_sixteen_come_back_the_strongest_first() {
    let world = with_neighbours(20);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        assert_eq!(start(&mut client, whole()).await, Status::Success);
        let after = status(&mut client).await;
        assert_eq!((after.scan_finished, after.result_count), (true, 16));
        let (status, all) = results(&mut client, 0, 16).await;
        assert_eq!(status, Status::Success);
        let levels: Vec<i32> = all.iter().map(|entry| entry.rssi).collect();
        assert_eq!(levels, (-86..=-71).rev().collect::<Vec<i32>>());
        let (status, slice) = results(&mut client, 4, 4).await;
        assert_eq!((status, &slice[..]), (Status::Success, &all[4..8]));
    })));
}

#[test]
fn results_past_the_last_one_are_an_error_with_those_that_exist() {
    let world = with_neighbours(3);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        start(&mut client, whole()).await;
        let (status, slice) = results(&mut client, 2, 4).await;
        assert_eq!((status, slice.len()), (Status::InternalError, 1));
    })));
}

#[test]
fn results_past_the_list_end_the_connection_since_5_5_5() {
    use factory::Version;
    for version in [
        Version::Idf44,
        Version::Idf554,
        Version::Idf55,
        Version::NetworkProvisioning,
    ] {
        let mut world = with_neighbours(20);
        world.set_up(|provisioning| provisioning.version = version);
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let mut client = phone.connect().await;
            start(&mut client, whole()).await;
            if version <= Version::Idf554 {
                let (status, slice) = results(&mut client, 14, 4).await;
                assert_eq!(
                    (status, slice.len()),
                    (Status::InternalError, 2),
                    "{version:?}"
                );
                return;
            }
            let wanted = WifiScanPayload::from(Payload::CmdScanResult(CmdScanResult {
                start_index: 14,
                count: 4,
            }));
            let response = client.post("/prov-scan", &wanted.encode_to_vec()).await;
            assert_eq!(response, Err(Closed), "{version:?}");
            let mut client = phone.connect().await;
            assert_eq!(results(&mut client, 14, 2).await.1.len(), 2);
        })));
    }
}

#[test]
fn results_can_be_asked_for_while_the_scan_goes_on() {
    let world = with_neighbours(13);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        let groups = CmdScanStart {
            group_channels: 1,
            period_ms: 100,
            ..CmdScanStart::default()
        };
        let begun = Instant::now();
        assert_eq!(start(&mut client, groups.clone()).await, Status::Success);
        Timer::at(begun + Duration::from_millis(700)).await;
        let halfway = status(&mut client).await;
        assert!(!halfway.scan_finished);
        assert!((3..=5).contains(&halfway.result_count), "{halfway:?}");
        assert_eq!(results(&mut client, 0, 3).await.1.len(), 3);
        // Another start is granted, and starts nothing.
        assert_eq!(start(&mut client, groups).await, Status::Success);
        assert!(status(&mut client).await.result_count >= halfway.result_count);
        Timer::at(begun + Duration::from_millis(13 * 220 + 100)).await;
        let after = status(&mut client).await;
        assert_eq!((after.scan_finished, after.result_count), (true, 13));
    })));
}

#[test]
fn groups_make_pauses_and_a_period_is_kept() {
    let world = with_neighbours(1);
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        for (group_channels, period_ms, expected) in [
            (5, 0, 2 * 120),
            (5, 200, 2 * 120 + 13 * 200),
            (0, 200, 13 * 200),
            (0, u32::MAX, 13 * 1_500),
            (256, 0, 0),
        ] {
            let begun = Instant::now();
            let order = CmdScanStart {
                group_channels,
                period_ms,
                ..whole()
            };
            // A phone waits no longer than this for an answer.
            if expected > 9_000 {
                start(
                    &mut client,
                    CmdScanStart {
                        blocking: false,
                        ..order.clone()
                    },
                )
                .await;
                while !status(&mut client).await.scan_finished {
                    Timer::after_millis(50).await;
                }
            } else {
                start(&mut client, order.clone()).await;
            }
            let took = begun.elapsed().as_millis();
            assert!(
                (expected..expected + 250).contains(&took),
                "{order:?}: {took} ms"
            );
        }
    })));
}

#[test]
fn a_passive_scan_only_listens() {
    for passive in [false, true] {
        let world = with_neighbours(1);
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let mut client = phone.connect().await;
            for group_channels in [0, 5] {
                let order = CmdScanStart {
                    passive,
                    group_channels,
                    ..whole()
                };
                assert_eq!(start(&mut client, order).await, Status::Success);
            }
        })));
        let expected: Vec<_> = (0..=13).map(|channel| (channel, passive)).collect();
        assert_eq!(*world.air.scans.borrow(), expected);
    }
}

#[test]
fn a_request_without_what_it_is_about_is_not_answered() {
    // CmdScanStart and CmdScanResult, with their number and nothing else. The first one decodes to
    // what no bytes at all decode to, which HTTP does not carry.
    for request in [b"\x08\x00", b"\x08\x04"] {
        let world = with_neighbours(1);
        time::run(world.powered(Phone::with(&world, 1, async |phone| {
            let mut client = phone.connect().await;
            let response = client.post("/prov-scan", request).await;
            assert_eq!(response, Err(Closed), "{request:?}");
            // The service goes on.
            let mut client = phone.connect().await;
            assert_eq!(start(&mut client, whole()).await, Status::Success);
        })));
    }
}

#[test]
fn a_scan_is_refused_once_there_are_credentials() {
    let world = World::with_home();
    time::run(world.powered(Phone::with(&world, 1, async |phone| {
        let mut client = phone.connect().await;
        client.provision("home", "wrong horse").await;
        assert_eq!(start(&mut client, whole()).await, Status::InternalError);
        Timer::after_secs(5).await;
        assert_eq!(start(&mut client, whole()).await, Status::InternalError);
    })));
}
