//! UUIDs of service and characteristics (ESP-IDF 5.5 `scheme_ble.c`, `protocomm_ble.c`).

/// A UUID as it goes over the air.
pub(super) fn little_endian(mut uuid: [u8; 16]) -> [u8; 16] {
    uuid.reverse();
    uuid
}

/// An endpoint's characteristic, as it goes over the air: the service's UUID, with the endpoint's
/// number in bytes 12 and 13, which are the last four digits of the first group as it is written.
pub(super) fn characteristic(service: [u8; 16], id: u16) -> [u8; 16] {
    let mut uuid = little_endian(service);
    uuid[12..14].copy_from_slice(&id.to_le_bytes());
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_in_the_first_group() {
        let service = factory::Ble::default().service_uuid;
        let session = little_endian(characteristic(service, 0xFF51));
        assert_eq!(hex::encode(session), "021aff5103824aeabff46b3f1c5adfb4");
    }
}
