//! `[firmware.NAME]` of a rig file: what it says, and what is said of mistakes in it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::path::Path;

use board::rig::{
    BoardLink, Components, Feature, Firmware, Rig, RigMistakes, ServiceName, Transport,
};
use esp_idf_part::{AppType, DataType, Flags, Partition, PartitionTable, SubType, Type};
use tempfile::TempDir;

const BOARD: &str =
    "[boards.lamp]\nkind = \"serial\"\nport = \"/dev/ttyUSB0\"\nfirmware = \"lamp\"\n";
const COMMAND: &str = "factory.command = [\"esptool\", \"write-flash\", \"0x9000\", \"{file}\"]\n";
const NVS: &str = "provisioning = \"none\"\n[firmware.lamp.nvs]\n";

fn parse(text: &str) -> Result<Rig, RigMistakes> {
    Rig::parse(Path::new("rig.toml"), text)
}

/// The firmware of the board `lamp` in a rig file that is sound.
fn firmware(keys: &str) -> Firmware {
    let text = format!("{BOARD}{COMMAND}[firmware.lamp]\n{keys}");
    let rig = parse(&text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes}"));
    rig.boards["lamp"].firmware.clone().unwrap()
}

/// What is said of a board's firmware with these keys.
fn mistakes(keys: &str) -> String {
    let text = format!("{BOARD}{COMMAND}[firmware.lamp]\n{keys}");
    parse(&text).expect_err(&text).to_string()
}

fn row(key: &str, of: &str, value: &str) -> String {
    format!("{{ namespace = \"broker\", key = \"{key}\", type = \"{of}\", value = \"{value}\" }}")
}

/// An image of the NVS partition with these rows.
fn nvs(rows: &[String], size: &str) -> String {
    format!("{NVS}size = {size}\nrows = [{}]\n", rows.join(", "))
}

#[test]
fn a_firmware_says_how_it_is_provisioned_what_it_can_and_what_it_prints() {
    let found = firmware(
        "hand_over = \"none\"\ncan = [\"prov-scan\", \"mqtt\"]\ncomponents = [\"esp-idf\", \"app\", \"lamp\"]\n\
         log_level = \"debug\"\n[firmware.lamp.provisioning]\ntransport = \"ble\"\nsecurity = \"v1\"\n\
         version = \"5.4\"\nservice_name = \"PROV_{mac:3}{mac:4}{mac:5}\"\npop = \"env:POP\"\n\
         custom_endpoints = [\"custom-data\"]\n",
    );
    let provisioning = found.provisioning.as_ref().unwrap();
    assert_eq!(provisioning.transport, Transport::Ble);
    assert_eq!(provisioning.version, Some("5.4"));
    let ServiceName::Template(name) = &provisioning.service_name else {
        panic!("{provisioning:?}");
    };
    assert_eq!(name.fill([0, 1, 2, 0xAB, 4, 5]), "PROV_AB0405");
    assert_eq!(found.can, [Feature::ProvScan, Feature::Mqtt].into());
    assert!(found.prints("app") && found.prints("lamp") && found.prints("security1"));
    assert!(!found.prints("awss"));
    assert_eq!(found.log_level, trace::Level::Debug);
}

#[test]
fn what_a_firmware_does_not_say_is_what_esp_idf_has() {
    let keys =
        "hand_over = \"none\"\nprovisioning = { transport = \"softap\", security = \"none\" }\n";
    let found = firmware(keys);
    assert_eq!(found.can, [Feature::ProvScan, Feature::ProvCtrl].into());
    assert_eq!(found.components, Components::Unsaid { esp_idf: true });
    assert!(found.prints("wifi_prov_mgr") && !found.prints("app"));
    let provisioning = found.provisioning.unwrap();
    assert_eq!(provisioning.service_name, ServiceName::Announced);
    let network = firmware("hand_over = \"none\"\nprovisioning = \"none\"\n");
    assert!(network.provisioning.is_none() && network.can.is_empty());
    assert!(!network.prints("wifi_prov_mgr") && network.prints("mqtt_client"));
}

#[test]
fn a_firmware_can_what_it_is_told_of() {
    let rows = [
        row("host", "string", "${broker.host}"),
        row("secret", "string", "${linkkit.device_secret}"),
        row("cert", "blob", "${client.der}"),
    ];
    let found = firmware(&nvs(&rows, "0x6000"));
    assert_eq!(found.can, [Feature::Mqtt, Feature::Linkkit].into());
    assert!(found.is_handed_a_certificate);
}

#[test]
fn mistakes_of_a_firmware_are_shown_before_anything_is_flashed() {
    let one = |row: String| nvs(&[row], "0x6000");
    let provisioning = |keys: &str| format!("hand_over = \"none\"\nprovisioning = {{ {keys} }}\n");
    for (keys, said) in [
        (one(row("a_key_of_16_char", "u8", "1")), "has 16 characters"),
        (one(row("host", "sting", "x")), "did you mean `string`?"),
        (one(row("port", "u8", "8883")), "`8883` is no u8"),
        (one(row("port", "u16", "${broker.host}")), "`${broker.host}` is no u16"),
        (one(row("host", "string", "${broker.hots}")), "did you mean `broker.host`?"),
        (nvs(&[row("host", "string", "x")], "0x2000"), "size"),
        (nvs(&[row("host", "string", "x")], "0x6001"), "no multiple of 0x1000"),
        (
            nvs(&[row("host", "string", "x"), row("host", "u8", "1")], "0x6000"),
            "`host` stands twice in `broker`",
        ),
        (
            nvs(&["a", "b", "c"].map(|key| row(key, "string", &"x".repeat(3900))), "0x3000"),
            "the rows do not fit into a partition of 0x3000 bytes",
        ),
        ("provisioning = \"none\"\n".into(), "has no `hand_over`"),
        ("provisioning = \"none\"\nhand_over = \"nvs\"\n".into(), "there are: `none`"),
        ("hand_over = \"none\"\n".into(), "`firmware.lamp` has no `provisioning`"),
        ("hand_over = \"none\"\nprovisioning = \"non\"\n".into(), "did you mean `none`?"),
        (
            provisioning("transport = \"bel\", security = \"none\""),
            "did you mean `ble`?",
        ),
        (
            provisioning("transport = \"ble\", security = \"v1\", pop = \"abcd1234\""),
            "`firmware.lamp.provisioning.pop` must say where it is, not what it is",
        ),
        (
            provisioning("transport = \"ble\", security = \"v1\""),
            "the firmware has security v1 and no `pop`",
        ),
        (
            provisioning("transport = \"ble\", security = \"none\", pop = \"env:POP\""),
            "`firmware.lamp.provisioning.pop` is for `security = \"v1\"` only",
        ),
        (
            provisioning("transport = \"ble\", security = \"none\", service_name = \"L_{mac:6}\""),
            "`{mac:6}` stands for nothing",
        ),
        (
            provisioning("transport = \"ble\", security = \"none\", service_name = { from_log = \"(a\" }"),
            "is no regular expression",
        ),
        (
            provisioning("transport = \"ble\", security = \"none\", version = \"5.6\""),
            "did you mean `5.0`?",
        ),
        (
            "hand_over = \"none\"\nprovisioning = \"none\"\ncan = [\"telemtry\"]\n".into(),
            "did you mean `telemetry`?",
        ),
        (
            "hand_over = \"none\"\nprovisioning = \"none\"\ncomponents = [\"wifi_prov_mng\"]\n".into(),
            "did you mean `wifi_prov_mgr`?",
        ),
        (
            "provisioning = \"none\"\nendpoint = { name = \"x\", value = \"y\" }\n".into(),
            "needs a session, and the firmware is not provisioned",
        ),
        (
            "provisioning = { transport = \"ble\", security = \"none\" }\n\
             endpoint = { name = \"x\", value = '{\"a\":${broker.port},}' }\n".into(),
            "begins as JSON and is none",
        ),
        (
            "provisioning = \"none\"\nfiles = { entries = [{ name = \"../ca.pem\", value = \"${ca.pem}\" }] }\n".into(),
            "leads out of the folder of files",
        ),
        (
            nvs(&[row("a", "string", "${files}")], "0x6000"),
            "`${files}` is a path of this host",
        ),
        (
            nvs(&[row("a", "string", "x")], "0x6000")
                + "[firmware.lamp.files]\nentries = []\ncommand = [\"mk\", \"{file}\"]\n",
            "both make an image",
        ),
        (
            "provisioning = \"none\"\narguments = [\"${broker.host}\"]\n".into(),
            "which only programs have",
        ),
    ] {
        let found = mistakes(&keys);
        assert!(found.contains(said), "{said}: {found}");
        assert!(!found.contains("abcd1234"), "{found}");
    }
    let text = format!("{BOARD}[firmware.lmap]\nhand_over = \"none\"\nprovisioning = \"none\"\n");
    let found = parse(&text).unwrap_err().to_string();
    assert!(found.contains("did you mean `lmap`?"), "{found}");
}

#[test]
fn the_line_of_a_mistake_is_told() {
    let keys = "hand_over = \"none\"\nprovisioning = \"none\"\ncan = [\"telemtry\"]\n";
    let found = mistakes(keys);
    assert!(found.starts_with("rig.toml:9: "), "{found}");
}

/// A build's folder as ESP-IDF leaves it, with `nvs` at 0x9000 and `fctry` at 0x340000.
fn build() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = |name: &str, of, offset, size| {
        Partition::new(
            name,
            Type::Data,
            SubType::Data(of),
            offset,
            size,
            Flags::empty(),
        )
    };
    let table = PartitionTable::new(vec![
        data("nvs", DataType::Nvs, 0x9000, 0x6000),
        data("phy_init", DataType::Phy, 0xF000, 0x1000),
        Partition::new(
            "factory",
            Type::App,
            SubType::App(AppType::Factory),
            0x1_0000,
            0x10_0000,
            Flags::empty(),
        ),
        data("fctry", DataType::Nvs, 0x34_0000, 0x6000),
    ]);
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("partition_table")).unwrap();
    let bytes = table.to_bin().unwrap();
    // As ESP-IDF's documentation of partition tables has it, and its own tool writes it.
    let first =
        b"\xAA\x50\x01\x02\x00\x90\x00\x00\x00\x60\x00\x00nvs\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(bytes[..32], first[..]);
    assert_eq!(bytes.len(), 0xC00);
    fs::write(path("partition_table/partition-table.bin"), bytes).unwrap();
    let json = r#"{"write_flash_args":[],"flash_files":{"0x8000":"partition_table/partition-table.bin"},"partition-table":{"offset":"0x8000","file":"partition_table/partition-table.bin","encrypted":"false"}}"#;
    fs::write(path("flasher_args.json"), json).unwrap();
    // As ESP-IDF's own template has it: the offsets are left to the tool.
    let csv = "# Name, Type, SubType, Offset, Size, Flags\nnvs,data,nvs,,0x6000,\nphy_init,data,phy,,0x1000,\nfactory,app,factory,,1M,\nfctry,data,nvs,0x340000,0x6000,\n";
    fs::write(path("partitions.csv"), csv).unwrap();
    folder
}

/// A rig file in the folder of the build, with this board and this place of the partition.
fn placed(folder: &Path, board: &str, place: &str) -> Result<Rig, RigMistakes> {
    let row = row("host", "string", "x");
    let text = format!("{board}[firmware.lamp]\n{NVS}{place}\nrows = [{row}]\n");
    Rig::parse(&folder.join("rig.toml"), &text)
}

#[test]
fn a_partition_is_found_in_every_form_of_a_table() {
    let build = build();
    let board = format!(
        "{BOARD}factory.command = [\"esptool\", \"write-flash\", \"{{offset}}\", \"{{file}}\"]\n"
    );
    for table in [
        "partition_table/partition-table.bin",
        "partitions.csv",
        "flasher_args.json",
    ] {
        for (name, offset) in [("nvs", 0x9000), ("fctry", 0x34_0000)] {
            let place = format!("partition = \"{name}\"\ntable = \"{table}\"");
            let rig = placed(build.path(), &board, &place).unwrap();
            let lamp = &rig.boards["lamp"];
            let nvs = lamp
                .firmware
                .as_ref()
                .unwrap()
                .hand_over
                .nvs
                .as_ref()
                .unwrap();
            assert_eq!((nvs.size, nvs.offset), (0x6000, Some(offset)), "{table}");
            let BoardLink::Serial(serial) = &lamp.link else {
                panic!("{lamp:?}");
            };
            let command = serial.factory.as_ref().unwrap().words().join(" ");
            assert_eq!(command, format!("esptool write-flash {offset:#x} {{file}}"));
        }
    }
}

#[test]
fn what_flashes_images_writes_the_partition_if_nothing_else_does() {
    let build = build();
    let place = "partition = \"nvs\"\ntable = \"flasher_args.json\"";
    let flash = "flash.command = [\"esptool\", \"write-flash\", \"{offset}\", \"{file}\"]\nflash.images = []\n";
    let rig = placed(build.path(), &format!("{BOARD}{flash}"), place).unwrap();
    let BoardLink::Serial(serial) = &rig.boards["lamp"].link else {
        panic!("{rig:?}");
    };
    let command = serial.factory.as_ref().unwrap().words().join(" ");
    assert_eq!(command, "esptool write-flash 0x9000 {file}");
    let mistakes = placed(build.path(), BOARD, place).unwrap_err().to_string();
    assert!(
        mistakes.contains("nothing writes the NVS partition of firmware.lamp"),
        "{mistakes}"
    );
}

#[test]
fn a_partition_that_cannot_be_found_is_told_before_anything_is_flashed() {
    let build = build();
    fs::write(build.path().join("other.json"), "{}").unwrap();
    fs::write(build.path().join("other.bin"), [0x55; 64]).unwrap();
    let board = format!("{BOARD}{COMMAND}");
    for (place, said) in [
        (
            "partition = \"nvz\"\ntable = \"partitions.csv\"",
            "has no partition `nvz`; there are: nvs, phy_init, factory, fctry",
        ),
        (
            "partition = \"phy_init\"\ntable = \"partitions.csv\"",
            "has 0x1000 bytes; firmware can write to 0x3000",
        ),
        (
            "partition = \"nvs\"\ntable = \"none.csv\"",
            "failed to read",
        ),
        (
            "partition = \"nvs\"\ntable = \"other.json\"",
            "names no partition table",
        ),
        (
            "partition = \"nvs\"\ntable = \"other.bin\"",
            "is no partition table",
        ),
        ("partition = \"nvs\"", "has no `table`"),
        ("size = 0x6000\nmerge = true", "needs what is stored now"),
    ] {
        let mistakes = placed(build.path(), &board, place).unwrap_err().to_string();
        assert!(mistakes.contains(said), "{said}: {mistakes}");
    }
    let board = BOARD.to_owned() + "factory.command = [\"x\", \"{offset}\", \"{file}\"]\n";
    let mistakes = placed(build.path(), &board, "size = 0x6000")
        .unwrap_err()
        .to_string();
    assert!(mistakes.contains("nothing says where one is"), "{mistakes}");
}
