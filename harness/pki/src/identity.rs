//! What was minted.

use std::fmt;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::mint::pem;

/// A certificate, its chain and a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) profile: String,
    pub(crate) common_name: String,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

impl Identity {
    /// The profile that it was made by.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Its subject's common name.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// DER of the certificate, then of each authority between it and the root.
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// DER of the certificate alone.
    pub fn certificate_der(&self) -> &[u8] {
        &self.chain[0]
    }

    /// PKCS #8 DER of the private key.
    pub fn key_der(&self) -> &[u8] {
        &self.key
    }

    /// The chain in PEM.
    pub fn chain_pem(&self) -> String {
        self.chain
            .iter()
            .map(|der| pem("CERTIFICATE", der))
            .collect()
    }

    /// The private key in PEM (PKCS #8).
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }

    /// The chain as rustls wants it.
    pub fn rustls_chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain
            .iter()
            .map(|der| CertificateDer::from(der.clone()))
            .collect()
    }

    /// The private key as rustls wants it.
    pub fn rustls_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

/// Without the key, so that no log can hold it.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("profile", &self.profile)
            .field("common_name", &self.common_name)
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// The public side of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub(crate) der: Vec<u8>,
}

impl Authority {
    /// DER of its certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM of its certificate.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// Its certificate as rustls wants it.
    pub fn rustls(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.der.clone())
    }
}
