//! Making private keys.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use rsa::pkcs8::EncodePrivateKey as _;

use crate::{KeyType, PkiError};

impl KeyType {
    /// Whether it is an RSA key, of any length.
    pub fn is_rsa(self) -> bool {
        self.rsa_bits().is_some()
    }

    fn rsa_bits(self) -> Option<u16> {
        match self {
            Self::P256 | Self::P384 => None,
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
        }
    }
}

/// A new key of this kind. `profile` is for messages.
pub(crate) fn new_key(profile: &str, kind: KeyType) -> Result<KeyPair, PkiError> {
    let made = match kind {
        KeyType::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyType::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        // ring signs with RSA keys and makes none.
        KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => {
            return rsa_key(profile, kind.rsa_bits().unwrap_or_default());
        }
    };
    made.map_err(|source| PkiError::Mint {
        name: profile.to_owned(),
        source,
    })
}

/// The same key again. `profile` is for messages.
pub(crate) fn copy_of(profile: &str, key: &KeyPair) -> Result<KeyPair, PkiError> {
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    KeyPair::try_from(&der).map_err(|source| PkiError::Mint {
        name: profile.to_owned(),
        source,
    })
}

fn rsa_key(profile: &str, bits: u16) -> Result<KeyPair, PkiError> {
    let wrap = |why: String| PkiError::Key {
        name: profile.to_owned(),
        why,
    };
    let key = crate::rsa_key::new_key(bits).map_err(|error| wrap(error.to_string()))?;
    let der = key
        .to_pkcs8_der()
        .map_err(|error| wrap(error.to_string()))?;
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(der.as_bytes().to_vec());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).map_err(|source| PkiError::Mint {
        name: profile.to_owned(),
        source,
    })
}
