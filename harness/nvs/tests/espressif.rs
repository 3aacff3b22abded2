//! Images against those of Espressif's own generator, `esp-idf-nvs-partition-gen` from PyPI.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nvs::{NvsError, Row, Value, image, merged, rows};

const PARTITION: usize = 0x6000;

fn row(namespace: &str, key: &str, of: &str, text: &str) -> Row {
    Row::new(namespace, key, Value::parse(of, text).unwrap()).unwrap()
}

/// One of each type, a certificate that needs two pages, and texts that a CSV has to quote.
fn world() -> Vec<Row> {
    let certificate = "-----BEGIN CERTIFICATE-----\n".repeat(200);
    vec![
        row("broker", "data", "string", "mqtts://10.0.0.2:8883"),
        row("broker", "port", "u16", "8883"),
        row("broker", "chain", "blob", &certificate),
        row("broker", "ca", "string", &certificate[..2800]),
        row("app", "quoted", "string", "a \"b\", c and \u{e9}"),
        row("app", "u8", "u8", "255"),
        row("app", "i8", "i8", "-128"),
        row("app", "i16", "i16", "-32768"),
        row("app", "u32", "u32", "4294967295"),
        row("app", "i32", "i32", "-2147483648"),
        row("app", "u64", "u64", "18446744073709551615"),
        row("app", "i64", "i64", "-9223372036854775808"),
        row("app", "hex", "hex", "00ff7f"),
        row("app", "base64", "base64", "AAECAw=="),
        row("fifteen-letters", "fifteen-letters", "u8", "1"),
    ]
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| (a.namespace(), a.key()).cmp(&(b.namespace(), b.key())));
    rows
}

#[test]
fn what_is_written_is_read_back() {
    let world = world();
    let image = image(&world, PARTITION).unwrap();
    assert_eq!(sorted(rows(&image).unwrap()), sorted(world));
}

#[test]
fn rows_are_changed_without_losing_what_the_device_stored() {
    let before = image(
        &[
            row("nvs.net80211", "sta.ssid", "blob", "home"),
            row("broker", "data", "string", "old"),
        ],
        PARTITION,
    )
    .unwrap();
    let changed = [
        row("broker", "data", "string", "new"),
        row("broker", "port", "u16", "1"),
    ];
    let after = merged(&before, &changed).unwrap();
    let mut expected = vec![row("nvs.net80211", "sta.ssid", "blob", "home")];
    expected.extend(changed);
    assert_eq!(sorted(rows(&after).unwrap()), sorted(expected));
}

#[test]
fn what_firmware_could_not_read_is_refused_with_the_reason() {
    let long = "x".repeat(3968);
    for (namespace, key, of, text, why) in [
        ("broker", "a_key_of_16_char", "u8", "1", "has 16 characters"),
        ("a_name_of_16_cha", "key", "u8", "1", "has 16 characters"),
        ("broker", "", "u8", "1", "no name"),
        ("broker", "k y", "u8", "1", "no name"),
        ("broker", "port", "u8", "8883", "`8883` is no u8"),
        ("broker", "port", "u16", "-1", "`-1` is no u16"),
        ("broker", "key", "hex", "abc", "no hex"),
        ("broker", "key", "base64", "s3cret!", "the text"),
        ("broker", "key", "sting", "x", "no type `sting`"),
        (
            "broker",
            "key",
            "string",
            &long,
            "3968 bytes; a string has 3967",
        ),
        ("broker", "key", "string", "a\0b", "NUL"),
    ] {
        let refused = Value::parse(of, text).and_then(|value| Row::new(namespace, key, value));
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(why), "{key} {of}: {said}");
    }
    let twice = [row("a", "k", "u8", "1"), row("a", "k", "u16", "1")];
    assert!(matches!(
        image(&twice, PARTITION),
        Err(NvsError::Twice { .. })
    ));
    for size in [0, 0x1000, 0x2000, 0x6001, usize::MAX / 2] {
        assert!(
            matches!(image(&[], size), Err(NvsError::Size { .. })),
            "{size}"
        );
    }
    let large = row("a", "k", "blob", &"x".repeat(9000));
    let said = image(&[large], 0x3000).unwrap_err().to_string();
    assert!(
        said.contains("do not fit into a partition of 0x3000 bytes"),
        "{said}"
    );
}

/// Python with the generator. Where the judges are required, so is it.
fn generator(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder =
        std::env::var_os("PROVING_JUDGES").map_or(root.join("target/judges"), PathBuf::from);
    let python = root.join(folder).join("bin/python");
    let asked = Command::new(&python)
        .args(["-c", "import esp_idf_nvs_partition_gen"])
        .output();
    if asked.is_ok_and(|asked| asked.status.success()) {
        return Some(python);
    }
    let missing = "esp-idf-nvs-partition-gen is not installed: cargo xtask test installs it";
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "{missing}"
    );
    eprintln!("{test}: skipped, because {missing}");
    None
}

fn csv(rows: &[Row], folder: &Path) -> String {
    let mut csv = "key,type,encoding,value\n".to_owned();
    let mut namespace = "";
    for (index, row) in rows.iter().enumerate() {
        if row.namespace() != namespace {
            namespace = row.namespace();
            csv.push_str(&format!("{namespace},namespace,,\n"));
        }
        let (encoding, text) = match row.value() {
            Value::U8(number) => ("u8", number.to_string()),
            Value::I8(number) => ("i8", number.to_string()),
            Value::U16(number) => ("u16", number.to_string()),
            Value::I16(number) => ("i16", number.to_string()),
            Value::U32(number) => ("u32", number.to_string()),
            Value::I32(number) => ("i32", number.to_string()),
            Value::U64(number) => ("u64", number.to_string()),
            Value::I64(number) => ("i64", number.to_string()),
            Value::String(text) => {
                let file = folder.join(format!("{index}.txt"));
                fs::write(&file, text).unwrap();
                csv.push_str(&format!("{},file,string,{}\n", row.key(), file.display()));
                continue;
            }
            Value::Blob(bytes) => {
                let file = folder.join(format!("{index}.bin"));
                fs::write(&file, bytes).unwrap();
                csv.push_str(&format!("{},file,binary,{}\n", row.key(), file.display()));
                continue;
            }
        };
        csv.push_str(&format!("{},data,{encoding},{text}\n", row.key()));
    }
    csv
}

#[test]
fn espressifs_generator_makes_an_image_that_holds_the_same() {
    let Some(python) = generator("espressifs_generator_makes_an_image_that_holds_the_same") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let world = world();
    fs::write(folder.path().join("in.csv"), csv(&world, folder.path())).unwrap();
    let output = Command::new(python)
        .args([
            "-m",
            "esp_idf_nvs_partition_gen",
            "generate",
            "in.csv",
            "out.bin",
            "0x6000",
        ])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let theirs = fs::read(folder.path().join("out.bin")).unwrap();
    assert_eq!(sorted(rows(&theirs).unwrap()), sorted(world.clone()));
    // What the first page holds before the first blob is the same to the byte.
    let ours = image(&world, PARTITION).unwrap();
    assert_eq!(ours[64..64 + 32 * 3], theirs[64..64 + 32 * 3]);
}

proptest::proptest! {
    /// An image may have been read from any board.
    #[test]
    fn no_image_makes_the_reader_panic(
        changes in proptest::collection::vec((0..3 * 4096_usize, proptest::num::u8::ANY), 0..40),
        is_written in proptest::bool::ANY,
    ) {
        let rows = [row("app", "blob", "blob", &"x".repeat(5000)), row("app", "text", "string", "y")];
        let mut image = match is_written {
            true => image(&rows, 0x3000).unwrap(),
            false => vec![0xff; 0x3000],
        };
        for (at, byte) in changes {
            image[at] = byte;
        }
        let _ = nvs::rows(&image);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0x3000),
        state in 0..5_usize,
    ) {
        let state = [0xffff_ffff_u32, 0xffff_fffe, 0xffff_fffc, 0xffff_fff8, 0xffff_fff0][state];
        bytes[..4].copy_from_slice(&state.to_le_bytes());
        let _ = nvs::rows(&bytes);
    }
}
