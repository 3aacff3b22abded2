//! Which characteristic is which endpoint.
//!
//! A device says it in each characteristic's description. Where it says nothing, the rule counts by
//! which ESP-IDF makes the UUIDs: the last four digits of the service's first group are replaced by
//! the endpoint's number.

use std::collections::BTreeMap;

use proto::endpoint;
use uuid::Uuid;

/// Characteristic User Description (Bluetooth Assigned Numbers §3.7).
pub(super) const DESCRIPTION: Uuid = Uuid::from_u128(0x0000_2901_0000_1000_8000_0080_5f9b_34fb);
/// `wifi_prov_mgr_init` of ESP-IDF 5.5 gives these numbers, and the following to custom endpoints.
const NUMBERS: [(u16, &str); 5] = [
    (0xff4f, endpoint::CTRL),
    (0xff50, endpoint::SCAN),
    (0xff51, endpoint::SESSION),
    (0xff52, endpoint::CONFIG),
    (0xff53, endpoint::PROTO_VER),
];
/// Where in a UUID the number stands, counted from its least significant bit.
const SHIFT: u32 = 96;
const MASK: u128 = 0xffff << SHIFT;
/// Names are the paths of endpoints over HTTP, too.
const LONGEST_NAME: usize = 64;

/// A characteristic, with what it says of itself.
#[derive(Clone, Debug)]
pub(super) struct Described<T> {
    pub(super) uuid: Uuid,
    pub(super) description: Option<Vec<u8>>,
    pub(super) value: T,
}

/// The characteristics of `service` by the names of their endpoints. Those without any are left out.
pub(super) fn by_name<T>(service: Uuid, characteristics: Vec<Described<T>>) -> BTreeMap<String, T> {
    let mut named = BTreeMap::new();
    for characteristic in characteristics {
        let name = characteristic
            .description
            .as_deref()
            .and_then(told)
            .or_else(|| by_rule(service, characteristic.uuid));
        if let Some(name) = name {
            named.insert(name, characteristic.value);
        }
    }
    named
}

/// A description that can be a name. Some devices count the C string's end in.
fn told(description: &[u8]) -> Option<String> {
    let end = description.iter().position(|byte| *byte == 0);
    let name = std::str::from_utf8(&description[..end.unwrap_or(description.len())]).ok()?;
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME;
    (is_name && name.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.to_owned())
}

fn by_rule(service: Uuid, characteristic: Uuid) -> Option<String> {
    if (service.as_u128() ^ characteristic.as_u128()) & !MASK != 0 {
        return None;
    }
    let number = (characteristic.as_u128() >> SHIFT) & 0xffff;
    let known = NUMBERS
        .iter()
        .find(|(known, _)| u128::from(*known) == number);
    // Of a custom endpoint only its number is known.
    Some(known.map_or_else(|| format!("{number:04x}"), |(_, name)| (*name).to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SERVICE: Uuid = Uuid::from_u128(0x021a_9004_0382_4aea_bff4_6b3f_1c5a_dfb4);

    fn characteristic(uuid: &str, description: Option<&[u8]>) -> Described<String> {
        Described {
            uuid: uuid.parse().unwrap(),
            description: description.map(<[u8]>::to_vec),
            value: uuid.to_owned(),
        }
    }

    fn names(characteristics: Vec<Described<String>>) -> Vec<String> {
        by_name(SERVICE, characteristics).into_keys().collect()
    }

    #[test]
    fn a_description_names_the_endpoint_whatever_its_number_is() {
        let said = [
            characteristic("021aff51-0382-4aea-bff4-6b3f1c5adfb4", Some(b"proto-ver")),
            characteristic(
                "021aff54-0382-4aea-bff4-6b3f1c5adfb4",
                Some(b"custom-data\0"),
            ),
        ];
        assert_eq!(names(said.to_vec()), ["custom-data", "proto-ver"]);
    }

    #[test]
    fn without_descriptions_the_number_tells() {
        let said = [
            characteristic("021aff51-0382-4aea-bff4-6b3f1c5adfb4", None),
            characteristic("021aff52-0382-4aea-bff4-6b3f1c5adfb4", Some(b"")),
            characteristic("021aff54-0382-4aea-bff4-6b3f1c5adfb4", Some(b"\xff\xfe")),
            // Of another family.
            characteristic("00002a00-0000-1000-8000-00805f9b34fb", None),
        ];
        assert_eq!(
            names(said.to_vec()),
            ["ff54", "prov-config", "prov-session"]
        );
    }

    proptest! {
        #[test]
        fn any_description_is_a_name_or_none(uuid in any::<u128>(), description in proptest::collection::vec(any::<u8>(), 0..100)) {
            let said = Described { uuid: Uuid::from_u128(uuid), description: Some(description), value: () };
            for name in by_name(SERVICE, vec![said]).into_keys() {
                prop_assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
