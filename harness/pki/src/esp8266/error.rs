//! What can go wrong before there is an image.

/// Certificates that an ESP8266 cannot use, or that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Esp8266Error {
    /// A file holds no PEM of the expected kind.
    #[error("{file} holds no {wanted} in PEM: {why}")]
    Pem {
        /// Name of the file.
        file: &'static str,
        /// What it should hold.
        wanted: &'static str,
        /// Why it could not be read.
        why: String,
    },
    /// A certificate or key is damaged.
    #[error("{file} is no {wanted}: {why}")]
    Damaged {
        /// Name of the file.
        file: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// Why it could not be read.
        why: String,
    },
    /// The key is of another kind.
    #[error("the key in {file} is no RSA key; the ESP8266's TLS takes RSA only")]
    NotRsa {
        /// Name of the file.
        file: &'static str,
    },
    /// Key and certificate are not of one pair.
    #[error(
        "client.key does not belong to client.crt: the broker would refuse the signature \
         (alert 51, decrypt_error)"
    )]
    NotAPair,
    /// A payload does not fit in the two bytes of its length.
    #[error("record {name:?} has {length} bytes; its length field holds at most 65534")]
    TooLong {
        /// The record's name.
        name: String,
        /// Bytes of its payload.
        length: usize,
    },
    /// A name does not fit.
    #[error("record name {name:?} does not fit in 32 bytes with the NUL behind it")]
    Name {
        /// The record's name.
        name: String,
    },
    /// What is flashed lies too far apart to be handed to a device.
    #[error("the images and the settings lie further apart than {most} bytes")]
    Apart {
        /// How many bytes of flash a device is handed.
        most: usize,
    },
    /// A certificate could not be made.
    #[error("failed to mint the {what} of an ESP8266: {why}")]
    Mint {
        /// Which certificate or key.
        what: &'static str,
        /// Reason of the failure.
        why: String,
    },
}
