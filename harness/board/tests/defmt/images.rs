//! What is said of images that cannot be used.

use std::path::Path;

use board::defmt::{ChipMemory, Image, ImageError};
use object::Architecture;
use proptest::prelude::*;

use crate::elf::{ARM, RECORD, RISCV, linked, with_table};

fn chip() -> ChipMemory {
    ChipMemory {
        chip: "mps2-an386".to_owned(),
        core: "a 32-bit ARM core",
        architecture: Architecture::Arm,
        memory: vec![0..0x1000, 0x1000..0x2000, 0x2000_0000..0x2000_1000],
    }
}

fn image(elf: Vec<u8>) -> Result<Image, ImageError> {
    Image::new(Path::new("firmware.elf"), elf)
}

fn fits(elf: Vec<u8>) -> Result<(), ImageError> {
    image(elf).expect("a sound image").fits(&chip())
}

#[test]
fn an_image_is_what_its_segments_hold() {
    let image = image(linked(ARM, 0x100, b"code")).expect("a sound image");
    let segments: Vec<_> = image.segments().collect();
    assert_eq!(segments, [(0x100, b"code".as_slice())]);
    assert_eq!(image.size(), 4);
    image.fits(&chip()).expect("room for four bytes");
}

#[test]
fn an_image_for_another_processor_is_told_with_both() {
    let said = fits(linked(RISCV, 0x100, b"code")).expect_err("RISC-V");
    let said = said.to_string();
    assert!(
        said.contains("firmware.elf is for 32-bit RISC-V")
            && said.contains("mps2-an386 is a 32-bit ARM core")
            && said.contains("cargo build --target"),
        "{said}"
    );
}

#[test]
fn an_image_that_is_too_large_is_told_by_how_much() {
    let said = fits(linked(ARM, 0x1800, &[0; 0x900])).expect_err("too large");
    assert!(
        matches!(said, ImageError::TooLarge { over: 0x100, .. }),
        "{said}"
    );
    assert!(
        said.to_string().contains("256 bytes behind 0x00002000"),
        "{said}"
    );
}

#[test]
fn an_image_that_touches_two_regions_fits() {
    fits(linked(ARM, 0xF00, &[0; 0x200])).expect("the regions touch");
}

#[test]
fn an_image_beside_all_memory_is_told_with_what_there_is() {
    let said = fits(linked(ARM, 0x0800_0000, b"code")).expect_err("nothing is there");
    let said = said.to_string();
    assert!(
        said.contains("0x08000000") && said.contains("0x20000000 to 0x20001000"),
        "{said}"
    );
}

#[test]
fn an_image_without_a_table_is_told_how_to_get_one() {
    let image = image(linked(ARM, 0x100, b"code")).expect("a sound image");
    let said = image.defmt_table().err().expect("no table").to_string();
    assert!(
        said.contains("-Tdefmt.x") && said.contains("log = \"text\""),
        "{said}"
    );
}

#[test]
fn a_table_of_another_version_is_told_with_both() {
    let elf = with_table("5", "rzcobs", &[(1, "defmt_info", RECORD)]);
    let said = table_error(elf);
    assert!(
        said.contains("version 5") && said.contains("versions 3 and 4"),
        "{said}"
    );
}

#[test]
fn a_table_with_a_name_that_is_none_is_told_as_damaged() {
    let mut elf = with_table("4", "rzcobs", &[(1, "defmt_info", RECORD)]);
    let at = elf
        .windows(9)
        .position(|window| window == br#"{"package"#)
        .expect("the symbol's name");
    elf[at] = b'?';
    let said = table_error(elf);
    assert!(said.contains("cannot be read"), "{said}");
}

/// What is said of the table of an object file, which is no image.
fn table_error(elf: Vec<u8>) -> String {
    board::defmt::Table::new(Path::new("firmware.elf"), &elf)
        .err()
        .expect("no sound table")
        .to_string()
}

proptest! {
    /// Anything at all may stand in a file.
    #[test]
    fn damaged_images_are_told_and_never_panic(
        at in 0_usize..400,
        bytes in prop::collection::vec(any::<u8>(), 1..16),
        cut in 0_usize..900,
    ) {
        let table = with_table("4", "rzcobs", &[(1, "defmt_info", RECORD), (2, "defmt_str", "x")]);
        for mut elf in [linked(ARM, 0x100, b"code"), table] {
            let at = at % elf.len();
            let end = (at + bytes.len()).min(elf.len());
            elf[at..end].copy_from_slice(&bytes[..end - at]);
            elf.truncate(elf.len().saturating_sub(cut % 3 * cut));
            if let Ok(image) = image(elf.clone()) {
                let total: usize = image.segments().map(|(_, bytes)| bytes.len()).sum();
                prop_assert!(total <= 1024 * elf.len());
                let _ = image.fits(&chip());
            }
            let _ = board::defmt::Table::new(Path::new("firmware.elf"), &elf);
        }
    }
}
