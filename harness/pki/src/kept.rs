//! An authority that outlives a run: one that is kept from run to run, or a team's own.

use std::fmt;

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_parser::parse_x509_certificate;

use crate::PkiError;
use crate::mint::{ROOT, Signer, pem};

/// The certificate of an authority, and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAuthority {
    certificate: Vec<u8>,
    /// PKCS #8.
    key: Vec<u8>,
}

/// A certificate and a key are no authority that could sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// The text holds no certificate.
    #[error("holds no certificate in PEM")]
    NoCertificate,
    /// The certificate cannot be read.
    #[error("holds a certificate that cannot be read")]
    Unreadable,
    /// The certificate may sign no others.
    #[error("holds a certificate that is no authority's (basic constraints, CA)")]
    NoAuthority,
    /// The certificate is not valid now.
    #[error("holds a certificate that is valid from {from} to {to}, not now")]
    NotNow {
        /// From when.
        from: String,
        /// Until when.
        to: String,
    },
    /// The text holds no key of the only form that is read.
    #[error("holds no private key in PKCS #8, without a password")]
    NoKey,
    /// The key is of a kind that cannot sign here.
    #[error("holds a key that is neither of P-256, P-384, Ed25519 nor RSA of at least 2048 bits")]
    KeyKind,
    /// The key is not the certificate's.
    #[error("holds a key that is not the certificate's")]
    OtherKey,
}

impl KeptError {
    /// Whether the key is at fault, not the certificate.
    pub fn is_of_the_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::KeyKind | Self::OtherKey)
    }
}

/// The certificate in this text, in DER, which has to be that of an authority that is valid at `now`, in s
/// of Unix time. Of several, the first counts.
pub fn authority_certificate(text: &str, now: u64) -> Result<Vec<u8>, KeptError> {
    let certificate =
        CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| KeptError::NoCertificate)?;
    let (_, read) = parse_x509_certificate(&certificate).map_err(|_| KeptError::Unreadable)?;
    if !read.is_ca() {
        return Err(KeptError::NoAuthority);
    }
    let validity = read.validity();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if now < validity.not_before.timestamp() || now > validity.not_after.timestamp() {
        return Err(KeptError::NotNow {
            from: validity.not_before.to_string(),
            to: validity.not_after.to_string(),
        });
    }
    Ok(certificate.to_vec())
}

impl KeptAuthority {
    /// The authority of these texts, which has to be one that is valid at `now`, in s of Unix time. Of
    /// several certificates, the first counts.
    pub fn from_pem(certificate: &str, key: &str, now: u64) -> Result<Self, KeptError> {
        let certificate = authority_certificate(certificate, now)?;
        let (_, read) = parse_x509_certificate(&certificate).map_err(|_| KeptError::Unreadable)?;
        let key =
            PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).map_err(|_| KeptError::NoKey)?;
        let pair = KeyPair::try_from(&key).map_err(|_| KeptError::KeyKind)?;
        if read.public_key().raw != pair.subject_public_key_info() {
            return Err(KeptError::OtherKey);
        }
        let kept = Self {
            certificate: certificate.clone(),
            key: key.secret_pkcs8_der().to_vec(),
        };
        kept.signer().map_err(|_| KeptError::Unreadable)?;
        Ok(kept)
    }

    pub(crate) fn of(signer: &Signer) -> Self {
        Self {
            certificate: signer.der.clone(),
            key: signer.issuer.key().serialize_der(),
        }
    }

    pub(crate) fn signer(&self) -> Result<Signer, PkiError> {
        let wrap = |source| PkiError::Mint {
            name: ROOT.to_owned(),
            source,
        };
        let key = PrivatePkcs8KeyDer::from(&self.key[..]);
        let key = KeyPair::try_from(&key).map_err(wrap)?;
        let certificate = CertificateDer::from(&self.certificate[..]);
        let issuer = rcgen::Issuer::from_ca_cert_der(&certificate, key).map_err(wrap)?;
        Ok(Signer {
            issuer,
            der: self.certificate.clone(),
            chain: Vec::new(),
        })
    }

    /// The certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The key in PEM (PKCS #8).
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }
}

/// Without the key, so that no log can hold it.
impl fmt::Debug for KeptAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAuthority").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pki;

    const NOW: u64 = 1_790_000_000;

    #[test]
    fn what_is_kept_signs_in_the_next_run_and_is_the_same() {
        let first = Pki::new(NOW).unwrap();
        let kept = first.keep().unwrap();
        let read = KeptAuthority::from_pem(&kept.certificate_pem(), &kept.key_pem(), NOW).unwrap();
        assert_eq!(read, kept);
        let second = Pki::with_authority(NOW, &read).unwrap();
        assert_eq!(
            first.authority("ca").unwrap(),
            second.authority("ca").unwrap()
        );
        assert_ne!(
            first.authority("other-ca").unwrap(),
            second.authority("other-ca").unwrap()
        );
        assert!(second.mint("client", &[], "lamp").is_ok());
    }

    #[test]
    fn what_is_no_authority_is_told_from_one() {
        let pki = Pki::new(NOW).unwrap();
        let kept = pki.keep().unwrap();
        let (certificate, key) = (kept.certificate_pem(), kept.key_pem());
        let other = Pki::new(NOW).unwrap().keep().unwrap();
        let client = pki.mint("client", &[], "lamp").unwrap();
        let read = |certificate: &str, key: &str| KeptAuthority::from_pem(certificate, key, NOW);
        assert_eq!(read("", &key).unwrap_err(), KeptError::NoCertificate);
        assert_eq!(
            read(&client.chain_pem(), &client.key_pem()).unwrap_err(),
            KeptError::NoAuthority
        );
        assert_eq!(read(&certificate, "").unwrap_err(), KeptError::NoKey);
        assert_eq!(
            read(&certificate, &other.key_pem()).unwrap_err(),
            KeptError::OtherKey
        );
        let late = NOW + 20 * 365 * 24 * 3600;
        let expired = KeptAuthority::from_pem(&certificate, &key, late).unwrap_err();
        assert!(matches!(expired, KeptError::NotNow { .. }));
        assert!(!format!("{kept:?}").contains("key"));
    }
}
