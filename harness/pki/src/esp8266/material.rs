//! Certificates and keys before they become images.

use std::path::{Path, PathBuf};

use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Esp8266Error, Image, Order};
use crate::export::write_all;
use crate::mint::pem;
use crate::{Authority, ExportError, Identity};

/// File name of the authority's image.
pub const CA_IMAGE: &str = "esp_ca_cert.bin";
/// File name of the image with the device's certificate and key.
pub const CLIENT_IMAGE: &str = "esp_cert_private_key.bin";

/// What is written to the flash.
#[derive(Clone, Debug)]
pub struct Images {
    /// [`CA_IMAGE`].
    pub ca: Image,
    /// [`CLIENT_IMAGE`]; none with one-way TLS.
    pub client: Option<Image>,
}

/// An authority and, with two-way TLS, a device's certificate and key.
#[derive(Clone)]
pub struct Material {
    /// DER of the authority's certificate.
    pub(super) ca: Vec<u8>,
    /// DER of the broker's certificate, and PKCS #1 DER of its key, if they were made here.
    pub(super) server: Option<(Vec<u8>, Vec<u8>)>,
    /// DER of the device's certificate, and PKCS #1 DER of its key.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Material {
    /// A team's own `ca.crt` and, with two-way TLS, `client.crt` and `client.key`, all in PEM. Of
    /// several certificates in a file the first is taken, as the SDK's script does.
    pub fn own(ca: &[u8], client: Option<(&[u8], &[u8])>) -> Result<Self, Esp8266Error> {
        let ca = certificate("ca.crt", ca)?;
        let client = client.map(|(certificate_pem, key_pem)| {
            let certificate = certificate("client.crt", certificate_pem)?;
            let key = rsa_key("client.key", key_pem)?;
            let public = key.to_public_key().to_pkcs1_der();
            let public = public.map_err(|error| damaged("client.key", "RSA key", &error))?;
            let subject = parsed("client.crt", &certificate)?;
            if subject.public_key().subject_public_key.data != public.as_bytes() {
                return Err(Esp8266Error::NotAPair);
            }
            let der = key.to_pkcs1_der();
            let der = der.map_err(|error| damaged("client.key", "RSA key", &error))?;
            Ok((certificate, der.as_bytes().to_vec()))
        });
        Ok(Self {
            ca,
            server: None,
            client: client.transpose()?,
        })
    }

    /// An authority of a run, and a device's certificate in DER with its key in PKCS #8.
    pub fn of_run(
        authority: &Authority,
        client: Option<(&[u8], &[u8])>,
    ) -> Result<Self, Esp8266Error> {
        let client = client.map(|(certificate, key)| {
            let file = "client.key";
            let key = RsaPrivateKey::from_pkcs8_der(key);
            let key = key.map_err(|_| Esp8266Error::NotRsa { file })?;
            let der = key.to_pkcs1_der();
            let der = der.map_err(|error| damaged(file, "RSA key", &error))?;
            Ok((certificate.to_vec(), der.as_bytes().to_vec()))
        });
        Ok(Self {
            ca: authority.der().to_vec(),
            server: None,
            client: client.transpose()?,
        })
    }

    /// What the broker shows, as one of `profile`; an error if it was not made here.
    pub fn broker(&self, profile: &str) -> Result<Identity, Esp8266Error> {
        let pair = made("broker's certificate", self.server.as_ref())?;
        identity(profile, "server.key", pair)
    }

    /// What the device shows, as one of `profile`; an error if it has no certificate.
    pub fn device(&self, profile: &str) -> Result<Identity, Esp8266Error> {
        let pair = made("client's certificate", self.client.as_ref())?;
        identity(profile, "client.key", pair)
    }

    /// The authority.
    pub fn authority(&self) -> Authority {
        Authority {
            der: self.ca.clone(),
        }
    }

    /// The images of its flash. `order` is that of the client image's records.
    pub fn images(&self, order: Order) -> Result<Images, Esp8266Error> {
        let client = self.client.as_ref();
        let client = client.map(|(certificate, key)| Image::of_client(certificate, key, order));
        Ok(Images {
            ca: Image::of_authority(&self.ca)?,
            client: client.transpose()?,
        })
    }

    /// Writes the images and, in PEM, what a broker and its other clients read to `folder`, which is
    /// made if need be. Keys can be read by their owner alone. A file that exists stays as it is and
    /// is an error. The paths written, in order.
    pub fn export(&self, folder: &Path, images: &Images) -> Result<Vec<PathBuf>, ExportError> {
        let pem = self.files();
        let mut files: Vec<(&str, &[u8], bool)> = pem
            .iter()
            .map(|(name, text, secret)| (*name, text.as_bytes(), *secret))
            .collect();
        files.push((CA_IMAGE, images.ca.bytes(), false));
        if let Some(client) = &images.client {
            files.push((CLIENT_IMAGE, client.bytes(), true));
        }
        write_all(folder, &files)
    }

    /// File name, PEM, and whether it is a private key.
    fn files(&self) -> Vec<(&'static str, String, bool)> {
        let mut files = vec![("ca.crt", pem("CERTIFICATE", &self.ca), false)];
        for (certificate_name, key_name, pair) in [
            ("server.crt", "server.key", &self.server),
            ("client.crt", "client.key", &self.client),
        ] {
            let Some((certificate, key)) = pair else {
                continue;
            };
            files.push((certificate_name, pem("CERTIFICATE", certificate), false));
            files.push((key_name, pem("RSA PRIVATE KEY", key), true));
        }
        files
    }

    /// Bytes of the handshake message that carries the broker's certificate, if that was made here:
    /// what the device's buffer must hold at least (RFC 5246 §7.4.2).
    pub fn certificate_message(&self) -> Option<usize> {
        let (server, _) = self.server.as_ref()?;
        Some(4 + 3 + 3 + server.len())
    }

    /// The names of the device's issuer and of the authority, if they differ: a broker then needs
    /// both authorities.
    pub fn other_issuer(&self) -> Result<Option<(String, String)>, Esp8266Error> {
        let Some((client, _)) = &self.client else {
            return Ok(None);
        };
        let (client, ca) = (parsed("client.crt", client)?, parsed("ca.crt", &self.ca)?);
        let differ = client.issuer().as_raw() != ca.subject().as_raw();
        Ok(differ.then(|| (client.issuer().to_string(), ca.subject().to_string())))
    }
}

fn made<T>(what: &'static str, pair: Option<T>) -> Result<T, Esp8266Error> {
    pair.ok_or_else(|| Esp8266Error::Mint {
        what,
        why: "there is none".to_owned(),
    })
}

fn identity(
    profile: &str,
    file: &'static str,
    (certificate, key): &(Vec<u8>, Vec<u8>),
) -> Result<Identity, Esp8266Error> {
    let wrong = |why: String| damaged(file, "RSA key", &why);
    let key = RsaPrivateKey::from_pkcs1_der(key).map_err(|error| wrong(error.to_string()))?;
    let key = key
        .to_pkcs8_der()
        .map_err(|error| wrong(error.to_string()))?;
    let read = parsed(file, certificate)?;
    let mut names = read.subject().iter_common_name();
    let common_name = names.next().and_then(|name| name.as_str().ok());
    Ok(Identity {
        profile: profile.to_owned(),
        common_name: common_name.unwrap_or_default().to_owned(),
        chain: vec![certificate.clone()],
        key: key.as_bytes().to_vec(),
    })
}

fn certificate(file: &'static str, text: &[u8]) -> Result<Vec<u8>, Esp8266Error> {
    let der = CertificateDer::from_pem_slice(text).map_err(|error| Esp8266Error::Pem {
        file,
        wanted: "certificate",
        why: error.to_string(),
    })?;
    parsed(file, &der)?;
    Ok(der.to_vec())
}

fn parsed<'d>(file: &'static str, der: &'d [u8]) -> Result<X509Certificate<'d>, Esp8266Error> {
    let read = X509Certificate::from_der(der);
    let (_, read) = read.map_err(|error| damaged(file, "certificate", &error))?;
    Ok(read)
}

fn rsa_key(file: &'static str, text: &[u8]) -> Result<RsaPrivateKey, Esp8266Error> {
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| Esp8266Error::Pem {
        file,
        wanted: "private key without a pass phrase",
        why: error.to_string(),
    })?;
    match &key {
        PrivateKeyDer::Pkcs1(der) => RsaPrivateKey::from_pkcs1_der(der.secret_pkcs1_der())
            .map_err(|error| damaged(file, "RSA key", &error)),
        PrivateKeyDer::Pkcs8(der) => RsaPrivateKey::from_pkcs8_der(der.secret_pkcs8_der())
            .map_err(|_| Esp8266Error::NotRsa { file }),
        _ => Err(Esp8266Error::NotRsa { file }),
    }
}

fn damaged(
    file: &'static str,
    wanted: &'static str,
    error: &impl std::fmt::Display,
) -> Esp8266Error {
    Esp8266Error::Damaged {
        file,
        wanted,
        why: error.to_string(),
    }
}
