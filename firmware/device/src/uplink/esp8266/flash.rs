//! The images in the chip's flash: how the SDK finds and reads them.
//!
//! An image is a row of records without a head: a name of 32 bytes, padded with NUL, the length of the
//! payload as two bytes, little end first, then the payload (`espconn_mbedtls.c`, `mbedtls_msg_info_load`).
//! Nothing tells where an image ends but the erased flash behind it.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use factory::{Credentials, Esp8266};

/// Bytes of a sector, by which the SDK's calls count.
const SECTOR: u32 = 4096;
/// Bytes of a record's name.
const NAME: usize = 32;
/// Bytes before a record's payload.
const HEAD: usize = NAME + 2;
/// Bytes of an image that the SDK reads.
const READABLE: usize = 8192;
/// A length in erased flash.
const ERASED: u16 = 0xffff;

/// What an image does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoadError {
    /// There is nothing in the flash, or nothing of the name.
    Missing,
    /// A record ends behind what the SDK reads.
    Beyond,
    /// The payload is too long for a key.
    Unusable,
}

/// The authority in the sector that the firmware names: the first record, whatever its name is. In DER.
pub(super) fn authority(chip: &Esp8266, sector: u16) -> Result<Vec<u8>, LoadError> {
    record(chip, sector, "")
}

/// The certificate and the key in the sector that the firmware names.
pub(super) fn own(chip: &Esp8266, sector: u16) -> Result<Credentials, LoadError> {
    let certificate = record(chip, sector, "certificate")?;
    let key = record(chip, sector, "private_key")?;
    Ok(Credentials {
        chain: vec![certificate],
        key: as_pkcs8(&key).ok_or(LoadError::Unusable)?,
    })
}

/// The payload of the first record of an image whose name begins with `name`.
fn record(chip: &Esp8266, sector: u16, name: &str) -> Result<Vec<u8>, LoadError> {
    let mut start = 0;
    loop {
        if start + HEAD > READABLE {
            return Err(LoadError::Beyond);
        }
        let head = read(chip, sector, start, HEAD);
        let length = u16::from_le_bytes([head[NAME], head[NAME + 1]]);
        let found = head.split(|byte| *byte == 0).next().unwrap_or_default();
        let found = found.get(..NAME).unwrap_or(found);
        log::info!(
            target: super::TAG,
            "type[{}],length[{length}]",
            printable(found)
        );
        if length == ERASED {
            return Err(LoadError::Missing);
        }
        let (offset, length) = (start + HEAD, usize::from(length));
        if offset + length > READABLE {
            return Err(LoadError::Beyond);
        }
        if found.starts_with(name.as_bytes()) {
            return Ok(read(chip, sector, offset, length));
        }
        start = offset + length;
    }
}

/// `spi_flash_read`.
fn read(chip: &Esp8266, sector: u16, offset: usize, length: usize) -> Vec<u8> {
    let from = u32::from(sector) * SECTOR + offset as u32;
    let at = |address: u32| {
        let place = address.checked_sub(chip.flash_address)?;
        chip.flash.get(place as usize).copied()
    };
    // Both are below 8192, so no address is too large.
    (0..length as u32)
        .map(|place| at(from + place).unwrap_or(0xff))
        .collect()
}

/// What a terminal makes of the name of a record; that of no record may be anything.
fn printable(name: &[u8]) -> String {
    let shown = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    };
    name.iter().map(shown).collect()
}

/// The RSA key in this PKCS #1 DER as PKCS #8 (RFC 5208 §5); none if it is too long.
fn as_pkcs8(key: &[u8]) -> Option<Vec<u8>> {
    /// Version 0 and the algorithm rsaEncryption (RFC 8017 §A.1).
    const BEFORE: [u8; 18] = [
        2, 1, 0, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0,
    ];
    let with_head = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).ok()?.to_be_bytes();
        let mut bytes = vec![tag, 0x82, length[0], length[1]];
        bytes.extend_from_slice(content);
        Some(bytes)
    };
    let mut content = BEFORE.to_vec();
    content.extend(with_head(4, key)?);
    with_head(0x30, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip(flash: Vec<u8>) -> Esp8266 {
        Esp8266 {
            ca_sector: Some(0x77),
            certificate_sector: Some(0x78),
            buffer: 6144,
            max_fragment: 0,
            topics: String::new(),
            flash_address: 0x77000,
            flash,
        }
    }

    fn image(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut image = Vec::new();
        for (name, payload) in records {
            let mut head = name.as_bytes().to_vec();
            head.resize(NAME, 0);
            image.extend(head);
            image.extend((payload.len() as u16).to_le_bytes());
            image.extend_from_slice(payload);
        }
        image
    }

    #[test]
    fn the_first_record_is_the_authority_whatever_its_name_is() {
        let chip = chip(image(&[("anything", b"first"), ("second", b"2")]));
        assert_eq!(authority(&chip, 0x77), Ok(b"first".to_vec()));
    }

    #[test]
    fn certificate_and_key_are_found_in_either_order() {
        let certificate: (&str, &[u8]) = ("certificate", b"C");
        let key: (&str, &[u8]) = ("private_key", b"K");
        for records in [[certificate, key], [key, certificate]] {
            let mut flash = vec![0xff; 4096];
            flash.extend(image(&records));
            let own = own(&chip(flash), 0x78).unwrap();
            assert_eq!(own.chain, [b"C".to_vec()]);
            assert!(own.key.ends_with(b"K"), "{:x?}", own.key);
        }
    }

    #[test]
    fn a_wrong_sector_reads_the_other_image_or_erased_flash() {
        let mut flash = image(&[("TLS.ca_x509.cer", b"CA")]);
        flash.resize(4096, 0xff);
        flash.extend(image(&[("certificate", b"C"), ("private_key", b"K")]));
        let chip = chip(flash);
        assert_eq!(authority(&chip, 0x78), Ok(b"C".to_vec()));
        assert_eq!(own(&chip, 0x77), Err(LoadError::Missing));
        for sector in [0x76, 0x79, 0xffff, 0] {
            assert_eq!(authority(&chip, sector), Err(LoadError::Missing));
        }
    }

    #[test]
    fn what_lies_behind_8192_bytes_is_not_read() {
        let long = [0; 8000];
        let chip = chip(image(&[("first", &long), ("certificate", &[0; 200])]));
        assert_eq!(own(&chip, 0x77), Err(LoadError::Beyond));
    }

    #[test]
    fn records_without_content_do_not_keep_the_loader_for_ever() {
        // Each has 34 bytes, and READABLE ends the row.
        let chip = chip(vec![0; 20_000]);
        assert_eq!(own(&chip, 0x77), Err(LoadError::Beyond));
    }

    proptest::proptest! {
        #[test]
        fn any_flash_is_read_without_a_panic(
            flash: Vec<u8>,
            sector: u16,
        ) {
            let chip = chip(flash);
            let _ = authority(&chip, 0x77);
            let _ = own(&chip, sector);
        }
    }
}
