//! Reading a rig file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::authority::authority;
use super::board_firmware;
use super::broker::broker;
use super::external_broker;
use super::firmware::{Firmware, firmware};
use super::mistake::RigMistake;
use super::phone::{Label, RigPhone, label, phone};
use super::process::{log_form, process};
use super::section::{Notes, Section};
use super::surroundings::{access_point, switch};
use super::{
    Ability, BoardLink, ConsoleAt, ConsolePort, ControlLine, FlashCommand, ImageAt, PortAddress,
    ProbeLink, ProbeLog, Rig, RigBoard, SerialLink, StorageCommands, VIRTUAL_BOARDS, Wire,
};
use crate::command::SwitchCommands;

/// What flashing may take, in s.
const FLASH_LIMIT_S: u64 = 180;
/// What other commands to a board may take, in s.
const COMMAND_LIMIT_S: u64 = 60;
/// What a board may take to go dark, in ms.
const SETTLE_MS: i64 = 500;
/// More syntax errors than these are consequences.
const MOST_SYNTAX_ERRORS: usize = 5;

const BOARD_EXAMPLE: &str = "`[boards.NAME]` and its keys below";
const ABILITIES: [(&str, Ability); 5] = [
    ("power", Ability::Power),
    ("torn-write", Ability::TornWrite),
    ("storage", Ability::Storage),
    ("isolate", Ability::Isolate),
    ("switch-access-point", Ability::SwitchAccessPoint),
];

/// The rig that `text` describes, or every mistake in it.
pub(super) fn rig(path: &Path, text: &str) -> Result<Rig, Vec<RigMistake>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .take(MOST_SYNTAX_ERRORS)
            .map(|error| syntax(error, text))
            .collect());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = std::path::absolute(folder.join(".")).unwrap_or_else(|_| folder.to_owned());
    let notes = Notes::new(&folder);
    let found = surroundings_and_boards(Section::new("", 0..0, root.get_ref(), &notes));
    let mistakes = notes.into_mistakes();
    if mistakes.is_empty() {
        Ok(found)
    } else {
        Err(mistakes)
    }
}

/// What the TOML reader found.
fn syntax(error: &toml::de::Error, text: &str) -> RigMistake {
    let span = error.span().unwrap_or_default();
    let end = span.end.min(text.len());
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    RigMistake::new(
        span.start.min(end)..end,
        format!("this is no TOML: {message}"),
        "texts stand in quotes, lists in brackets, and a key is `name = value`",
    )
}

fn surroundings_and_boards(root: Section<'_>) -> Rig {
    let mut rig = Rig::default();
    for (name, section) in root.tables("access_points", "`[access_points.home]`") {
        if let Some(access_point) = access_point(section) {
            rig.access_points.insert(name, access_point);
        }
    }
    rig.broker = root.table("broker", "`[broker]`").and_then(broker);
    let is_external = rig
        .broker
        .as_ref()
        .is_some_and(|broker| broker.external().is_some());
    let has_authority = root.has("authority");
    let signer = root.table("authority", "`[authority]`");
    rig.authority = signer.and_then(|section| authority(section, is_external));
    let rig_phone = root.table("phone", "`[phone]`");
    let rig_phone = rig_phone.map(|section| phone(section, &RigPhone::default()));
    let rig_phone = rig_phone.unwrap_or_default();
    let mut switches = Vec::new();
    for (name, section) in root.tables("power", "`[power.NAME]`, NAME being the board's") {
        let span = section.span.clone();
        switches.push((name, span, switch(section, SETTLE_MS)));
    }
    let mut firmwares = Vec::new();
    for (name, section) in root.tables("firmware", "`[firmware.NAME]`") {
        let found = firmware(&name, section);
        firmwares.push((name, found));
    }
    let mut named = BTreeSet::new();
    for (name, section) in root.tables("boards", BOARD_EXAMPLE) {
        named.insert(name.clone());
        check_name(&name, &section);
        let power = switches.iter().find(|(of, ..)| *of == name);
        let power = power.and_then(|(.., commands)| commands.clone());
        let span = section.span.clone();
        if let Some(board) = board(&name, section, power, &rig, &rig_phone, &firmwares) {
            external_broker::check_handed(&root, &span, &board, &rig, has_authority);
            rig.boards.insert(name, board);
        }
    }
    for (name, span, _) in &switches {
        if !named.contains(name) {
            let message = format!("`power.{name}` switches a board that is not here");
            let known: Vec<_> = named.iter().map(String::as_str).collect();
            let help = match &known[..] {
                [] => format!("write `[boards.{name}]` and its keys below"),
                known => format!("there are: {}", super::mistake::quoted(known)),
            };
            root.note(span.clone(), message, help);
        }
    }
    root.end();
    rig
}

fn check_name(name: &str, section: &Section<'_>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if VIRTUAL_BOARDS.contains(&name) {
        let message = format!("a board cannot be called `{name}`: that one needs no rig");
        section.note(section.span.clone(), message, "give it another name");
    } else if name.is_empty() || name.len() > 40 || !name.chars().all(allowed) {
        let message = format!("a board cannot be called `{}`", name.escape_debug());
        let help = "use at most 40 letters, digits, `-` and `_`";
        section.note(section.span.clone(), message, help);
    }
}

/// What a board is behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Probe,
    Serial,
    Process,
}

fn board(
    name: &str,
    section: Section<'_>,
    power: Option<SwitchCommands>,
    rig: &Rig,
    rig_phone: &RigPhone,
    firmwares: &[(String, Option<Firmware>)],
) -> Option<RigBoard> {
    if !section.has("kind") {
        let example = "`kind = \"probe\"`, `kind = \"serial\"` or `kind = \"process\"`";
        section.missing("kind", example);
        return None;
    }
    let kinds = [
        ("probe", Kind::Probe),
        ("serial", Kind::Serial),
        ("process", Kind::Process),
    ];
    let kind = section.word("kind", &kinds)?;
    let (mut link, place) = match kind {
        Kind::Probe => (probe(&section).map(BoardLink::Probe), "selector"),
        Kind::Serial => {
            let serial = serial(&section);
            (serial.map(|link| BoardLink::Serial(Box::new(link))), "port")
        }
        Kind::Process => {
            let process = process(&section);
            let link = process.map(|link| BoardLink::Process(Box::new(link)));
            (link, "program")
        }
    };
    let chip = match (&link, kind) {
        (Some(BoardLink::Probe(probe)), _) => probe.chip.clone(),
        (_, Kind::Serial) => section
            .string("chip", "`chip = \"esp32c3\"`")
            .map(|chip| chip.value),
        _ => None,
    };
    let mac = section.string("mac", "`mac = \"60:55:f9:00:0a:01\"`");
    let mac = mac.and_then(|found| {
        let read = super::firmware::parse_mac(&found.value);
        if read.is_none() {
            let message = format!("`{}` is no MAC address", section.name("mac"));
            section.note(found.span, message, "write `mac = \"60:55:f9:00:0a:01\"`");
        }
        read
    });
    let console = match kind {
        Kind::Process => None,
        Kind::Probe | Kind::Serial => console(&section, link.as_ref()),
    };
    let (phone, label) = match kind {
        Kind::Process => (RigPhone::default(), Label::default()),
        Kind::Probe | Kind::Serial => {
            let own = section.table("phone", "`phone = { wifi = \"wlan1\" }`");
            let known = section.table("label", "`label = { service_name = \"PROV_0ABC01\" }`");
            (
                own.map_or_else(|| rig_phone.clone(), |own| phone(own, rig_phone)),
                known.map(label).unwrap_or_default(),
            )
        }
    };
    if kind == Kind::Process && power.is_some() {
        let message = format!("`power.{name}` switches a program, whose power is its process");
        section.note(
            section.span.clone(),
            message,
            format!("leave `[power.{name}]` out"),
        );
    }
    let firmware = board_firmware::named(&section, &mut link, &label, firmwares);
    let health = section.table("health", "`health = { command = [\"./is-it-well\"] }`");
    let health = health.and_then(|health| {
        let limit = health.seconds("limit_s", COMMAND_LIMIT_S);
        let example = "`command = [\"./is-it-well\"]`";
        let command = health.command("command", &[place], limit, example);
        health.end();
        command.map(|command| command.value)
    });
    let can = section.words("can", &ABILITIES);
    let able = able(link.as_ref(), power.is_some(), rig);
    let can = match can {
        None => able,
        Some(wanted) => wanted
            .into_iter()
            .filter_map(|(ability, span)| {
                let backed = able.contains(&ability);
                if !backed && link.is_some() {
                    not_able(&section, name, ability, span);
                }
                backed.then_some(ability)
            })
            .collect(),
    };
    section.end();
    Some(RigBoard {
        name: name.to_owned(),
        firmware,
        link: link?,
        chip,
        mac,
        can,
        console,
        phone,
        label,
        health,
        power,
    })
}

/// What says that the console is where the log is.
const ON_THE_LOG: &str = "log";

/// The UART of the console scheme.
fn console(section: &Section<'_>, link: Option<&BoardLink>) -> Option<ConsoleAt> {
    let example = "`console = \"/dev/serial/by-id/…\"`, or `console = \"log\"`; `proving boards` lists what is attached";
    let found = section.string("console", example);
    let baud = baud(section, "console_baud", "`console_baud = 115200`");
    let found = found?;
    if found.value == ON_THE_LOG {
        if !matches!(link, Some(BoardLink::Probe(_))) {
            return Some(ConsoleAt::Log);
        }
        let message = format!(
            "`{}`: the log of a board behind a probe is on no UART",
            section.name("console")
        );
        section.note(found.span, message, format!("write {example}"));
        return None;
    }
    let port = match PortAddress::parse(&found.value, section.folder()) {
        Ok(port) => port,
        Err(why) => {
            let message = format!("`{}` is no port: {why}", section.name("console"));
            section.note(found.span, message, format!("write {example}"));
            return None;
        }
    };
    if let Some(BoardLink::Serial(serial)) = link
        && serial.port == port
    {
        let message = format!(
            "`{}` is the port that the log is on, which cannot be opened twice",
            section.name("console")
        );
        let help = "write `console = \"log\"`, name another UART of the board, or leave it out";
        section.note(found.span, message, help);
        return None;
    }
    Some(ConsoleAt::Port(ConsolePort { port, baud }))
}

fn baud(section: &Section<'_>, key: &'static str, example: &str) -> u32 {
    let baud = section.number(key, 50..=20_000_000, example);
    baud.and_then(|baud| u32::try_from(baud).ok())
        .unwrap_or(115_200)
}

/// What the rig can do with a board.
fn able(link: Option<&BoardLink>, power: bool, rig: &Rig) -> BTreeSet<Ability> {
    let points = &rig.access_points;
    let every =
        |has: fn(&super::AccessPoint) -> bool| !points.is_empty() && points.values().all(has);
    let (storage, torn_write) = match link {
        // Whether the image can be told to stop in a write is known once it is read.
        Some(BoardLink::Probe(_)) => (true, true),
        Some(BoardLink::Serial(serial)) => (serial.storage.is_some(), false),
        Some(BoardLink::Process(_)) => (true, false),
        None => (false, false),
    };
    [
        (
            Ability::Power,
            power || matches!(link, Some(BoardLink::Process(_))),
        ),
        (Ability::TornWrite, torn_write),
        (Ability::Storage, storage),
        (Ability::Isolate, every(|point| point.isolation.is_some())),
        (
            Ability::SwitchAccessPoint,
            every(|point| point.switch.is_some() && point.internet.is_some()),
        ),
    ]
    .into_iter()
    .filter_map(|(ability, can)| can.then_some(ability))
    .collect()
}

fn not_able(section: &Section<'_>, name: &str, ability: Ability, span: Range<usize>) {
    let help = match ability {
        Ability::Power => format!("write `[power.{name}]` with `on` and `off`, or leave it out"),
        Ability::TornWrite => "leave it out: only boards behind a probe can".to_owned(),
        Ability::Storage => {
            format!("write `[boards.{name}.storage]` with `read` and `erase`, or leave it out")
        }
        Ability::Isolate => {
            "give each access point `isolation` with `on` and `off`, or leave it out".to_owned()
        }
        Ability::SwitchAccessPoint => {
            "give each access point `switch` and `internet` with `on` and `off`, or leave it out"
                .to_owned()
        }
    };
    let message = format!("nothing here lets `{name}` do `{ability}`");
    section.note(span, message, help);
}

fn probe(section: &Section<'_>) -> Option<ProbeLink> {
    let example = "`selector = \"VID:PID:SERIAL\"`; `proving boards` lists what is attached";
    let selector = section.required_string("selector", example);
    let selector = selector.and_then(|found| {
        if is_selector(&found.value) {
            return Some(found.value);
        }
        let message = format!(
            "`{}` selects no probe: `{}`",
            section.name("selector"),
            found.value
        );
        section.note(found.span, message, format!("write {example}"));
        None
    });
    let chip = section.string("chip", "`chip = \"nRF52840_xxAA\"`");
    let target = section.path("target", "`target = \"chip.yaml\"`");
    if !section.has("chip") && !section.has("target") {
        section.one_of(
            &["chip", "target"],
            "`chip = \"nRF52840_xxAA\"`, or whichever it is",
        );
    }
    let image = section.path("image", "`image = \"firmware.elf\"`");
    let log = section.word(
        "log",
        &[("defmt", ProbeLog::Defmt), ("text", ProbeLog::Text)],
    );
    let under_reset = section.word("reset", &[("normal", false), ("under-reset", true)]);
    let speed = section.number("speed_khz", 1..=1_000_000, "`speed_khz = 4000`");
    let factory = section.addresses("factory", "`factory = [0x3F0000, 0x3F1000]`");
    let storage = section.addresses("storage", "`storage = [0x3F1000, 0x400000]`");
    Some(ProbeLink {
        selector: selector?,
        chip: chip.map(|chip| chip.value),
        target,
        image,
        log: log.unwrap_or(ProbeLog::Defmt),
        under_reset: under_reset.unwrap_or(false),
        speed_khz: speed.and_then(|speed| u32::try_from(speed).ok()),
        factory,
        storage,
    })
}

/// Whether it begins like one: two hexadecimal numbers, the second perhaps with an interface.
fn is_selector(text: &str) -> bool {
    let is_id =
        |id: &str| (1..=4).contains(&id.len()) && id.chars().all(|digit| digit.is_ascii_hexdigit());
    let mut parts = text.splitn(3, ':');
    let (Some(vendor), Some(product)) = (parts.next(), parts.next()) else {
        return false;
    };
    let (product, interface) = product.split_once('-').unwrap_or((product, "0"));
    is_id(vendor) && is_id(product) && interface.parse::<u8>().is_ok()
}

fn serial(section: &Section<'_>) -> Option<SerialLink> {
    let example = "`port = \"/dev/serial/by-id/…\"`; `proving boards` lists what is attached";
    let port = section.required_string("port", example);
    let port = port.and_then(
        |found| match PortAddress::parse(&found.value, section.folder()) {
            Ok(port) => Some(port),
            Err(why) => {
                let message = format!("`{}` is no port: {why}", section.name("port"));
                section.note(found.span, message, format!("write {example}"));
                None
            }
        },
    );
    let baud = baud(section, "baud", "`baud = 115200`");
    let log = log_form(section);
    let elf = section.path("elf", "`elf = \"build/firmware.elf\"`");
    let wires = !matches!(port, Some(PortAddress::Socket(_) | PortAddress::Tcp(_)));
    let [reset, boot] = ["reset", "boot"].map(|key| control_line(section, key, wires));
    if let (Some(reset), Some(boot)) = (reset, boot)
        && reset.wire == boot.wire
    {
        let message = format!("`{}`: one line cannot both reset and boot", section.key);
        section.note(
            section.span.clone(),
            message,
            "write `reset = \"rts\"` and `boot = \"dtr\"`",
        );
    }
    let reset_command = section.command(
        "reset_command",
        &["port", "baud"],
        std::time::Duration::from_secs(COMMAND_LIMIT_S),
        "`reset_command = [\"./reset\", \"{port}\"]`",
    );
    let flash = section.table("flash", "`[boards.NAME.flash]`");
    let flash = flash.and_then(|flash| flash_command(flash, boot.is_some() && reset.is_some()));
    let factory = section
        .table("factory", "`[boards.NAME.factory]`")
        .and_then(factory);
    let storage = section
        .table("storage", "`[boards.NAME.storage]`")
        .and_then(storage);
    Some(SerialLink {
        port: port?,
        baud,
        log,
        elf,
        reset,
        boot,
        reset_command: reset_command.map(|command| command.value),
        flash,
        factory,
        storage,
    })
}

fn control_line(section: &Section<'_>, key: &'static str, wires: bool) -> Option<ControlLine> {
    let line = |wire, inverted| ControlLine { wire, inverted };
    let line = section.word(
        key,
        &[
            ("rts", line(Wire::Rts, false)),
            ("dtr", line(Wire::Dtr, false)),
            ("!rts", line(Wire::Rts, true)),
            ("!dtr", line(Wire::Dtr, true)),
        ],
    )?;
    if !wires {
        let message = format!("`{}`: a socket has no control lines", section.name(key));
        let help = "leave it out, or name a command in `reset_command`";
        section.note(section.span.clone(), message, help);
    }
    Some(line)
}

fn flash_command(section: Section<'_>, lines: bool) -> Option<FlashCommand> {
    let limit = section.seconds("limit_s", FLASH_LIMIT_S);
    let example = "`command = [\"esptool\", \"--port\", \"{port}\", \"--baud\", \"{baud}\", \"write_flash\", \"{offset}\", \"{file}\"]`";
    if !section.has("command") {
        section.missing("command", example);
    }
    let known = ["port", "baud", "offset", "file"];
    let command = section.command("command", &known, limit, example);
    if let Some(command) = &command
        && !command.value.mentions("file")
    {
        let message = format!("`{}` does not say where images go", section.name("command"));
        section.note(command.span.clone(), message, format!("write {example}"));
    }
    let per_image = section
        .flag("per_image", "`per_image = true`")
        .unwrap_or(false);
    let boot_mode = section
        .flag("boot_mode", "`boot_mode = true`")
        .unwrap_or(false);
    if boot_mode && !lines {
        let message = format!("`{}` needs the control lines", section.name("boot_mode"));
        section.note(
            section.span.clone(),
            message,
            "write `reset` and `boot` for this board, or leave it out",
        );
    }
    let example = "`images = [{ offset = 0x10000, file = \"app.bin\" }]`";
    let mut images = Vec::new();
    for entry in section.list("images", example) {
        for key in ["offset", "file"] {
            if !entry.has(key) {
                entry.missing(key, example);
            }
        }
        let offset = entry.number("offset", 0..=i64::from(u32::MAX), "`offset = 0x10000`");
        let file = entry.path("file", "`file = \"app.bin\"`");
        entry.end();
        if let (Some(offset), Some(file)) = (offset, file) {
            images.extend(
                u32::try_from(offset)
                    .ok()
                    .map(|offset| ImageAt { offset, file }),
            );
        }
    }
    if !section.has("images") {
        section.missing("images", example);
    }
    section.end();
    Some(FlashCommand {
        command: command?.value,
        per_image,
        boot_mode,
        images,
    })
}

fn factory(section: Section<'_>) -> Option<crate::command::CommandTemplate> {
    let limit = section.seconds("limit_s", COMMAND_LIMIT_S);
    let example = "`command = [\"esptool\", \"--port\", \"{port}\", \"write_flash\", \"0x9000\", \"{file}\"]`";
    if !section.has("command") {
        section.missing("command", example);
    }
    let command = section.command(
        "command",
        &["port", "baud", "file", "offset"],
        limit,
        example,
    );
    section.end();
    command.map(|command| command.value)
}

fn storage(section: Section<'_>) -> Option<StorageCommands> {
    let limit = section.seconds("limit_s", COMMAND_LIMIT_S);
    for key in ["read", "erase"] {
        if !section.has(key) {
            section.missing(
                key,
                &format!("`{key} = [\"./{key}-storage\", \"{{port}}\"]`"),
            );
        }
    }
    let example = "`read = [\"./read-storage\", \"{port}\", \"{file}\"]`";
    let read = section.command("read", &["port", "baud", "file"], limit, example);
    let example = "`erase = [\"./erase-storage\", \"{port}\"]`";
    let erase = section.command("erase", &["port", "baud"], limit, example);
    section.end();
    Some(StorageCommands {
        read: read?.value,
        erase: erase?.value,
    })
}
