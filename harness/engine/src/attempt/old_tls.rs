//! A broker of a world that speaks the TLS of old devices.

use cloud::{KeyExchange, Legacy, OldVersion};
use pki::esp8266::{Age, Material, Subjects};
use pki::{Authority, Identity, PkiError};

use language::{OldTls, Strength};

/// Profile of a broker's certificate that was made by its age.
const PROFILE: &str = "server-by-age";

/// What the broker is told.
pub fn legacy(old: &OldTls) -> Legacy {
    let version = |version| match version {
        language::OldVersion::Tls10 => OldVersion::Tls10,
        language::OldVersion::Tls11 => OldVersion::Tls11,
        language::OldVersion::Tls12 => OldVersion::Tls12,
    };
    Legacy {
        oldest: version(old.oldest.value),
        newest: version(old.newest),
        key_exchange: match old.key_exchange {
            language::KeyExchange::Any => KeyExchange::Any,
            language::KeyExchange::Rsa => KeyExchange::Rsa,
        },
    }
}

/// The age of certificates of this strength.
pub fn age(strength: Strength) -> Age {
    match strength {
        Strength::Of2017 => Age::Of2017,
        Strength::OfToday => Age::Today,
    }
}

/// A broker's certificate of that age, and who has signed it. `now` is Unix time in s.
pub fn mint(age: Age, host: &str, now: u64) -> Result<(Identity, Authority), PkiError> {
    let subjects = Subjects {
        server: host,
        client: "client",
    };
    let material = Material::mint(age, subjects, now)?;
    let identity = material.broker(PROFILE)?;
    Ok((identity, material.authority()))
}
