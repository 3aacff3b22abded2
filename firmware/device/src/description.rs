//! What the firmware is, for readers of its image.

/// ESP-IDF's `esp_app_desc_t`: the same bytes at the same places, so that tools that know ESP-IDF's
/// images know this one.
#[repr(C)]
pub struct Description {
    magic: u32,
    secure_version: u32,
    reserved: [u32; 2],
    version: [u8; 32],
    project: [u8; 32],
    time: [u8; 16],
    date: [u8; 16],
    framework: [u8; 32],
    elf_sha256: [u8; 32],
    reserved_too: [u32; 20],
}

/// That of the reference device.
pub static DESCRIPTION: Description = Description {
    magic: 0xabcd_5432,
    secure_version: 0,
    reserved: [0; 2],
    version: field(env!("CARGO_PKG_VERSION")),
    project: field("proving-reference"),
    time: [0; 16],
    date: [0; 16],
    framework: field("embassy"),
    elf_sha256: [0; 32],
    reserved_too: [0; 20],
};

/// `text` and zeros behind it.
const fn field(text: &str) -> [u8; 32] {
    let text = text.as_bytes();
    let mut field = [0; 32];
    let mut at = 0;
    // The last byte ends a C string.
    while at < text.len() && at < field.len() - 1 {
        field[at] = text[at];
        at += 1;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_stand_where_esp_idf_has_them() {
        assert_eq!(core::mem::size_of::<Description>(), 256);
        assert_eq!(core::mem::offset_of!(Description, version), 16);
        assert_eq!(core::mem::offset_of!(Description, project), 48);
        assert_eq!(core::mem::offset_of!(Description, framework), 112);
        assert_eq!(core::mem::offset_of!(Description, elf_sha256), 144);
        assert!(DESCRIPTION.project.starts_with(b"proving-reference\0"));
        assert_eq!(field("0123456789012345678901234567890123456789")[31], 0);
    }
}
