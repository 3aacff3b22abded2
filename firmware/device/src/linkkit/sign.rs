//! Client id, user name and password of CONNECT.

use alloc::format;
use alloc::string::String;

use factory::{ClientIdForm, Linkkit, SignMethod};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::bugs::{self, Bug};
use crate::mqtt::Credentials;

/// The SDK never sends the time, but always this one (2050-01-01 00:00:00 UTC+8).
pub(super) const TIMESTAMP: &str = "2524608000000";

/// The device id, `{product key}.{device name}`.
pub(super) fn device_id(settings: &Linkkit) -> String {
    format!("{}.{}", settings.product_key, settings.device_name)
}

/// Signs in to the cloud, by TLS or without.
pub(crate) fn sign(settings: &Linkkit, tls: bool) -> Credentials {
    let profile = &settings.profile;
    let device_id = device_id(settings);
    // 2 is TLS direct, 3 is TCP direct.
    let secure_mode = if tls { 2 } else { 3 };
    let method = match profile.sign_method {
        SignMethod::HmacSha1 => "hmacsha1",
        SignMethod::HmacSha256 => "hmacsha256",
    };
    let version = &profile.sdk_version;
    let fields = match profile.client_id {
        ClientIdForm::Seed => {
            format!("securemode={secure_mode},timestamp={TIMESTAMP},signmethod={method},gw=0,ext=0")
        }
        ClientIdForm::V2 => format!(
            "securemode={secure_mode},_v={version},timestamp={TIMESTAMP},\
             signmethod={method},lan=C,gw=0,ext=0"
        ),
        ClientIdForm::V3 => format!(
            "timestamp={TIMESTAMP},_v={version},securemode={secure_mode},\
             signmethod={method},lan=C,gw=0,ext=0"
        ),
    };
    Credentials {
        client_id: format!("{device_id}|{fields}|"),
        username: format!("{}&{}", settings.device_name, settings.product_key),
        password: password(settings, &device_id),
    }
}

fn password(settings: &Linkkit, device_id: &str) -> String {
    let source = format!(
        "clientId{device_id}deviceName{}productKey{}timestamp{TIMESTAMP}",
        settings.device_name, settings.product_key
    );
    let secret = if bugs::is(Bug::WrongSignature) {
        "not the device secret"
    } else {
        &settings.device_secret
    };
    match settings.profile.sign_method {
        SignMethod::HmacSha1 => hex::encode(hmac::<Hmac<Sha1>>(secret, &source)),
        SignMethod::HmacSha256 => hex::encode_upper(hmac::<Hmac<Sha256>>(secret, &source)),
    }
}

fn hmac<M: Mac + hmac::digest::KeyInit>(key: &str, text: &str) -> impl AsRef<[u8]> {
    let mut mac =
        <M as Mac>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory::LinkkitProfile;

    const VECTORS: &str = include_str!("../../../../fixtures/vectors/linkkit.json");

    fn settings(profile: LinkkitProfile) -> Linkkit {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("JSON");
        let text = |name: &str| vectors[name].as_str().expect("a text").into();
        Linkkit {
            product_key: text("productKey"),
            device_name: text("deviceName"),
            device_secret: text("deviceSecret"),
            profile,
        }
    }

    fn vector(name: &str) -> Credentials {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("JSON");
        let text = |field: &str| vectors[name][field].as_str().expect("a text").into();
        Credentials {
            client_id: text("clientId"),
            username: text("username"),
            password: text("password"),
        }
    }

    #[test]
    fn version_3_signs_as_the_sdk_does() {
        assert_eq!(
            sign(&settings(LinkkitProfile::sdk_3_0_1()), true),
            vector("v3.x (signmethod=hmacsha256)")
        );
    }

    #[test]
    fn version_2_signs_as_the_sdk_does() {
        assert_eq!(
            sign(&settings(LinkkitProfile::sdk_2_3_0()), true),
            vector("v2.3.0 (signmethod=hmacsha1)")
        );
    }

    #[test]
    fn the_article_of_2019_has_a_form_of_its_own() {
        let credentials = sign(&settings(LinkkitProfile::seed_2019()), true);
        assert_eq!(
            credentials.client_id,
            "a1GQc8iJOWI.gateway_test01|securemode=2,timestamp=2524608000000,\
             signmethod=hmacsha1,gw=0,ext=0|"
        );
        let version_2 = vector("v2.3.0 (signmethod=hmacsha1)");
        assert_eq!(credentials.password, version_2.password);
    }

    #[test]
    fn without_tls_the_secure_mode_is_3() {
        let credentials = sign(&settings(LinkkitProfile::sdk_3_0_1()), false);
        assert!(credentials.client_id.contains("securemode=3"));
    }
}
