//! Signatures in the form of `ssh-keygen -Y sign`, by the crate `ssh-key`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

/// What signatures of evidence are for: one made for something else is none.
pub const NAMESPACE: &str = "proving-evidence";

/// Bytes of a key's or signature's file.
const LARGEST: u64 = 64 << 10;
/// Rights of others than a file's owner.
const OTHERS: u32 = 0o077;

/// A key that signs evidence.
#[derive(Debug)]
pub struct Signer {
    key: PrivateKey,
}

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("failed to read the key {}", path.display())]
    Read {
        /// Its file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// It is none, or none that can be used here.
    #[error("the key {} cannot be used: {why}", path.display())]
    Unusable {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Signer {
    /// The private key in the OpenSSH file at `path`: Ed25519, without a passphrase, its owner's alone.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let unusable = |why: String| KeyError::Unusable {
            path: path.to_owned(),
            why,
        };
        let text = text_of(path)?;
        let key = PrivateKey::from_openssh(text.trim())
            .map_err(|error| unusable(format!("it is no private key of OpenSSH ({error})")))?;
        let metadata = std::fs::metadata(path).map_err(read_error(path))?;
        if metadata.mode() & OTHERS != 0 {
            return Err(unusable(format!(
                "others may read it: `chmod 600 {}`, and make a new one if they did",
                path.display()
            )));
        }
        if key.is_encrypted() {
            return Err(unusable(format!(
                "it has a passphrase. Leave --sign-with out, and sign afterwards: \
                 `ssh-keygen -Y sign -n {NAMESPACE} -f {} DIR/manifest.json`",
                path.display()
            )));
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(unusable(format!(
                "it is of the kind {}. Make one: `ssh-keygen -t ed25519 -N '' -f FILE`",
                key.algorithm()
            )));
        }
        Ok(Self { key })
    }

    /// The key's fingerprint, as `ssh-keygen -l` tells it.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The signature of `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, ssh_key::Error> {
        let signature = self.key.sign(NAMESPACE, HashAlg::Sha512, message)?;
        signature.to_pem(LineEnding::LF)
    }
}

/// Who signed `message` by the signature `text`; why it is none.
pub(crate) fn signer_of(text: &str, message: &[u8]) -> Result<PublicKey, String> {
    let signature = SshSig::from_pem(text)
        .map_err(|error| format!("it is no signature of ssh-keygen ({error})"))?;
    if signature.namespace() != NAMESPACE {
        let namespace: String = signature.namespace().escape_debug().take(60).collect();
        return Err(format!(
            "it was made for `{namespace}`, not for `{NAMESPACE}`"
        ));
    }
    let key = PublicKey::from(signature.public_key().clone());
    match key.verify(NAMESPACE, message, &signature) {
        Ok(()) => Ok(key),
        Err(ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. }) => {
            Err(format!(
                "keys of the kind {} are not supported here: `ssh-keygen -Y verify` judges it",
                key.algorithm()
            ))
        }
        Err(_) => Err("it is not of this manifest: one of the two has been changed".to_owned()),
    }
}

/// The text of the file at `path`, which is small.
pub(crate) fn text_of(path: &Path) -> Result<String, KeyError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
        .map_err(read_error(path))?;
    match text.len() as u64 > LARGEST {
        true => Err(KeyError::Unusable {
            path: path.to_owned(),
            why: format!("the file is larger than {} KiB", LARGEST >> 10),
        }),
        false => Ok(text),
    }
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> KeyError + '_ {
    |source| KeyError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ssh_key::private::Ed25519Keypair;

    use super::*;

    fn signer() -> Signer {
        Signer {
            key: PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32])),
        }
    }

    proptest! {
        #[test]
        fn a_signature_is_of_its_message_alone(
            message in proptest::collection::vec(any::<u8>(), 1..60),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let signer = signer();
            let text = signer.sign(&message).expect("it signs");
            let key = signer_of(&text, &message).expect("it is its signature");
            prop_assert_eq!(key.key_data(), signer.key.public_key().key_data());
            let mut other = message.clone();
            other[at.index(message.len())] ^= 1 << bit;
            prop_assert!(signer_of(&text, &other).is_err());
            // A signature of which a letter is another is none, or of nobody that is known.
            let mut damaged = text.into_bytes();
            let place = at.index(damaged.len());
            damaged[place] ^= 1 << bit;
            if let Ok(damaged) = String::from_utf8(damaged)
                && let Ok(key) = signer_of(&damaged, &message)
            {
                prop_assert_eq!(key.key_data(), signer.key.public_key().key_data());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}", inner in "[A-Za-z0-9+/=\\n]{0,300}") {
            prop_assert!(signer_of(&text, b"x").is_err());
            let armoured = format!("-----BEGIN SSH SIGNATURE-----\n{inner}\n-----END SSH SIGNATURE-----\n");
            prop_assert!(signer_of(&armoured, b"x").is_err());
        }
    }
}
