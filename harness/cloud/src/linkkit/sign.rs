//! A Linkkit device's CONNECT: its signature, and what the cloud asks of it besides.
//!
//! Client id `{id}|{key=value,…}|` with the keys in any order; user name `{device name}&{product
//! key}`; password the HMAC over the alphabetical sequence of `clientId`, `deviceName`,
//! `productKey` and, if it is given, `timestamp`, each followed by its value, in hex of either case.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

use super::padding::{unpadded, unpadded_text};
use super::registry::Key;
use crate::packet::Connect;

/// CONNACK codes of refusals (MQTT 3.1.1 §3.2.2.3).
const BAD_ID: u8 = 2;
/// What the real cloud answers to a keep-alive that it does not take (knolleary/pubsubclient#244).
const UNAVAILABLE: u8 = 3;
const BAD_PASSWORD: u8 = 4;
const NOT_AUTHORISED: u8 = 5;

/// Keep-alives that the cloud takes, in s.
const KEEP_ALIVES: RangeInclusive<u16> = 30..=1200;
/// Longest id in front of the parameters, in characters.
const LONGEST_ID: usize = 64;
/// What a device signs with that does not say.
const DEFAULT_METHOD: &str = "hmacmd5";

/// What a CONNECT says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) key: Key,
    pub(super) sign_method: String,
    pub(super) secure_mode: Option<String>,
    pub(super) sdk_version: Option<String>,
    /// `_ss=1`: the cloud subscribes for the device to what it answers. Alibaba's SDKs of other
    /// languages than C send it, and subscribe to nothing of their own.
    pub(super) wants_answers: bool,
}

/// Why a CONNECT is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) key: Option<Key>,
    pub(super) code: u8,
    pub(super) reason: String,
}

/// Judges `connect` by the secrets that `secret_of` knows. None if it does not speak Linkkit.
pub(super) fn judge(
    connect: &Connect,
    secret_of: impl Fn(&Key) -> Option<String>,
) -> Option<Result<Claim, Refusal>> {
    let key = connect.username.as_deref().and_then(key);
    let Some((id, parameters)) = split(&connect.client_id) else {
        // Only a user name of ours makes this a device that got its client id wrong.
        let ours = key.filter(|key| secret_of(key).is_some())?;
        return Some(Err(Refusal {
            key: Some(ours),
            code: BAD_ID,
            reason: "the client id has no |key=value,…| behind it".to_owned(),
        }));
    };
    let refuse = |code, reason: String| {
        Some(Err(Refusal {
            key: key.clone(),
            code,
            reason,
        }))
    };
    let Some(key) = &key else {
        return refuse(BAD_PASSWORD, "the user name is no name&product".to_owned());
    };
    let Some(secret) = secret_of(key) else {
        return refuse(NOT_AUTHORISED, "no such device is registered".to_owned());
    };
    let length = unpadded_text(id).chars().count();
    if length > LONGEST_ID {
        let reason = format!("the id has {length} characters, more than {LONGEST_ID}");
        return refuse(BAD_ID, reason);
    }
    if !KEEP_ALIVES.contains(&connect.keep_alive) {
        let reason = format!(
            "the keep-alive is {} s, not {} to {} s",
            connect.keep_alive,
            KEEP_ALIVES.start(),
            KEEP_ALIVES.end()
        );
        return refuse(UNAVAILABLE, reason);
    }
    let method = parameters.get("signmethod");
    let method = method.map_or(DEFAULT_METHOD, String::as_str);
    let Some(password) = &connect.password else {
        return refuse(BAD_PASSWORD, "there is no password".to_owned());
    };
    let timestamp = parameters.get("timestamp").map(String::as_str);
    // Names may have been signed with their padding or without.
    let padded = split_user(connect.username.as_deref().unwrap_or_default());
    let sources = [
        source(
            unpadded_text(id),
            &key.device_name,
            &key.product_key,
            timestamp,
        ),
        source(id, padded.0, padded.1, timestamp),
    ];
    let good = sources
        .iter()
        .map(|source| sign(method, secret.as_bytes(), source.as_bytes()))
        .collect::<Option<Vec<_>>>();
    let Some(good) = good else {
        return refuse(BAD_PASSWORD, format!("unknown signmethod {method:?}"));
    };
    let password = unpadded(password);
    let is_password = |sign: &String| sign.as_bytes().eq_ignore_ascii_case(password);
    if !good.iter().any(is_password) {
        let reason = "the signature is wrong: another secret, or other text was signed";
        return refuse(BAD_PASSWORD, reason.to_owned());
    }
    Some(Ok(Claim {
        key: key.clone(),
        sign_method: method.to_owned(),
        secure_mode: parameters.get("securemode").cloned(),
        sdk_version: parameters.get("_v").cloned(),
        wants_answers: parameters.get("_ss").is_some_and(|value| value == "1"),
    }))
}

/// Id and parameters of a client id.
fn split(client_id: &str) -> Option<(&str, BTreeMap<String, String>)> {
    let (id, rest) = client_id.split_once('|')?;
    let (list, _) = rest.rsplit_once('|')?;
    let parameters = list
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            (
                name.trim().to_ascii_lowercase(),
                unpadded_text(value).to_owned(),
            )
        })
        .collect();
    Some((id, parameters))
}

fn key(username: &str) -> Option<Key> {
    let (device_name, product_key) = username.split_once('&')?;
    Some(Key::new(product_key, device_name))
}

fn split_user(username: &str) -> (&str, &str) {
    username.split_once('&').unwrap_or_default()
}

fn source(id: &str, device_name: &str, product_key: &str, timestamp: Option<&str>) -> String {
    let mut text = format!("clientId{id}deviceName{device_name}productKey{product_key}");
    if let Some(timestamp) = timestamp {
        text.push_str("timestamp");
        text.push_str(timestamp);
    }
    text
}

fn sign(method: &str, secret: &[u8], source: &[u8]) -> Option<String> {
    match method.to_ascii_lowercase().as_str() {
        "hmacsha256" => Some(hex::encode(hmac::<Hmac<Sha256>>(secret, source))),
        "hmacmd5" => Some(hex::encode(hmac::<Hmac<Md5>>(secret, source))),
        "hmacsha1" => Some(hex::encode(hmac::<Hmac<Sha1>>(secret, source))),
        _ => None,
    }
}

fn hmac<M: Mac + hmac::digest::KeyInit>(secret: &[u8], source: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104 §2).
    let mut mac = <M as Mac>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(source);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::{Codec, Level, Packet, Properties, next_frame};

    fn vectors() -> serde_json::Value {
        let text = include_str!("../../../../fixtures/vectors/linkkit.json");
        serde_json::from_str(text).unwrap()
    }

    fn connect(client_id: &str, username: &str, password: &str) -> Connect {
        Connect {
            level: Level::V311,
            client_id: client_id.to_owned(),
            clean_session: true,
            keep_alive: 60,
            will: None,
            username: Some(username.to_owned()),
            password: Some(password.as_bytes().to_vec()),
            properties: Properties::default(),
        }
    }

    fn secret_of(key: &Key) -> Option<String> {
        let v = vectors();
        (key.product_key == v["productKey"] && key.device_name == v["deviceName"])
            .then(|| v["deviceSecret"].as_str().unwrap().to_owned())
    }

    fn code(connect: &Connect) -> u8 {
        match judge(connect, secret_of) {
            Some(Ok(_)) => 0,
            Some(Err(refusal)) => refusal.code,
            None => 255,
        }
    }

    /// Client id, user name and password of both versions.
    fn both() -> Vec<[String; 3]> {
        [
            "v3.x (signmethod=hmacsha256)",
            "v2.3.0 (signmethod=hmacsha1)",
        ]
        .map(|version| {
            let vector = &vectors()[version];
            ["clientId", "username", "password"]
                .map(|field| vector[field].as_str().unwrap().to_owned())
        })
        .to_vec()
    }

    #[test]
    fn the_vectors_of_both_versions_are_accepted_in_either_case() {
        for [id, user, password] in both() {
            assert_eq!(code(&connect(&id, &user, &password)), 0, "{id}");
            assert_eq!(
                code(&connect(&id, &user, &password.to_lowercase())),
                0,
                "{id}"
            );
            assert_eq!(
                code(&connect(&id, &user, &password.to_uppercase())),
                0,
                "{id}"
            );
        }
    }

    #[test]
    fn the_whole_packet_of_the_vector_is_accepted() {
        let vector = &vectors()["v3.x (signmethod=hmacsha256)"];
        let bytes = hex::decode(
            vector["mqtt_connect_packet_keepalive60_clean"]
                .as_str()
                .unwrap(),
        );
        let mut bytes = bytes::BytesMut::from(&bytes.unwrap()[..]);
        let frame = next_frame(&mut bytes, 10_000).unwrap().unwrap();
        let Ok(Packet::Connect(connect)) = Codec::default().decode(&frame) else {
            panic!("the vector is no CONNECT");
        };
        assert_eq!(code(&connect), 0);
    }

    #[test]
    fn the_order_of_the_list_does_not_matter_and_other_keys_may_stand_in_it() {
        for [id, user, password] in both() {
            let (head, list) = id.split_once('|').unwrap();
            let mut pairs: Vec<_> = list.trim_end_matches('|').split(',').collect();
            pairs.reverse();
            pairs.insert(1, "partner_id=example.demo.partner-id");
            let id = format!("{head}|{}|", pairs.join(","));
            assert_eq!(code(&connect(&id, &user, &password)), 0, "{id}");
        }
    }

    #[test]
    fn nul_padding_is_no_part_of_a_name() {
        for [id, user, password] in both() {
            let id = id.replacen('|', "\0\0|", 1);
            let user = user.replacen('&', "\0\0\0&", 1) + "\0\0";
            assert_eq!(code(&connect(&id, &user, &password)), 0, "{id:?}");
        }
    }

    #[test]
    fn without_a_timestamp_none_is_signed() {
        let (id, user) = ("any", "gateway_test01&a1GQc8iJOWI");
        let source = source(id, "gateway_test01", "a1GQc8iJOWI", None);
        let secret = vectors()["deviceSecret"].as_str().unwrap().to_owned();
        let password = sign("hmacsha1", secret.as_bytes(), source.as_bytes()).unwrap();
        assert_eq!(
            code(&connect("any|signmethod=hmacsha1|", user, &password)),
            0
        );
    }

    #[test]
    fn every_mistake_has_its_code() {
        let [id, user, password] = both().remove(0);
        let (head, _) = id.split_once('|').unwrap();
        for (id, user, password, expected) in [
            (id.as_str(), user.as_str(), "00", 4),
            (&id, &user, "", 4),
            (&id, "nobody&a1GQc8iJOWI", &password, 5),
            (&id, "gateway_test01", &password, 4),
            (&id.replace("sha256", "md5"), &user, &password, 4),
            (&id.replace("sha256", "sha512"), &user, &password, 4),
            (&id.replace("signmethod", "x"), &user, &password, 4),
            (&id.replace("2524608000000", "1"), &user, &password, 4),
            (head, &user, &password, 2),
            ("mosquitto", "somebody", "x", 255),
        ] {
            assert_eq!(code(&connect(id, user, password)), expected, "{id} {user}");
        }
    }

    /// What the vectors' device signs with MD5 (`openssl dgst -md5 -hmac`).
    const MD5: &str = "2ac3c55a9a452d991c975b24c789e7ca";

    #[test]
    fn md5_is_a_method_and_the_default() {
        let [id, user, _] = both().remove(0);
        for id in [
            id.replace("hmacsha256", "hmacmd5"),
            id.replace("hmacsha256", "HmacMD5"),
            id.replace("signmethod=hmacsha256,", ""),
        ] {
            assert_eq!(code(&connect(&id, &user, MD5)), 0, "{id}");
            assert_eq!(code(&connect(&id, &user, &MD5.to_uppercase())), 0, "{id}");
            assert_eq!(
                code(&connect(&id, &user, &MD5.replace('1', "2"))),
                4,
                "{id}"
            );
        }
    }

    #[test]
    fn a_keep_alive_is_one_that_the_cloud_takes() {
        let [id, user, password] = both().remove(0);
        for (keep_alive, expected) in [
            (0, 3),
            (15, 3),
            (29, 3),
            (30, 0),
            (60, 0),
            (1200, 0),
            (1201, 3),
            (u16::MAX, 3),
        ] {
            let connect = Connect {
                keep_alive,
                ..connect(&id, &user, &password)
            };
            assert_eq!(code(&connect), expected, "{keep_alive} s");
        }
    }

    #[test]
    fn an_id_has_at_most_64_characters() {
        let secret = vectors()["deviceSecret"].as_str().unwrap().to_owned();
        for (id, expected) in [
            ("m".repeat(64), 0),
            ("\u{f6}".repeat(64), 0),
            ("m".repeat(64) + "\0\0", 0),
            ("m".repeat(65), 2),
        ] {
            let signed = unpadded_text(&id);
            let source = source(signed, "gateway_test01", "a1GQc8iJOWI", None);
            let password = sign("hmacsha256", secret.as_bytes(), source.as_bytes()).unwrap();
            let client_id = format!("{id}|signmethod=hmacsha256|");
            let connect = connect(&client_id, "gateway_test01&a1GQc8iJOWI", &password);
            assert_eq!(code(&connect), expected, "{id}");
        }
    }

    proptest! {
        #[test]
        fn anything_can_be_judged(id in ".{0,60}", user in ".{0,30}", password in ".{0,40}") {
            let refused = judge(&connect(&id, &user, &password), |_| Some("s".into()));
            prop_assert!(!matches!(refused, Some(Ok(_))));
        }
    }
}
