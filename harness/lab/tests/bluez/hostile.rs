//! Whatever somebody sends over the air, the device serves the next phone, and the stand-in the next
//! device.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use btleplug::api::{Central, Peripheral as _};
use factory::Security;
use futures_util::FutureExt;
use lab::bluetooth::BleConnected;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use trace::LogLine;

use crate::lamp::{Lamp, MAC, NAME, ask, logged};
use crate::phone::{Case, Phone};
use crate::raw::{Heard, Raw};
use crate::world::World;

pub const CASES: &[(&str, Case)] = &[
    ("no_packet_of_a_phone_harms_the_device", |bus| {
        device(bus).boxed_local()
    }),
    ("no_packet_of_a_device_harms_the_stand_in", |bus| {
        stand_in(bus).boxed_local()
    }),
];

/// How often somebody connects.
const PHONES: usize = 200;
const DEVICES: usize = 60;
/// A phone gives up on a device long before, in lab time, which runs ahead.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Of 517 bytes.
const EXCHANGE_MTU: [u8; 7] = [3, 0, 4, 0, 0x02, 0x05, 0x02];

/// Data of an ACL packet, and whether it says that it continues the one before.
type Fragment = (bool, Vec<u8>);

/// PDUs of ATT, with opcodes that exist and any others.
fn att() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![6 => 0x01u8..0x20, 1 => Just(0x52u8), 1 => any::<u8>()];
    let handle = prop_oneof![4 => 0u16..40, 1 => any::<u16>()];
    let offset = prop_oneof![2 => 0u16..600, 1 => any::<u16>()];
    let value = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..30),
        1 => proptest::collection::vec(any::<u8>(), 200..560),
    ];
    (opcode, handle, offset, value).prop_map(|(opcode, handle, offset, value)| {
        let mut pdu = vec![opcode];
        pdu.extend(handle.to_le_bytes());
        pdu.extend(offset.to_le_bytes());
        pdu.extend(value);
        pdu
    })
}

/// L2CAP: mostly ATT, mostly of the length that it says, in fragments of any length.
fn fragments() -> impl Strategy<Value = Vec<Fragment>> {
    let pdu = prop_oneof![
        6 => att(),
        3 => (att(), 0usize..8).prop_map(|(pdu, length)| pdu[..length.min(pdu.len())].to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..80),
    ];
    let channel = prop_oneof![8 => Just(4u16), 1 => Just(5u16), 1 => Just(6u16), 1 => any::<u16>()];
    let wrong = prop_oneof![6 => Just(0i32), 1 => -4..4i32, 1 => -600..60_000i32];
    let flag = prop_oneof![8 => Just(false), 1 => Just(true)];
    (pdu, channel, wrong, 1usize..252, flag).prop_map(|(pdu, channel, wrong, length, flipped)| {
        let said = i32::try_from(pdu.len()).unwrap_or_default() + wrong;
        let mut frame = u16::try_from(said)
            .unwrap_or_default()
            .to_le_bytes()
            .to_vec();
        frame.extend(channel.to_le_bytes());
        frame.extend(pdu);
        frame
            .chunks(length.max(frame.len() / 20))
            .map(<[u8]>::to_vec)
            .enumerate()
            .map(|(index, chunk)| ((index > 0) != flipped, chunk))
            .collect()
    })
}

fn some<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

fn panics(world: &World) -> Vec<String> {
    let lines: Vec<LogLine> = world.events();
    let lines = lines.into_iter().map(|line| line.text);
    lines.filter(|text| text.contains("panic")).collect()
}

async fn device(bus: String) {
    let world = World::new();
    let _busy = world.clock.busy();
    let lamp = Lamp::start(&world, |factory| {
        factory.provisioning.security = Security::None;
    })
    .await;
    let mut runner = TestRunner::deterministic();
    let frames = proptest::collection::vec(fragments(), 1..12);
    let mut raw = Raw::new(world.stream("hostile", 9), &world.clock).await;
    for number in 0..PHONES {
        let sent = some(&mut runner, &frames);
        let Some(handle) = raw.connect(MAC).await else {
            panic!(
                "phone {number} finds no device: {:#?}",
                world.events::<LogLine>()
            );
        };
        // Half of them leave before the device has seen them.
        let waits = number % 2 == 0;
        if waits {
            assert!(raw.send(handle, false, &EXCHANGE_MTU).await);
            while !matches!(raw.next().await, Some(Heard::Data(_))) {}
        }
        let mut stays = true;
        for (continues, data) in sent.iter().flatten() {
            stays = stays && raw.send(handle, *continues, data).await;
        }
        if waits {
            world.clock.sleep(Duration::from_millis(30)).await;
        }
        if stays {
            raw.disconnect(handle).await;
        }
    }
    drop(raw);
    assert!(logged(&world, "BLE transport: Connected!") >= PHONES / 2);
    assert_eq!(panics(&world), [""; 0]);
    let phone = Phone::new(&world, &bus).await;
    let found = phone.connect(NAME).await;
    ask(&found, "proto-ver", b"---").await.expect("answered");
    lamp.stop().await;
}

async fn stand_in(bus: String) {
    let world = World::new();
    let phone = Phone::new(&world, &bus).await;
    let mut runner = TestRunner::deterministic();
    let asked = Arc::new(AtomicUsize::new(0));
    let structures = proptest::collection::vec(any::<u8>(), 0..32);
    for number in 0..DEVICES {
        let mut raw = Raw::new(world.stream("hostile", 9), &world.clock).await;
        let data = some(&mut runner, &structures);
        let response = some(&mut runner, &structures);
        raw.advertise(&data, &response).await;
        let answers = std::iter::repeat_with(|| some(&mut runner, &fragments()));
        let answers: Vec<_> = answers.take(64).collect();
        let counted = asked.clone();
        let device = tokio::spawn(async move {
            let Some(handle) = raw.connected().await else {
                return;
            };
            for answer in answers.into_iter().cycle() {
                match raw.next().await {
                    Some(Heard::Disconnected) | None => return,
                    Some(Heard::Data(_)) => {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(_) => continue,
                }
                for (continues, data) in answer {
                    if !raw.send(handle, continues, &data).await {
                        return;
                    }
                }
            }
        });
        let met = async {
            let busy = world.clock.busy();
            phone.adapter.start_scan(Default::default()).await?;
            let found = loop {
                if let Some(found) = phone.adapter.peripherals().await?.pop() {
                    break found;
                }
                world.clock.sleep(Duration::from_millis(50)).await;
            };
            phone.adapter.stop_scan().await?;
            drop(busy);
            found.connect().await?;
            found.discover_services().await?;
            for characteristic in found.characteristics() {
                found.read(&characteristic).await?;
            }
            found.disconnect().await
        };
        let met = world.clock.timeout(PATIENCE, met).await;
        assert!(met.is_ok(), "device {number} is waited for without end");
        device.abort();
    }
    assert_eq!(world.events::<BleConnected>().len(), DEVICES);
    assert!(asked.load(Ordering::Relaxed) > DEVICES);
    let lamp = Lamp::start(&world, |_| {}).await;
    let found = phone.connect(NAME).await;
    ask(&found, "proto-ver", b"---").await.expect("answered");
    lamp.stop().await;
}
