//! Certificates as the ESP8266's TLS takes them: RSA, and of 2017 SHA-1 with 1024 bits.
//!
//! Neither ring nor rcgen signs with SHA-1 or with so short a key, so that these are built by
//! x509-cert and rsa.

use std::str::FromStr as _;
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::EncodePublicKey as _;
use sha1::Sha1;
use sha2::Sha256;
use x509_cert::builder::{Builder as _, CertificateBuilder, Profile};
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Validity;

use super::{Esp8266Error, Material};

/// 5000 days, as the SDK's script has it.
const LIFE: Duration = Duration::from_secs(5000 * 86_400);
/// Devices whose clock runs a little behind take a certificate at once.
const BEFORE: Duration = Duration::from_secs(86_400);

/// Which strength certificates are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// RSA-1024 and SHA-1, as the SDK's script makes them.
    Of2017,
    /// RSA-2048 and SHA-256, which a broker of today takes.
    Today,
}

/// Common names of what is made.
#[derive(Clone, Copy, Debug)]
pub struct Subjects<'a> {
    /// The broker's host name or address.
    pub server: &'a str,
    /// The device's.
    pub client: &'a str,
}

impl Material {
    /// A new authority, a broker's certificate and a device's. `now` is Unix time in s.
    pub fn mint(age: Age, subjects: Subjects<'_>, now: u64) -> Result<Self, Esp8266Error> {
        let bits = match age {
            Age::Of2017 => 1024,
            Age::Today => 2048,
        };
        let (ca_key, server_key, client_key) = (
            new_key("authority's key", bits)?,
            new_key("broker's key", bits)?,
            new_key("client's key", bits)?,
        );
        let issuer = Issuer {
            age,
            name: name("authority", "Proving Authority", "Proving CA")?,
            key: ca_key,
            now: Duration::from_secs(now),
        };
        let own = issuer.key.clone();
        let ca = issuer.sign("authority", Profile::Root, &issuer.name, &own, None)?;
        let leaf = || Profile::Leaf {
            issuer: issuer.name.clone(),
            enable_key_agreement: false,
            enable_key_encipherment: true,
        };
        let server = name("broker's certificate", "Proving Broker", subjects.server)?;
        let names = Some(alternative(subjects.server)?);
        let server = issuer.sign("broker's certificate", leaf(), &server, &server_key, names)?;
        let client = name("client's certificate", "Proving Device", subjects.client)?;
        let client = issuer.sign("client's certificate", leaf(), &client, &client_key, None)?;
        Ok(Self {
            ca,
            server: Some((server, key_der("broker's key", &server_key)?)),
            client: Some((client, key_der("client's key", &client_key)?)),
        })
    }
}

struct Issuer {
    age: Age,
    name: Name,
    key: RsaPrivateKey,
    now: Duration,
}

impl Issuer {
    fn sign(
        &self,
        what: &'static str,
        profile: Profile,
        subject: &Name,
        key: &RsaPrivateKey,
        names: Option<SubjectAltName>,
    ) -> Result<Vec<u8>, Esp8266Error> {
        let wrap = |why: String| Esp8266Error::Mint { what, why };
        let moment = |moment: Duration| {
            let time = x509_cert::der::DateTime::from_unix_duration(moment);
            time.map(time_of).map_err(|error| wrap(error.to_string()))
        };
        let validity = Validity {
            not_before: moment(self.now.saturating_sub(BEFORE))?,
            not_after: moment(self.now + LIFE)?,
        };
        let public = key.to_public_key().to_public_key_der();
        let public = public.map_err(|error| wrap(error.to_string()))?;
        let public = SubjectPublicKeyInfoOwned::from_der(public.as_bytes())
            .map_err(|error| wrap(error.to_string()))?;
        // The two signers are two types.
        macro_rules! built {
            ($digest:ty) => {{
                let signer = SigningKey::<$digest>::new(self.key.clone());
                let builder = CertificateBuilder::new(
                    profile,
                    serial().map_err(|error| wrap(error.to_string()))?,
                    validity,
                    subject.clone(),
                    public,
                    &signer,
                );
                let mut builder = builder.map_err(|error| wrap(error.to_string()))?;
                if let Some(names) = &names {
                    let added = builder.add_extension(names);
                    added.map_err(|error| wrap(error.to_string()))?;
                }
                builder.build()
            }};
        }
        let certificate = match self.age {
            Age::Of2017 => built!(Sha1),
            Age::Today => built!(Sha256),
        };
        let certificate = certificate.map_err(|error| wrap(error.to_string()))?;
        certificate
            .to_der()
            .map_err(|error| wrap(error.to_string()))
    }
}

/// RFC 5280 §4.1.2.5: UTCTime until 2049.
fn time_of(moment: x509_cert::der::DateTime) -> x509_cert::time::Time {
    use x509_cert::der::asn1::{GeneralizedTime, UtcTime};
    match UtcTime::from_date_time(moment) {
        Ok(time) => x509_cert::time::Time::UtcTime(time),
        Err(_) => x509_cert::time::Time::GeneralTime(GeneralizedTime::from_date_time(moment)),
    }
}

fn serial() -> x509_cert::der::Result<SerialNumber> {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    // Positive, and not of a leading zero.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::new(&bytes)
}

fn name(what: &'static str, organisation: &str, common: &str) -> Result<Name, Esp8266Error> {
    // RFC 4514 §2.4: what has a meaning of its own in the text is escaped.
    let mut escaped = String::new();
    for letter in common.chars() {
        if matches!(
            letter,
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#' | ' '
        ) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    let organisation = organisation.replace(' ', "\\ ");
    Name::from_str(&format!("CN={escaped},O={organisation}")).map_err(|error| Esp8266Error::Mint {
        what,
        why: error.to_string(),
    })
}

fn alternative(host: &str) -> Result<SubjectAltName, Esp8266Error> {
    let wrap = |why: String| Esp8266Error::Mint {
        what: "broker's certificate",
        why,
    };
    let address = match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => Some(address.octets().to_vec()),
        Ok(std::net::IpAddr::V6(address)) => Some(address.octets().to_vec()),
        Err(_) => None,
    };
    let name = match address {
        Some(octets) => GeneralName::IpAddress(
            OctetString::new(octets).map_err(|error| wrap(error.to_string()))?,
        ),
        None => {
            GeneralName::DnsName(Ia5String::new(host).map_err(|error| wrap(error.to_string()))?)
        }
    };
    Ok(SubjectAltName(vec![name]))
}

fn new_key(what: &'static str, bits: u16) -> Result<RsaPrivateKey, Esp8266Error> {
    crate::rsa_key::new_key(bits).map_err(|error| Esp8266Error::Mint {
        what,
        why: error.to_string(),
    })
}

fn key_der(what: &'static str, key: &RsaPrivateKey) -> Result<Vec<u8>, Esp8266Error> {
    let der = key.to_pkcs1_der().map_err(|error| Esp8266Error::Mint {
        what,
        why: error.to_string(),
    })?;
    Ok(der.as_bytes().to_vec())
}
