//! Ids by which ThingsBoard finds a device's credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha3::{Digest as _, Sha3_256};

/// The id of a certificate: SHA3-256 over the Base64 of its DER, not over the DER (`SslUtil`,
/// `EncryptionUtil.getSha3Hash`).
pub fn certificate_id(der: &[u8]) -> String {
    text_id(&certificate_text(der))
}

/// A certificate as ThingsBoard stores it: Base64 without header and line breaks.
pub fn certificate_text(der: &[u8]) -> String {
    STANDARD.encode(der)
}

/// The id of credentials that are a text: lower-case hex of SHA3-256 over it.
pub fn text_id(text: &str) -> String {
    hex::encode(Sha3_256::digest(text.as_bytes()))
}

/// What becomes of a certificate that a user pastes: BEGIN and END, LF and CR are taken out. A space
/// or a tab stays, and makes another id (`EncryptionUtil.certTrimNewLines`).
pub fn pasted(pem: &str) -> String {
    pem.replace("-----BEGIN CERTIFICATE-----", "")
        .replace("-----END CERTIFICATE-----", "")
        .replace(['\n', '\r'], "")
}

/// The id of MQTT basic credentials, which have a client id, a user name or both.
pub fn basic_id(client_id: Option<&str>, username: Option<&str>) -> Option<String> {
    match (client_id, username) {
        (Some(client_id), Some(username)) => Some(text_id(&format!("{client_id}|{username}"))),
        (Some(one), None) | (None, Some(one)) => Some(text_id(one)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts computed by another implementation of SHA3-256.
    const FACTS: &str = include_str!("facts.json");

    fn fact(name: &str) -> String {
        let facts: serde_json::Value = serde_json::from_str(FACTS).unwrap();
        facts[name].as_str().unwrap().to_owned()
    }

    fn der() -> Vec<u8> {
        STANDARD.decode(fact("credentials_value")).unwrap()
    }

    #[test]
    fn a_certificate_has_the_id_of_its_text() {
        let pem = fact("certificate_pem");
        assert_eq!(pasted(&pem), fact("credentials_value"));
        assert_eq!(certificate_text(&der()), fact("credentials_value"));
        assert_eq!(certificate_id(&der()), fact("credentials_id_sha3_256"));
        assert_eq!(text_id(&pasted(&pem)), fact("credentials_id_sha3_256"));
    }

    #[test]
    fn a_digest_that_only_looks_right_is_not_the_id() {
        use sha2::Sha256;
        let id = certificate_id(&der());
        let over_der = hex::encode(Sha3_256::digest(der()));
        let other = hex::encode(Sha256::digest(certificate_text(&der())));
        let over_pem = text_id(&fact("certificate_pem"));
        assert_eq!(over_der, fact("wrong: sha3_256 over DER"));
        assert_eq!(other, fact("wrong: sha256 over normalised text"));
        assert_eq!(
            over_pem,
            fact("wrong: sha3_256 over PEM text incl. headers")
        );
        for wrong in [over_der, other, over_pem] {
            assert_ne!(id, wrong);
        }
    }

    #[test]
    fn line_ends_do_not_count_and_a_stray_space_does() {
        let pem = fact("certificate_pem");
        let crlf = pem.replace('\n', "\r\n");
        assert_eq!(text_id(&pasted(&crlf)), fact("crlf_gives_same_id"));
        let spaced = fact("pasted_with_trailing_space");
        assert_eq!(text_id(&pasted(&spaced)), fact("trailing_space_changes_id"));
        assert_ne!(text_id(&pasted(&spaced)), certificate_id(&der()));
    }

    #[test]
    fn an_authority_is_known_by_the_same_id() {
        let der = STANDARD.decode(fact("ca_credentials_value")).unwrap();
        assert_eq!(certificate_id(&der), fact("ca_credentials_id"));
    }

    #[test]
    fn basic_credentials_have_the_id_of_what_they_have() {
        for (client_id, username, id) in [
            (Some("dev1"), Some("alice"), Some(fact("basic dev1|alice"))),
            (Some("dev1"), None, Some(fact("basic dev1"))),
            (None, Some("dev1"), Some(fact("basic dev1"))),
            (None, None, None),
        ] {
            assert_eq!(basic_id(client_id, username), id);
        }
    }

    #[test]
    fn the_digest_is_sha3_and_not_keccak() {
        assert_eq!(text_id("ThingsBoard"), fact("sha3_256 ThingsBoard"));
    }
}
