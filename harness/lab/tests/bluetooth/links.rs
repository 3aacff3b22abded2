//! What hosts see of each other, on a medium that is sound or not.

use std::time::Duration;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use lab::bluetooth::{
    BleAdvertisingSeen, BleConnected, BleDisconnected, BleLinkDropped, RadioFaults,
};
use trouble_host::prelude::*;

use crate::hosts::{NAME, advertise, client, connect, hosts, serve};
use crate::world::World;

#[tokio::test]
async fn a_scan_hears_advertising_and_its_scan_response() {
    let world = World::new();
    world.ether.set_faults(
        "device",
        RadioFaults {
            rssi: -77,
            ..Default::default()
        },
    );
    hosts(&world, async |device, phone, heard| {
        let listen = async {
            let mut central = phone.central();
            let mut scanner = Scanner::new(&mut central);
            let config = ScanConfig {
                active: true,
                ..Default::default()
            };
            let _session = scanner.scan(&config).await.expect("scanning");
            world.clock.sleep(Duration::from_secs(1)).await;
        };
        select(advertise(device), listen).await;
        let heard = heard.0.borrow();
        assert!((8..=20).contains(&heard.len()), "{} reports", heard.len());
        assert!(heard.iter().all(|(address, _, rssi)| {
            *rssi == -77 && *address.raw() == [1, 0, 0, 0xC4, 0x0A, 0x24]
        }));
        assert!(
            heard
                .iter()
                .any(|(_, data, _)| data.ends_with(NAME.as_bytes()))
        );
    })
    .await;
    let seen: Vec<BleAdvertisingSeen> = world.events();
    assert_eq!(
        seen.iter()
            .map(|seen| seen.scan_response)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(seen[0].address, "24:0A:C4:00:00:01");
}

#[tokio::test]
async fn nobody_hears_a_radio_that_is_broken_so() {
    let world = World::new();
    world.ether.set_faults(
        "device",
        RadioFaults {
            unheard: true,
            ..Default::default()
        },
    );
    hosts(&world, async |device, phone, _| {
        let wait = world.clock.sleep(Duration::from_secs(10));
        let connected = select(advertise(device), connect(phone, 1));
        assert!(matches!(select(connected, wait).await, Either::Second(())));
        world.ether.set_faults("device", RadioFaults::default());
        join(advertise(device), connect(phone, 1)).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_written_comes_back_whatever_its_length() {
    let world = World::new();
    hosts(&world, async |device, phone, _| {
        let device_side = async { serve(advertise(device).await).await };
        let phone_side = async {
            let connection = connect(phone, 1).await;
            client(phone, &connection, async |client, value| {
                assert_eq!(connection.att_mtu(), 256);
                for length in [0, 1, 22, 23, 26, 27, 100, 252, 253, 254, 400, 511] {
                    let sent = vec![b'x'; length];
                    client
                        .write_characteristic(value, &sent)
                        .await
                        .expect("written");
                    let mut read = [0; 512];
                    let received = client
                        .read_characteristic(value, &mut read)
                        .await
                        .expect("read");
                    assert_eq!(
                        read[..received],
                        [&sent[..], b"!"].concat(),
                        "{length} bytes"
                    );
                }
            })
            .await;
            connection.disconnect();
            while !matches!(
                connection.next().await,
                ConnectionEvent::Disconnected { .. }
            ) {}
        };
        let (reason, ()) = join(device_side, phone_side).await;
        assert_eq!(reason, 0x13);
    })
    .await;
    let connected: Vec<BleConnected> = world.events();
    assert_eq!(
        (connected.len(), connected[0].central.as_str()),
        (1, "phone")
    );
    let disconnected: Vec<BleDisconnected> = world.events();
    assert_eq!(disconnected[0].by.as_deref(), Some("phone"));
    assert_eq!(disconnected[0].reason, 0x13);
}

#[tokio::test]
async fn a_link_that_may_carry_so_many_bytes_is_lost_then_and_both_notice() {
    let world = World::new();
    world.ether.set_faults(
        "device",
        RadioFaults {
            drop_after: Some(2000),
            ..Default::default()
        },
    );
    hosts(&world, async |device, phone, _| {
        for round in 0..2 {
            let device_side = async { serve(advertise(device).await).await };
            let phone_side = async {
                let connection = connect(phone, 1).await;
                let write = client(phone, &connection, async |client, value| {
                    for _ in 0..20 {
                        client
                            .write_characteristic(value, &[1; 200])
                            .await
                            .expect("written");
                    }
                });
                let lost = async {
                    while !matches!(
                        connection.next().await,
                        ConnectionEvent::Disconnected { .. }
                    ) {}
                };
                match select(lost, write).await {
                    Either::First(()) => assert_eq!(round, 0),
                    Either::Second(()) => connection.disconnect(),
                }
            };
            let (reason, ()) = join(device_side, phone_side).await;
            assert_eq!(reason, [0x08, 0x13][round]);
        }
    })
    .await;
    let dropped: Vec<BleLinkDropped> = world.events();
    assert!((1700..=2000).contains(&dropped[0].carried), "{dropped:?}");
    assert_eq!(dropped.len(), 1);
}

#[tokio::test]
async fn a_slow_link_is_slow_in_lab_time() {
    let world = World::new();
    let faults = RadioFaults {
        latency: Duration::from_millis(50),
        bytes_per_second: Some(1000),
        ..Default::default()
    };
    world.ether.set_faults("device", faults);
    hosts(&world, async |device, phone, _| {
        let device_side = async { serve(advertise(device).await).await };
        let phone_side = async {
            let connection = connect(phone, 1).await;
            client(phone, &connection, async |client, value| {
                let began = world.clock.now();
                for _ in 0..10 {
                    client
                        .write_characteristic(value, &[1; 193])
                        .await
                        .expect("written");
                }
                let took = world.clock.now().since(began);
                // 200 bytes each, and a short answer, each 50 ms late.
                let expected = Duration::from_millis(10 * (200 + 5 + 100));
                assert!(took >= expected && took < expected * 3 / 2, "{took:?}");
            })
            .await;
        };
        select(device_side, phone_side).await;
    })
    .await;
}

#[tokio::test]
async fn a_device_without_power_is_missed_after_the_supervision_timeout() {
    let world = World::new();
    hosts(&world, async |_, phone, _| {
        // A device whose power can be cut: its controller ends with its stream.
        let mut resources: HostResources<_, 1, 1> = Default::default();
        let device = trouble_host::new(
            ExternalController::new(world.hci("second", 3)),
            &mut resources,
        )
        .build();
        let mut runner = device.runner();
        let connection = {
            let advertised = join(advertise(&device), connect(phone, 3));
            match select(runner.run(), advertised).await {
                Either::First(ended) => panic!("{ended:?}"),
                Either::Second((_, connection)) => connection,
            }
        };
        let began = world.clock.now();
        drop(device);
        loop {
            if let ConnectionEvent::Disconnected { reason } = connection.next().await {
                assert_eq!(reason.into_inner(), 0x08);
                break;
            }
        }
        let took = world.clock.now().since(began);
        assert!(
            took >= Duration::from_secs(4) && took < Duration::from_secs(6),
            "{took:?}"
        );
    })
    .await;
}
