//! Which tests an image says that it has.

use std::fs;

use board::on_target::{TestError, names};
use proptest::prelude::*;

use crate::elf::{ARM, linked, linked_with};

const FIRST: &str =
    r#"{"disambiguator":1,"name":"adds","ignored":false,"should_panic":false,"timeout":3}"#;
const SECOND: &str = r#"{"disambiguator":2,"name":"boots","ignored":true,"should_panic":false}"#;
/// Where the image's text is.
const TEXT: u32 = 0x100;

/// An image of embedded-test, with this version of its protocol.
fn image(version: u32) -> Vec<u8> {
    let path = b"crate::tests::sums";
    let entry = |function: u32| {
        [function, TEXT, path.len() as u32]
            .map(u32::to_le_bytes)
            .concat()
    };
    let section = [version.to_le_bytes().to_vec(), entry(0x201), entry(0x301)].concat();
    // Its linker script gives the section the address 1.
    let symbols = [
        ("EMBEDDED_TEST_VERSION", 1, 4),
        (SECOND, 1 + 4, 12),
        (FIRST, 1 + 4 + 12, 12),
    ];
    linked_with(ARM, TEXT, path, (".embedded_test", 1, &section), &symbols)
}

fn names_of(elf: &[u8]) -> Result<Vec<String>, TestError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tests.elf");
    fs::write(&path, elf).expect("a file");
    names(&path)
}

#[test]
fn the_names_of_tests_stand_in_the_image() {
    let names = names_of(&image(1)).expect("tests");
    assert_eq!(names, ["tests::sums::adds", "tests::sums::boots"]);
}

#[test]
fn another_protocol_is_told_with_what_to_use() {
    let said = names_of(&image(2))
        .expect_err("another version")
        .to_string();
    assert!(
        said.contains("version 2") && said.contains("embedded-test = \"0.7\""),
        "{said}"
    );
}

#[test]
fn an_image_without_tests_is_told_how_to_get_some() {
    let said = names_of(&linked(ARM, TEXT, b"code"))
        .expect_err("no tests")
        .to_string();
    assert!(said.contains("cargo test --no-run"), "{said}");
}

proptest! {
    /// Anything at all may stand in a file.
    #[test]
    fn damaged_suites_are_told_and_never_panic(
        at in 0_usize..1000,
        bytes in prop::collection::vec(any::<u8>(), 1..16),
    ) {
        let mut elf = image(1);
        let at = at % elf.len();
        let end = (at + bytes.len()).min(elf.len());
        elf[at..end].copy_from_slice(&bytes[..end - at]);
        if let Ok(names) = names_of(&elf) {
            prop_assert!(names.len() <= 2);
        }
    }
}
