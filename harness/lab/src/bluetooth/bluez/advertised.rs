//! What a device says of itself in its advertising (Core Specification Supplement 11, Part A §1).

use std::collections::BTreeMap;

/// What is known of a device from its advertising and scan response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Advertised {
    pub(super) name: Option<String>,
    /// As text.
    pub(super) services: Vec<String>,
    /// By company.
    pub(super) manufacturer: BTreeMap<u16, Vec<u8>>,
    /// By service.
    pub(super) service_data: BTreeMap<String, Vec<u8>>,
    pub(super) tx_power: Option<i16>,
    pub(super) appearance: Option<u16>,
}

impl Advertised {
    /// Takes the data of one report. Whether it says anything new.
    pub(super) fn hear(&mut self, mut data: &[u8]) -> bool {
        let before = self.clone();
        while let Some((length, rest)) = data.split_first() {
            let Some((structure, rest)) = rest.split_at_checked(usize::from(*length)) else {
                break;
            };
            if let Some((kind, value)) = structure.split_first() {
                self.take(*kind, value);
            }
            data = rest;
        }
        *self != before
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        match (kind, value) {
            (0x02 | 0x03, _) => self.services(value, 2),
            (0x04 | 0x05, _) => self.services(value, 4),
            (0x06 | 0x07, _) => self.services(value, 16),
            (0x08 | 0x09, _) => self.name = Some(String::from_utf8_lossy(value).into_owned()),
            (0x0A, [power]) => self.tx_power = Some(i16::from(*power as i8)),
            (0x16, _) => self.data_of(value, 2),
            (0x20, _) => self.data_of(value, 4),
            (0x21, _) => self.data_of(value, 16),
            (0x19, [low, high]) => self.appearance = Some(u16::from_le_bytes([*low, *high])),
            (0xFF, [low, high, data @ ..]) => {
                let company = u16::from_le_bytes([*low, *high]);
                self.manufacturer.insert(company, data.to_vec());
            }
            _ => {}
        }
    }

    fn services(&mut self, value: &[u8], width: usize) {
        for uuid in value.chunks_exact(width).map(uuid) {
            if !self.services.contains(&uuid) {
                self.services.push(uuid);
            }
        }
    }

    fn data_of(&mut self, value: &[u8], width: usize) {
        if let Some((service, data)) = value.split_at_checked(width) {
            self.service_data.insert(uuid(service), data.to_vec());
        }
    }
}

/// A UUID of 2, 4 or 16 bytes, least significant first, as text (Core 5.4 Vol 3 Part B §2.5.1).
pub(super) fn uuid(bytes: &[u8]) -> String {
    let mut whole = *b"\x00\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\x80\x5F\x9B\x34\xFB";
    let most_significant = bytes.iter().rev().copied();
    let skipped = if bytes.len() == 2 { 2 } else { 0 };
    for (place, byte) in whole[skipped..].iter_mut().zip(most_significant) {
        *place = byte;
    }
    let hex = hex::encode(whole);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_provisioning_device_is_known_by_its_two_reports() {
        let mut known = Advertised::default();
        let service = hex::decode("b4dfad3b6bffa49fea42828204903a02").expect("hex");
        assert!(known.hear(&[&[2, 1, 6, 17, 7], &service[..]].concat()));
        assert!(known.hear(b"\x0C\x09PROV_0ABC01\x05\xFF\xE5\x02\x01\x02"));
        assert!(!known.hear(b"\x0C\x09PROV_0ABC01"));
        assert_eq!(known.services, ["023a9004-8282-42ea-9fa4-ff6b3baddfb4"]);
        assert_eq!(known.name.as_deref(), Some("PROV_0ABC01"));
        assert_eq!(known.manufacturer[&0x02E5], [1, 2]);
    }

    #[test]
    fn short_uuids_are_written_in_full() {
        assert_eq!(uuid(&[0x01, 0x29]), "00002901-0000-1000-8000-00805f9b34fb");
        assert_eq!(uuid(&[4, 3, 2, 1]), "01020304-0000-1000-8000-00805f9b34fb");
    }

    proptest! {
        #[test]
        fn any_data_is_taken(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut known = Advertised::default();
            known.hear(&data);
            prop_assert!(!known.hear(&data));
        }
    }
}
