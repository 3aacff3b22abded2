//! Rig files: what can be said, and what is said of mistakes.

use std::path::Path;

use board::process::Value;
use board::rig::{
    Ability, AuthorityPlace, BoardLink, ConsoleAt, PortAddress, Rig, RigBroker, RigError,
    SecretReference, SerialLog, Wire,
};
use proptest::prelude::*;

const WHOLE: &str = r#"
[boards.nrf]
kind = "probe"
selector = "1366:1015:000683459357"
chip = "nRF52840_xxAA"
image = "nrf.elf"
reset = "under-reset"
speed_khz = 4_000
factory = [0xF_E000, 0xF_F000]
storage = [1044480, 0x100000]
can = ["storage"]

[boards.idf]
kind = "serial"
port = "/dev/serial/by-id/usb-x"
baud = 0x1C200
log = "esp-idf"
reset = "rts"
boot = "!dtr"
health = { command = ["./well", "{port}"] }

[boards.idf.flash]
command = ["esptool", "-p", "{port}", "write_flash", "{offset}", "{file}"]
images = [{ offset = 0, file = "boot.bin" }, { offset = 0x10000, file = "app.bin" }]

[boards.idf.storage]
read = ["./read", "{port}", "{file}"]
erase = ["./erase", "{port}"]

[power.idf]
on = ["./power", "on"]
off = ["./power", "off"]
settle_ms = 0

[access_points.home]
ssid = "lab"
passphrase = "env:HOME_PASSPHRASE"
isolation = { on = ["./ap", "isolate"], off = ["./ap", "mingle"] }
set = { command = ["./set-up", "home", "{file}"], limit_s = 5 }

[broker]
bind = "192.168.1.10"
names = ["proving.lab"]
"#;

fn parse(text: &str) -> Result<Rig, String> {
    Rig::parse(Path::new("/bench/rig.toml"), text).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn a_rig_says_how_boards_are_reached_and_what_stands_around_them() {
    let rig = parse(WHOLE).expect("no mistakes");
    let nrf = &rig.boards["nrf"];
    let BoardLink::Probe(probe) = &nrf.link else {
        panic!("{nrf:?}");
    };
    assert_eq!(probe.selector, "1366:1015:000683459357");
    assert_eq!(probe.image.as_deref(), Some(Path::new("/bench/nrf.elf")));
    assert!(probe.under_reset);
    assert_eq!(probe.speed_khz, Some(4000));
    assert_eq!(probe.factory, Some(0xF_E000..0xF_F000));
    assert_eq!(probe.storage, Some(0xF_F000..0x10_0000));
    assert_eq!(nrf.can, [Ability::Storage].into());
    assert_eq!(nrf.identity(), "probe 1366:1015:000683459357");

    let idf = &rig.boards["idf"];
    let BoardLink::Serial(serial) = &idf.link else {
        panic!("{idf:?}");
    };
    assert_eq!(
        serial.port,
        PortAddress::Tty("/dev/serial/by-id/usb-x".into())
    );
    assert_eq!((serial.baud, serial.log), (115_200, SerialLog::EspIdf));
    let boot = serial.boot.expect("there is one");
    assert_eq!((boot.wire, boot.inverted), (Wire::Dtr, true));
    let flash = serial.flash.as_ref().expect("there is one");
    assert_eq!(flash.images[1].offset, 0x10000);
    assert_eq!(flash.images[1].file, Path::new("/bench/app.bin"));
    assert_eq!(
        idf.can,
        [Ability::Power, Ability::Storage, Ability::Isolate].into()
    );

    let home = &rig.access_points["home"];
    assert_eq!(
        home.passphrase,
        Some(SecretReference::Environment("HOME_PASSPHRASE".into()))
    );
    let set = home.set.as_ref().expect("there is one");
    assert_eq!(set.words(), ["./set-up", "home", "{file}"]);
    let Some(RigBroker::Own(broker)) = rig.broker else {
        panic!("{:?}", rig.broker);
    };
    assert!(broker.is_off_loopback());
    assert_eq!(broker.certificate_names(), ["192.168.1.10", "proving.lab"]);
}

#[test]
fn a_program_can_be_a_board() {
    let rig = parse(
        "[boards.demo]\nkind = \"process\"\ncommand = [\"./demo\", \"${broker.host}\"]\n\
         environment = { KEY = \"${client.key}\" }\nfolder = \"state\"\n",
    )
    .expect("no mistakes");
    let demo = &rig.boards["demo"];
    let BoardLink::Process(link) = &demo.link else {
        panic!("{demo:?}");
    };
    assert_eq!(link.program(), Path::new("/bench/./demo"));
    assert!(link.mentions(Value::ClientKey) && !link.mentions(Value::Authority));
    assert_eq!(link.folder.as_deref(), Some(Path::new("/bench/state")));
    assert_eq!(demo.can, [Ability::Power, Ability::Storage].into());
    assert_eq!(demo.identity(), "process /bench demo");
}

#[test]
fn the_template_is_an_empty_rig_and_everything_in_it_can_be_used() {
    assert_eq!(parse(Rig::template()), Ok(Rig::default()));
    let used: Vec<_> = Rig::template()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') || key.starts_with("    ") => key,
            _ => line,
        })
        .collect();
    let rig = parse(&used.join("\n")).expect("no mistakes");
    assert_eq!(
        rig.boards.keys().collect::<Vec<_>>(),
        ["idf", "nrf", "program"]
    );
    assert!(rig.boards["idf"].power.is_some() && rig.broker.is_some());
    assert_eq!(rig.boards["idf"].console, Some(ConsoleAt::Log));
    assert_eq!(rig.boards["idf"].phone.wifi.as_deref(), Some("wlan1"));
    assert_eq!(rig.access_points.len(), 1);
    assert!(rig.authority.is_some());
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_to_write() {
    for (text, expected) in [
        (
            "[boards.a]\nkind = \"prob\"\n",
            "/bench/rig.toml:2: `boards.a.kind` cannot be `prob`; did you mean `probe`?",
        ),
        (
            "[boards.a]\nkind = \"serial\"\n",
            "rig.toml:1: `boards.a` has no `port`; write `port = \"/dev/serial/by-id/…\"`",
        ),
        (
            "[boards.a]\nkind = \"proces\"\n",
            "`boards.a.kind` cannot be `proces`; did you mean `process`?",
        ),
        (
            "[boards.a]\nkind = \"process\"\n",
            "rig.toml:1: `boards.a` has no `command`; write `command = [",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\",\n\"${broker.hots}\"]\n",
            "rig.toml:4: `${broker.hots}` stands for nothing; did you mean `broker.host`?",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\", \"${ca.pem\"]\n",
            "rig.toml:3: `${` has no `}` behind it; `$${` stands for `${` itself",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"${ca.pem}\"]\n",
            "rig.toml:3: `boards.a.command` must begin with a program",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = []\n",
            "`boards.a.command` must begin with a program",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\"]\nenvironment = { A = 3 }\n",
            "rig.toml:4: `boards.a.environment.A` must be a text, not a whole number",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\"]\nenvironment = { \"A=B\" = \"\" }\n",
            "rig.toml:4: no variable can be called `A=B`",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\"]\nbaud = 9600\n",
            "rig.toml:4: `boards.a` has no key `baud`",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\"]\n[power.a]\non = [\"x\"]\noff = [\"x\"]\n",
            "`power.a` switches a program, whose power is its process; leave `[power.a]` out",
        ),
        (
            "[boards.a]\nkind = \"process\"\ncommand = [\"x\"]\ncan = [\"torn-write\"]\n",
            "nothing here lets `a` do `torn-write`",
        ),
        (
            "[boards.a]\nkind = \"serial\"\nport = \"/dev/ttyS0\"\nbaudrate = 9600\n",
            "rig.toml:4: `boards.a` has no key `baudrate`; ",
        ),
        (
            "[boards.a]\nkind = \"serial\"\nport = \"/dev/ttyS0\"\nbaud = \"fast\"\n",
            "rig.toml:4: `boards.a.baud` must be a whole number, not a text; write `baud = 115200`",
        ),
        (
            "[boards.a]\nkind = \"probe\"\nselector = \"jlink\"\nchip = \"x\"\n",
            "rig.toml:3: `boards.a.selector` selects no probe: `jlink`; write `selector = \"VID:PID:SERIAL\"`; `proving boards` lists",
        ),
        (
            "[boards.a]\nkind = \"probe\"\nselector = \"1:2\"\n",
            "`boards.a` has none of `chip`, `target`",
        ),
        (
            "[boards.a]\nkind = \"probe\"\nselector = \"1:2\"\nchip = \"x\"\nstorage = [0x20, 0x10]\n",
            "rig.toml:5: `boards.a.storage` must be two addresses, the first before the second; write `storage = [0x",
        ),
        (
            "[boards.a]\nkind = \"probe\"\nselector = \"1:2\"\nchip = \"x\"\nfactory = 0x20\n",
            "`boards.a.factory` must be two addresses, the first before the second, not a whole number",
        ),
        (
            "[boards.qemu]\nkind = \"probe\"\nselector = \"1:2\"\nchip = \"x\"\n",
            "a board cannot be called `qemu`",
        ),
        (
            "[boards.a]\nkind = \"serial\"\nport = \"tcp:127.0.0.1:1\"\nreset = \"rts\"\n",
            "`boards.a.reset`: a socket has no control lines",
        ),
        (
            "[boards.a]\nkind = \"serial\"\nport = \"x\"\ncan = [\"power\"]\n",
            "rig.toml:4: nothing here lets `a` do `power`; write `[power.a]` with `on` and `off`",
        ),
        (
            "[boards.a]\nkind = \"serial\"\nport = \"x\"\nflash = { command = [\"f\", \"{prt}\"], images = [] }\n",
            "`boards.a.flash.command` is no command: `{prt}` stands for nothing here",
        ),
        (
            "[access_points.a]\nssid = \"a\"\nset = { command = [\"x\"] }\n",
            "rig.toml:3: `access_points.a.set.command` does not say where the settings go",
        ),
        (
            "[access_points.a]\nssid = \"a\"\nset = { comand = [\"x\", \"{file}\"] }\n",
            "did you mean `command`?",
        ),
        (
            "[access_points.a]\nssid = \"a\"\nset = { command = [\"x\", \"{fil}\"] }\n",
            "`access_points.a.set.command` is no command: `{fil}` stands for nothing here",
        ),
        (
            "[power.b]\non = [\"x\"]\noff = [\"x\"]\n",
            "`power.b` switches a board that is not here; write `[boards.b]`",
        ),
        (
            "[broker]\nbind = \"0.0.0.0\"\n",
            "`broker.bind` cannot be `0.0.0.0`: boards need one address",
        ),
        (
            "[broker]\nbind = \"192.168.1.10\"\nclient_certificate = \"optional\"\n",
            "rig.toml:2: the broker at `192.168.1.10` could be reached by others without a client certificate; write `client_certificate = \"required\"`",
        ),
        (
            "[acess_points.home]\nssid = \"x\"\n",
            "rig.toml:1: a rig file has no `acess_points`; did you mean `access_points`?",
        ),
        ("[boards.a\n", "rig.toml:1: this is no TOML: "),
        (
            "boards = 3\n",
            "`boards` must be a table, not a whole number",
        ),
    ] {
        let said = parse(text).expect_err(text);
        assert!(said.contains(expected), "{text}\n{said}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let said = parse("[boards.b]\nkind = 1\n[boards.a]\nkind = 2\n").expect_err("two mistakes");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].contains("boards.b") && lines[1].contains("boards.a"),
        "{said}"
    );
}

#[test]
fn a_broker_can_be_left_to_others() {
    let rig = parse(
        "[broker]\nexternal = \"mqtts://broker.example\"\nbind = \"192.168.1.10\"\ntime_port = 123\n\
         [authority]\ncertificate = \"ca.pem\"\n",
    )
    .expect("no mistakes");
    let broker = rig.broker.expect("there is one");
    let external = broker.external().expect("it is external");
    assert_eq!(
        (&*external.host, external.port, external.tls),
        ("broker.example", 8883, true)
    );
    assert_eq!(external.time, Some(([192, 168, 1, 10], 123).into()));
    let authority = rig.authority.expect("there is one").place;
    assert_eq!(authority, AuthorityPlace::Trusted("/bench/ca.pem".into()));
    let plain = parse("[broker]\nexternal = \"mqtt://127.0.0.1\"\n").expect("no mistakes");
    let plain = plain.broker.expect("there is one");
    let plain = plain.external().expect("it is external");
    assert_eq!((plain.port, plain.tls, plain.time), (1883, false, None));
}

#[test]
fn a_url_of_a_broker_is_judged_where_it_is_wrong() {
    let wants = "write `external = \"mqtts://broker.example:8883\"`";
    for (url, at, words) in [
        ("broker.example", "broker.example", "is no URL"),
        ("mqttss://b", "mqttss", "`mqttss` is not spoken"),
        ("wss://b:443", "wss", "`wss` is not spoken"),
        ("mqtts://:8883", "mqtts://:8883", "there is no host in it"),
        ("mqtts://b c:1", "b c", "neither a host name nor an address"),
        ("mqtts://b:0", "0", "`0` is no port"),
        ("mqtts://b:70000", "70000", "`70000` is no port"),
        ("mqtts://b:+1", "+1", "`+1` is no port"),
        ("mqtts://b:8883/mqtt", "/mqtt", "`/mqtt` behind the port"),
        ("mqtts://[::1", "[::1", "neither a host name"),
    ] {
        let text = format!("[broker]\nexternal = \"{url}\"\n");
        let mistakes = Rig::parse(Path::new("rig.toml"), &text).expect_err(url);
        let mistake = mistakes.iter().next().expect("one");
        assert!(
            mistake.message.contains(words),
            "{url}: {}",
            mistake.message
        );
        assert_eq!(mistake.help, wants);
        assert_eq!(text[mistake.span.clone()].trim_matches('"'), at, "{url}");
        assert_eq!(mistakes.line(mistake), 2);
    }
    let text = "[broker]\nexternal = \"mqtts://lamp:hunter2@b\"\n";
    let mistakes = Rig::parse(Path::new("rig.toml"), text).expect_err("a password");
    let said = mistakes.to_string();
    assert!(said.contains("must not stand in a rig file"), "{said}");
    assert!(
        !said.contains("hunter2") && !mistakes.text().contains("hunter2"),
        "{said}"
    );
}

#[test]
fn what_boards_are_handed_of_an_external_broker_has_to_be_there() {
    let rig = |value: &str, authority: &str| {
        let text = format!(
            "[broker]\nexternal = \"mqtts://b\"\n{authority}\
             [boards.demo]\nkind = \"process\"\ncommand = [\"x\", \"{value}\"]\n"
        );
        parse(&text).err().unwrap_or_default()
    };
    let trusted = "[authority]\ncertificate = \"ca.pem\"\n";
    let own = "[authority]\ncertificate = \"ca.pem\"\nkey = \"ca.key\"\n";
    assert_eq!(rig("${broker.host}", ""), "");
    let said = rig("${ca.pem}", "");
    assert!(
        said.starts_with("/bench/rig.toml:3: `boards.demo` is handed `${ca.pem}`"),
        "{said}"
    );
    assert!(
        said.contains("write `[authority]` with `certificate = \"ca.pem\"`"),
        "{said}"
    );
    assert_eq!(rig("${ca.pem}", trusted), "");
    let said = rig("${client.pem}", trusted);
    assert!(
        said.contains("only the key of the authority can sign"),
        "{said}"
    );
    assert_eq!(rig("${client.pem}", own), "");
    assert!(rig("${time.host}", "").contains("says of no time server"));
    assert_eq!(rig("${time.host}", "bind = \"127.0.0.1\"\n"), "");
    let said = rig("${broker.host}", "port = 1\n");
    assert!(
        said.contains("rig.toml:3: `broker.port` is about a broker of ours"),
        "{said}"
    );
    let said = rig("${broker.host}", "[authority]\nkey = \"ca.key\"\n");
    assert!(
        said.contains("has no `certificate`") && said.lines().count() == 1,
        "{said}"
    );
    let reference = "[broker]\nexternal = \"mqtts://b\"\n[boards.a]\nkind = \"serial\"\nport = \"/dev/ttyUSB0\"\n";
    let said = parse(reference).expect_err("factory data have an authority");
    assert!(said.contains("`boards.a` is handed factory data"), "{said}");
    assert_eq!(parse(&reference.replace("mqtts", "mqtt")).err(), None);
}

#[test]
fn a_broker_on_loopback_may_do_without_client_certificates() {
    let rig = parse("[broker]\nbind = \"127.0.0.1\"\nclient_certificate = \"none\"\n");
    assert!(rig.is_ok(), "{rig:?}");
}

#[test]
fn a_passphrase_in_the_file_is_refused_and_never_shown() {
    for text in [
        "[access_points.home]\nssid = \"lab\"\npassphrase = \"correct horse\"\n",
        "[access_points.home]\nssid = \"lab\"\npassphrase = \"\"\"\ncorrect horse\"\"\"\n",
        "[access_points]\nhome = { ssid = \"lab\", passphrase = \"correct horse\" }\n",
    ] {
        let mistakes = Rig::parse(Path::new("rig.toml"), text).expect_err("refused");
        let said = mistakes.to_string();
        assert!(
            said.contains("must say where the passphrase is, not what it is"),
            "{said}"
        );
        assert!(
            said.contains("write `passphrase = \"env:HOME_PASSPHRASE\"`"),
            "{said}"
        );
        assert!(
            !format!("{said}{mistakes:?}").contains("horse"),
            "{mistakes:?}"
        );
        assert_eq!(mistakes.text().len(), text.len());
    }
}

#[test]
fn init_writes_a_rig_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rig.toml");
    let missing = Rig::read(&path).expect_err("not there").to_string();
    assert!(
        missing.contains("`proving boards init` writes one"),
        "{missing}"
    );
    Rig::init(&path).expect("a new file");
    assert_eq!(Rig::read(&path).expect("no mistakes"), Rig::default());
    std::fs::write(&path, "mine").expect("ours");
    assert!(matches!(Rig::init(&path), Err(RigError::Exists { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "mine");
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rig.toml");
        std::fs::write(&path, bytes).expect("ours");
        if let Err(error) = Rig::read(&path) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Damage anywhere in a file that says something.
    #[test]
    fn no_damage_makes_reading_panic(at in 0..WHOLE.len(), length in 0..40_usize, put in "[\\[\\]{}=\"#.,a-z0-9 \né]{0,8}") {
        let mut text = WHOLE.as_bytes().to_vec();
        let end = (at + length).min(text.len());
        text.splice(at..end, put.into_bytes());
        if let Err(said) = parse(&String::from_utf8_lossy(&text)) {
            prop_assert!(said.starts_with("/bench/rig.toml:"), "{}", said);
        }
    }

    #[test]
    fn depth_does_not_overflow_the_stack(depth in 1..20_000_usize) {
        let text = format!("a = {}", "[".repeat(depth));
        prop_assert!(parse(&text).is_err());
        let text = format!("a = {}", "{ a = ".repeat(depth));
        prop_assert!(parse(&text).is_err());
    }
}

#[test]
fn a_board_has_the_rigs_phone_unless_it_has_its_own() {
    let rig = parse(
        "[phone]\nbluetooth = \"hci0\"\nwifi = \"wlan1\"\nlan = \"eth1\"\n\
         [boards.one]\nkind = \"serial\"\nport = \"a\"\n\
         [boards.two]\nkind = \"serial\"\nport = \"b\"\nphone = { wifi = \"wlan2\" }\n\
         console = \"c\"\n\
         label = { service_name = \"LAMP\", pop = \"env:POP\", url = \"http://10.0.0.1\" }\n",
    );
    let rig = rig.expect("no mistakes");
    let phone = |board: &str| rig.boards[board].phone.clone();
    assert_eq!(phone("one").wifi.as_deref(), Some("wlan1"));
    let two = phone("two");
    assert_eq!(two.wifi.as_deref(), Some("wlan2"));
    assert_eq!(two.bluetooth.as_deref(), Some("hci0"));
    assert_eq!(two.lan.as_deref(), Some("eth1"));
    let label = &rig.boards["two"].label;
    assert_eq!(label.service_name.as_deref(), Some("LAMP"));
    assert!(label.pop.is_some() && label.password.is_none());
    assert!(matches!(
        rig.boards["two"].console,
        Some(ConsoleAt::Port(_))
    ));
    assert_eq!(rig.boards["one"].console, None);
}

#[test]
fn mistakes_about_phones_say_where_they_are_and_what_was_meant() {
    let serial = "[boards.dut]\nkind = \"serial\"\nport = \"a\"\n";
    for (text, said) in [
        (
            "[phone]\nbluetoth = \"hci0\"\n",
            "/bench/rig.toml:2: `phone` has no key `bluetoth`; did you mean `bluetooth`?",
        ),
        (
            "[phone]\nbluetooth = \"wlan0\"\n",
            "/bench/rig.toml:2: `phone.bluetooth` cannot be `wlan0`; write `bluetooth = \"hci0\"`",
        ),
        (
            "[phone]\nwifi = 1\n",
            "`phone.wifi` must be a text, not a whole number",
        ),
        (
            "[phone]\nlan = \"an interface\"\n",
            "`phone.lan` cannot be `an interface`",
        ),
        (
            "[phone]\nwifi = \"eth0\"\nlan = \"eth0\"\n",
            "`phone.wifi` and `phone.lan` are both `eth0`",
        ),
        (
            "[phon]\n",
            "a rig file has no `phon`; did you mean `phone`?",
        ),
    ] {
        let mistakes = parse(text).expect_err(text);
        assert!(mistakes.contains(said), "{text}: {mistakes}");
    }
    for (text, said) in [
        (
            "console = \"a\"\n",
            "write `console = \"log\"`, name another UART",
        ),
        (
            "label = { pop = \"abcd1234\" }\n",
            "`boards.dut.label.pop` must say where it is, not what it is",
        ),
        (
            "label = { usernam = \"wifiprov\" }\n",
            "`boards.dut.label` has no key `usernam`; did you mean `username`?",
        ),
    ] {
        let mistakes = parse(&format!("{serial}{text}")).expect_err(text);
        assert!(mistakes.contains(said), "{text}: {mistakes}");
        assert!(!mistakes.contains("abcd1234"), "{mistakes}");
    }
    let probe = "[boards.dut]\nkind = \"probe\"\nselector = \"1366:1051\"\nchip = \"x\"\nconsole = \"log\"\n";
    let mistakes = parse(probe).expect_err("a probe");
    assert!(
        mistakes.contains("the log of a board behind a probe is on no UART"),
        "{mistakes}"
    );
}
