//! Factory data survives storing, and nothing else is taken for it.

use factory::{
    Factory, FactoryError, Identity, Lab, Linkkit, LinkkitProfile, Map, Network, Security,
};
use proptest::prelude::*;

fn sample() -> Factory {
    let mut factory = Factory {
        identity: Identity {
            mac: [0xB0, 0xF8, 0x93, 0x15, 0xBF, 0x21],
        },
        network: Some(Network {
            ssid: b"lab".to_vec(),
            passphrase: "correct horse".into(),
        }),
        linkkit: Some(Linkkit {
            product_key: "a1GQc8iJOWI".into(),
            device_name: "gateway_test01".into(),
            device_secret: "secret".into(),
            profile: LinkkitProfile::sdk_3_0_1(),
        }),
        ..Factory::default()
    };
    factory.provisioning.security = Security::V1 {
        pop: "abcd1234".into(),
    };
    factory
}

#[test]
fn what_was_stored_is_read_back_from_a_larger_region() {
    let mut bytes = sample().encode();
    bytes.resize(64 * 1024, 0xFF);
    assert_eq!(Factory::decode(&bytes), Ok(sample()));
}

#[test]
fn the_stored_length_is_enough_to_keep() {
    let stored = sample().encode();
    let mut region = stored.clone();
    region.resize(64 * 1024, 0xFF);
    assert_eq!(Map::stored_length(&region), stored.len());
    assert_eq!(Map::stored_length(&stored[..20]), 20);
    assert_eq!(Map::stored_length(&[]), 0);
    let erased = [0xFF; 4096];
    let told = Factory::decode(&erased[..Map::stored_length(&erased)]);
    assert_eq!(told, Err(FactoryError::Erased));
}

#[test]
fn erased_flash_is_told_from_corruption() {
    assert_eq!(Factory::decode(&[0xFF; 4096]), Err(FactoryError::Erased));
    assert_eq!(Factory::decode(&[0; 4096]), Err(FactoryError::Magic));
    assert_eq!(Factory::decode(&[]), Err(FactoryError::Truncated));
}

#[test]
fn a_section_of_a_later_version_is_ignored() {
    let mut map = Map::decode(&sample().encode()).expect("a map");
    map.0.insert("from-the-future".into(), vec![1, 2, 3]);
    assert_eq!(Factory::decode(&map.encode()), Ok(sample()));
}

#[test]
fn a_missing_section_is_named() {
    let mut map = Map::decode(&sample().encode()).expect("a map");
    map.0.remove("identity");
    assert_eq!(
        Factory::decode(&map.encode()),
        Err(FactoryError::Malformed("identity"))
    );
}

#[test]
fn a_real_board_has_no_lab_section_and_an_emulated_one_keeps_its_own() {
    let stored = Map::decode(&sample().encode()).expect("a map");
    assert!(!stored.0.contains_key("lab"));
    let emulated = Factory {
        lab: Some(Lab {
            time_factor: 20,
            entropy: (0..32).collect(),
        }),
        ..sample()
    };
    assert_eq!(Factory::decode(&emulated.encode()), Ok(emulated));
}

#[test]
fn a_malformed_lab_section_is_named() {
    let mut map = Map::decode(&sample().encode()).expect("a map");
    map.0.insert("lab".into(), vec![20]);
    assert_eq!(
        Factory::decode(&map.encode()),
        Err(FactoryError::Malformed("lab"))
    );
}

proptest! {
    #[test]
    fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = sample().encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        // Bytes 5 to 7 are reserved.
        if !(5..8).contains(&at) {
            prop_assert!(Factory::decode(&bytes).is_err());
        }
    }

    #[test]
    fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Factory::decode(&bytes).is_err());
    }
}
