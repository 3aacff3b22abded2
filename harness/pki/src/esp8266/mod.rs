//! Certificates of an ESP8266 with Espressif's NONOS SDK: the two images that lie in its flash.
//!
//! An image is a row of records: a name of 32 bytes, padded with NUL, the length of the payload as
//! two bytes, little end first, then the payload, DER or PEM. There is no header and no checksum.
//! Formats and rules are those of ustccw/MQTTESP8266 (`tools/make_cacert.py`, `make_cert.py`) and of
//! the loader in ESP8266_NONOS_SDK (`espconn_mbedtls.c`).

mod chip;
mod error;
mod flash;
mod image;
mod material;
mod mint;

pub use chip::Chip;
pub use error::Esp8266Error;
pub use flash::{FlashMap, Misplaced, SECTOR};
pub use image::{CA_RECORD, Image, LoadError, Order, Record};
pub use material::{CA_IMAGE, CLIENT_IMAGE, Images, Material};
pub use mint::{Age, Subjects};
