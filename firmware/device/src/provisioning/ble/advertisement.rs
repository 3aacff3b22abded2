//! What the service says of itself on the air (ESP-IDF 5.5 `protocomm_nimble.c`,
//! `protocomm_ble.c`).

use alloc::vec::Vec;

use factory::BluetoothStack;

use super::uuid;
use crate::bugs::{self, Bug};

/// Bytes of advertising data, and of a scan response.
const ROOM: usize = 31;
/// The longest name, and the longest manufacturer data.
pub(super) const LONGEST: usize = 29;

const FLAGS: u8 = 0x01;
const COMPLETE_UUIDS_128: u8 = 0x07;
const COMPLETE_NAME: u8 = 0x09;
const TX_POWER: u8 = 0x0A;
const CONNECTION_INTERVAL: u8 = 0x12;
const MANUFACTURER: u8 = 0xFF;

/// LE general discoverable, BR/EDR not supported.
const DISCOVERABLE: u8 = 0x06;
/// dBm, ESP-IDF's default.
const POWER: u8 = 3;
/// ESP-IDF's own service, which a device that does not name its own advertises
/// ([`Bug::WrongServiceAdvertised`]).
const ANOTHER: [u8; 16] = [
    0x17, 0x75, 0x24, 0x4D, 0x6B, 0x43, 0x43, 0x9B, 0x87, 0x7C, 0x06, 0x0F, 0x2D, 0x9B, 0xED, 0x07,
];
/// 7.5 ms to 20 ms, in units of 1.25 ms.
const INTERVAL: [u8; 4] = [0x06, 0x00, 0x10, 0x00];

/// Flags and the service; Bluedroid tells its power and the connection interval it would like, too.
pub(super) fn data(service: [u8; 16], host: BluetoothStack) -> Vec<u8> {
    let service = match bugs::is(Bug::WrongServiceAdvertised) {
        true => ANOTHER,
        false => service,
    };
    let mut data = structure(FLAGS, &[DISCOVERABLE]);
    data.extend(structure(COMPLETE_UUIDS_128, &uuid::little_endian(service)));
    if host == BluetoothStack::Bluedroid {
        data.extend(structure(TX_POWER, &[POWER]));
        data.extend(structure(CONNECTION_INTERVAL, &INTERVAL));
    }
    data
}

/// Name and manufacturer data. None if the name is too long, or both are.
pub(super) fn scan_response(name: &str, manufacturer: &[u8]) -> Option<Vec<u8>> {
    if name.len() > LONGEST || manufacturer.len() > LONGEST {
        return None;
    }
    let mut response = match bugs::is(Bug::NameNotAdvertised) {
        true => Vec::new(),
        false => structure(COMPLETE_NAME, name.as_bytes()),
    };
    if !manufacturer.is_empty() {
        response.extend(structure(MANUFACTURER, manufacturer));
    }
    (response.len() <= ROOM).then_some(response)
}

fn structure(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut structure = Vec::with_capacity(2 + value.len());
    structure.push(1 + value.len() as u8);
    structure.push(kind);
    structure.extend_from_slice(value);
    structure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advertisement_carries_flags_and_service() {
        let service = factory::Ble::default().service_uuid;
        let expected = "020106 1107 b4df5a1c3f6bf4bfea4a820304901a02".replace(' ', "");
        assert_eq!(hex::encode(data(service, BluetoothStack::NimBle)), expected);
        let bluedroid = data(service, BluetoothStack::Bluedroid);
        assert_eq!(hex::encode(&bluedroid[21..]), "020a03051206001000");
        assert!(bluedroid.len() <= ROOM);
    }

    #[test]
    fn name_and_manufacturer_data_share_the_scan_response() {
        let response = scan_response("PROV_0ABC01", &[0xE5, 0x02, 1]).unwrap();
        assert_eq!(response, b"\x0C\x09PROV_0ABC01\x04\xFF\xE5\x02\x01");
        assert_eq!(scan_response(&"x".repeat(29), &[]).unwrap().len(), 31);
        assert_eq!(scan_response(&"x".repeat(30), &[]), None);
        assert_eq!(scan_response(&"x".repeat(20), &[0; 8]), None);
    }
}
