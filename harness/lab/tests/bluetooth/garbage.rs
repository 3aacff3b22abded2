//! Whatever a host sends, its controller neither panics nor hangs, and others do not suffer.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;

/// What a controller answers to a reset.
const RESET_DONE: [u8; 7] = [4, 0x0E, 4, 1, 0x03, 0x0C, 0];

/// Parts of a stream: commands that exist with any parameters, data for any handle, any bytes.
fn parts() -> impl Strategy<Value = Vec<u8>> {
    let opcodes = prop_oneof![
        Just(0x0406u16),
        Just(0x041D),
        Just(0x0C03),
        Just(0x0C35),
        Just(0x1005),
        0x2001u16..0x2080,
        any::<u16>(),
    ];
    let bytes = |most: usize| proptest::collection::vec(any::<u8>(), 0..most);
    let lengths = prop_oneof![
        Just(25usize),
        Just(15),
        Just(32),
        Just(14),
        Just(7),
        Just(6),
        0usize..40
    ];
    let command = (opcodes, lengths, bytes(40)).prop_map(|(opcode, length, mut parameters)| {
        parameters.resize(length, 1);
        let mut part = vec![1];
        part.extend(opcode.to_le_bytes());
        part.push(length as u8);
        part.extend(parameters);
        part
    });
    let data = (any::<u16>(), bytes(300)).prop_map(|(handle, data)| {
        let mut part = vec![2];
        part.extend(handle.to_le_bytes());
        part.extend((data.len() as u16).to_le_bytes());
        part.extend(data);
        part
    });
    prop_oneof![8 => command, 2 => data, 1 => bytes(20)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_host_harms_nobody_else(
        streams in proptest::collection::vec(proptest::collection::vec(parts(), 0..40), 2..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let world = World::new();
            let mut bystander = world.stream("bystander", 1);
            let mut hostile = Vec::new();
            for (index, parts) in streams.iter().enumerate() {
                let stream = world.stream("hostile", 2 + index as u8);
                let (mut reader, mut writer) = tokio::io::split(stream);
                hostile.push(tokio::spawn(async move {
                    let mut sink = [0; 512];
                    while let Ok(1..) = reader.read(&mut sink).await {}
                }));
                for part in parts {
                    // The controller is gone after garbage.
                    if writer.write_all(part).await.is_err() {
                        break;
                    }
                }
            }
            world.clock.sleep(Duration::from_secs(2)).await;
            bystander.write_all(&[1, 0x03, 0x0C, 0]).await.expect("its controller lives");
            let mut answer = [0; RESET_DONE.len()];
            bystander.read_exact(&mut answer).await.expect("its controller answers");
            assert_eq!(answer, RESET_DONE);
            hostile.iter().for_each(tokio::task::JoinHandle::abort);
        });
    }
}

#[tokio::test]
async fn an_unknown_command_is_refused_as_such() {
    let world = World::new();
    let mut stream = world.stream("host", 1);
    stream
        .write_all(&[1, 0xFF, 0xFC, 2, 9, 9])
        .await
        .expect("written");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await.expect("answered");
    assert_eq!(answer, [4, 0x0E, 4, 1, 0xFF, 0xFC, 0x01]);
}

#[tokio::test]
async fn parameters_of_another_length_are_refused() {
    let world = World::new();
    let mut stream = world.stream("host", 1);
    stream
        .write_all(&[1, 0x06, 0x20, 2, 9, 9])
        .await
        .expect("written");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await.expect("answered");
    assert_eq!(answer, [4, 0x0E, 4, 1, 0x06, 0x20, 0x12]);
}

#[tokio::test]
async fn bytes_that_are_no_hci_are_traced_and_end_the_controller() {
    let world = World::new();
    let mut stream = world.stream("host", 1);
    stream.write_all(&[0x42, 1, 2]).await.expect("written");
    assert_eq!(stream.read(&mut [0; 8]).await.expect("closed"), 0);
    let garbage: Vec<board::Garbage> = world.events();
    assert_eq!(garbage[0].link, "hci");
    assert_eq!(garbage[0].bytes, "420102");
}
