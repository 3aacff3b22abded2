//! `rig.toml`: the real boards, and what stands around them.
//!
//! Paths in the file are relative to its folder. A command is a list: the program, then its
//! arguments; no shell reads it. In it, `{name}` stands for the values given below. Every command
//! ends within `limit_s` seconds or is killed, and says with exit code 0 that it did its work.
//!
//! # `[boards.NAME]`: a board behind a debug probe
//! | key | what it says | if left out |
//! |---|---|---|
//! | `kind` | `"probe"` | – |
//! | `selector` | the probe: `"VID:PID"` or `"VID:PID:SERIAL"`, as `proving boards` lists it | – |
//! | `chip` | the chip's name in probe-rs | the only one of `target` |
//! | `target` | a target description of probe-rs (YAML) for a chip that it does not know | – |
//! | `image` | the firmware, ELF | must be named on the command line |
//! | `log` | `"defmt"` or `"text"` | `"defmt"` |
//! | `reset` | how to attach: `"normal"` or `"under-reset"` | `"normal"` |
//! | `speed_khz` | clock of the debug port | the probe's own |
//! | `factory` | addresses of the factory data, `[START, END]`, the end not included | `__factory_start` to `__factory_end` of the image |
//! | `storage` | addresses of storage, likewise | `__storage_start` to `__storage_end` of the image |
//!
//! # `[boards.NAME]`: a board with a UART
//! | key | what it says | if left out |
//! |---|---|---|
//! | `kind` | `"serial"` | – |
//! | `port` | a device file, `"tcp:ADDRESS:PORT"` or `"socket:PATH"` | – |
//! | `baud` | bits per second | 115200 |
//! | `chip` | the chip's name, by which `--board 'chip=…'` finds it | – |
//! | `log` | `"auto"`, `"esp-idf"`, `"linkkit"` or `"plain"` | `"auto"` |
//! | `reset` | the control line that holds the board in reset: `"rts"`, `"dtr"`, with `!` before it if it does so while it is not asserted | none |
//! | `boot` | the control line that makes it start its loader, likewise | none |
//! | `flash.command` | what writes images: `{port}`, `{baud}`, `{offset}` (hexadecimal), `{file}`. Words with `{offset}` or `{file}` are repeated for each image | cannot be flashed |
//! | `flash.images` | `[{ offset = 0x10000, file = "app.bin" }]` | – |
//! | `flash.per_image` | whether the command is run for each image | `false` |
//! | `flash.boot_mode` | whether to start the loader through the control lines first | `false` |
//! | `factory.command` | what writes factory data: `{port}`, `{baud}`, `{file}`, and `{offset}` where its firmware's partition is known | cannot be given any but a partition by `flash.command` |
//! | `storage.read`, `storage.erase` | what reads storage into `{file}`, and erases it, as is done before each case: `{port}`, `{baud}` | cannot be read or erased, so that a case finds what the last one left |
//! | `reset_command` | what restarts the board instead of a control line: `{port}`, `{baud}` | none |
//!
//! # `[boards.NAME]`: a program of this host
//! | key | what it says | if left out |
//! |---|---|---|
//! | `kind` | `"process"` | – |
//! | `command` | the program and its arguments | – |
//! | `environment` | variables, on top of the harness' own: `{ BROKER = "${broker.host}" }` | none |
//! | `folder` | where it is started, and what it keeps; erased before each case, so it must be empty or not there at first | a new one for each case |
//! | `log` | the form of what it writes to standard output and standard error, as of a UART | `"auto"` |
//!
//! In `command` and `environment`, `${broker.host}`, `${broker.port}`, `${time.host}`, `${time.port}`,
//! `${client.id}`, `${telemetry.topic}`, `${telemetry.payload}`, `${linkkit.product_key}`,
//! `${linkkit.device_name}` and `${linkkit.device_secret}` stand for the values of the case,
//! `${ca.pem}`, `${client.pem}`, `${client.key}`, `${ca.der}`, `${client.der}`, `${key.der}` and
//! `${factory.bin}` for paths of files, and `$${` for `${` itself. A case whose world does not have what stands there is skipped. Its broker is that
//! of `[broker]`, or one on loopback. A program that buffers its output is heard late: Python wants
//! `PYTHONUNBUFFERED = "1"`, others `["stdbuf", "-oL", …]`.
//!
//! # `[firmware.NAME]`: firmware other than the reference device's
//! What a scenario needs and a firmware does not say that it has, that scenario is skipped for.
//!
//! | key | what it says | if left out |
//! |---|---|---|
//! | `provisioning` | `"none"` if it is on its network from the start, or how it is provisioned | – |
//! | `provisioning.transport` | `"softap"`, `"ble"` or `"console"` | – |
//! | `provisioning.security` | `"none"`, `"v1"`, `"v1-no-pop"`, `"v2"` or `"v2-patch0"` | – |
//! | `provisioning.version` | whose provisioning manager it has: `"4.4"` to `"5.5"`, `"5.5.4"` or `"network-provisioning"` | scenarios about one version are skipped |
//! | `provisioning.service_name` | SSID of its network, or the name that it advertises, with `{mac:3}` for a byte of the MAC address and `{mac:3:x}` for one in lower case; or `{ from_log = "expression" }`, whose group is the name in a line of the log | `{ from_log = true }`: what ESP-IDF's manager prints |
//! | `provisioning.service_key`, `.pop`, `.password` | passphrase of its network, proof of possession, password of security 2: `"env:NAME"` or `"file:PATH"` | no passphrase; `qr`, the board's `label` or `${provisioning.pop}` tell the others |
//! | `provisioning.username` | user name of security 2 | `wifiprov` |
//! | `provisioning.qr` | `"log"`: it prints the payload of a QR code, which tells name and secret | not read |
//! | `provisioning.url` | where the service is in its own network | `http://192.168.4.1` |
//! | `provisioning.custom_endpoints` | endpoints of the application's own | none |
//! | `can` | `"mqtt"`, `"telemetry"`, `"linkkit"`, `"thingsboard"`, `"sntp"`, `"mdns"`, `"prov-scan"`, `"prov-ctrl"`, `"web-server"`; what it is told of it can without being named | `prov-scan` and `prov-ctrl`, if it is provisioned |
//! | `components` | the tags in its log; `"esp-idf"` for all of ESP-IDF's | ESP-IDF's, and any that this harness does not know; not `app`, which is ESP-IDF's example |
//! | `log_level` | the least grave level in its log, `"error"` to `"verbose"` | `"info"`, as ESP-IDF has it |
//! | `hand_over` | `"none"`: broker, certificates and secrets are built in | one or more of what follows |
//! | `nvs.partition`, `nvs.table` | its NVS partition, by name, and where that stands: `partition-table.bin`, a CSV, or `flasher_args.json` of the build | `nvs.size` |
//! | `nvs.size` | size of that partition in bytes | – |
//! | `nvs.rows` | `[{ namespace = "broker", key = "host", type = "string", value = "${broker.host}" }]`; types are `u8` to `i64`, `string`, `blob`, `hex`, `base64` | – |
//! | `nvs.merge` | whether what the device has stored under other keys stays, but for the network that it was told of; needs `storage.read` | `false`: the image replaces the partition |
//! | `files.entries` | `[{ name = "ca.pem", value = "${ca.pem}" }]`, or `template`, a file that holds the values; in a `.json` or `.csv` they are written so that quotes around them hold | – |
//! | `files.command` | what is run with them: `{folder}`, and `{file}` for an image that it makes | the files alone, which a program finds at `${files}` |
//! | `endpoint` | `{ name = "custom-data", value = '{"broker":"${broker.host}"}', reply = "ok" }`: what a phone sends in each session before the network's credentials | nothing |
//! | `environment`, `arguments` | more of both, for a board that is a program | none |
//!
//! An image is written by `factory.command`, with `{file}`, and `{offset}` where a partition table tells
//! it; without that by `flash.command`. It is written after storage was erased, at the beginning of a
//! case and in each `erase_storage`. In values, the names of a program's values stand for the same, but
//! `${ca.pem}`, `${client.pem}` and `${client.key}` for what the file holds; `${ca.der}`, `${client.der}`
//! and `${key.der}` for its bytes where they stand alone in a `blob` or a file, and for base64 elsewhere;
//! `${factory.bin}` for the reference device's factory data, likewise; `${provisioning.pop}` for a proof of
//! possession that the case makes up; and `${wifi.ssid}` and `${wifi.passphrase}` for the network that it is to
//! be on: the scenario's first access point, or `[access_points.home]`. A row or file that wants
//! what the world of a case does not have is left out; a broker, and Linkkit, are there for a firmware
//! that is told of them, whatever the scenario says.
//!
//! # Every board
//! | key | what it says | if left out |
//! |---|---|---|
//! | `firmware` | its firmware, a NAME of `[firmware.NAME]` | the reference firmware |
//! | `can` | of what the rig can do, what scenarios may ask of this board: `"power"`, `"torn-write"`, `"storage"`, `"isolate"`, `"switch-access-point"` | all of it |
//! | `console` | the UART of the console scheme, as `port` has it, or `"log"` if it is the one that the log is on | scenarios over the console are skipped |
//! | `console_baud` | its bits per second | 115200 |
//! | `health.command` | what says whether the board is well: `{port}`, `{selector}` or `{program}` | not asked |
//! | `phone` | what of this host phones use for this board, as `[phone]` has it | that of `[phone]` |
//! | `mac` | its station's MAC address | what its log tells, where it is needed |
//! | `label.service_name` | SSID of the device's own network, or the name that it advertises | as its firmware has it |
//! | `label.service_key`, `label.pop`, `label.password` | passphrase of that network, proof of possession, password of security 2: `"env:NAME"` or `"file:PATH"` | likewise |
//! | `label.username` | user name of security 2 | likewise |
//! | `label.url` | where the service is in the device's own network | `http://192.168.4.1` |
//!
//! # `[phone]`: what of this host phones use
//! Nothing else of the host is touched. Phones take turns; a case in which two would need the same
//! at once is skipped.
//!
//! | key | what it says | if left out |
//! |---|---|---|
//! | `bluetooth` | an adapter that BlueZ has, such as `"hci0"` | scenarios over BLE are skipped |
//! | `wifi` | an interface that NetworkManager has, such as `"wlan1"`; it joins devices' own networks and goes back | scenarios over SoftAP are skipped |
//! | `lan` | an interface on the boards' LAN, such as `"eth1"` | scenarios in which phones query devices there are skipped |
//!
//! # What stands around them
//! | key | what it says | if left out |
//! |---|---|---|
//! | `power.NAME.on`, `power.NAME.off` | what switches this board's power | it cannot be |
//! | `power.NAME.settle_ms` | how long it takes to go dark | 500 |
//! | `access_points.NAME.ssid` | its name in the air; `\xNN` is a byte, `\\` a backslash | – |
//! | `access_points.NAME.passphrase` | `"env:NAME"` or `"file:PATH"`, never the passphrase | the network is open |
//! | `access_points.NAME.switch.on`, `.off` | what switches it | `switch-access-point` cannot be |
//! | `access_points.NAME.internet.on`, `.off` | what switches its way to the internet | likewise |
//! | `access_points.NAME.isolation.on`, `.off` | what keeps its clients apart | `isolate` cannot be |
//! | `access_points.NAME.set.command` | what sets it up for a case, before its device gets power, and puts it back afterwards: `{file}` has `ssid2`, `channel`, `wpa`, `wpa_key_mgmt`, `wpa_passphrase` and so on, as lines of hostapd.conf | scenarios that want another name, passphrase or authentication are skipped |
//! | `broker.bind` | the address of this host at which boards find broker and time server | boards cannot be run |
//! | `broker.port` | the broker's port | any |
//! | `broker.time_port` | the time server's port, at the same address | any |
//! | `broker.external` | `"mqtts://HOST:PORT"` or `"mqtt://HOST:PORT"`: a broker that runs without us. Boards are told of it, its certificate is `authority`'s, and cases that need what only a broker of ours sees or does are skipped. Beside it, `bind` and `time_port` are those of our time server | the broker is ours |
//! | `broker.names` | further names and addresses for its certificate; boards are told the first one | only `bind` |
//! | `authority.keep` | a folder in which the first run makes an authority, `ca.pem` and `ca.key`, that signs the certificates of broker and boards from then on | each case has a new one |
//! | `authority.certificate`, `authority.key` | the team's own authority in its place, in PEM; the key in PKCS #8 and readable by its owner alone. Beside `broker.external` the key can be left out: boards are then told whom to trust, and get no certificate of their own | likewise |
//! | `broker.client_certificate` | `"required"`, `"optional"` or `"none"`; off loopback only the first | `"required"` |

mod authority;
mod board_firmware;
mod broker;
mod external_broker;
mod firmware;
mod mistake;
mod phone;
mod process;
mod read;
mod secret;
mod section;
mod surroundings;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::command::{Command, CommandTemplate, SwitchCommands};

pub use authority::{AuthorityPlace, RigAuthority};
pub use broker::{Broker, ClientCertificate, RigBroker};
pub use external_broker::ExternalBroker;
pub use firmware::{
    Components, ESP_IDF, Endpoint, Feature, FileEntry, Files, Firmware, HandOver, NameTemplate,
    NvsRow, NvsTemplate, PartitionError, PlacedPartition, Provisioning, REFERENCE, Security,
    ServiceName, Transport, VERSIONS, find_partition, parse_mac,
};
pub use mistake::{RigError, RigMistake, RigMistakes};
pub use phone::{Label, RigPhone};
pub use process::ProcessLink;
pub use secret::{SecretError, SecretReference};
pub use surroundings::AccessPoint;
pub use text::{Text, TextError, Value};

/// The rig file, unless `--rig` names another.
pub const DEFAULT_FILE: &str = "rig.toml";

/// No rig file is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// Boards of these names need no rig.
pub const VIRTUAL_BOARDS: [&str; 2] = ["native", "qemu"];

/// The real boards, and what stands around them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rig {
    /// By name.
    pub boards: BTreeMap<String, RigBoard>,
    /// By the names that scenarios have for them.
    pub access_points: BTreeMap<String, AccessPoint>,
    /// The broker that boards meet.
    pub broker: Option<RigBroker>,
    /// Who signs certificates; a new authority for each case without one.
    pub authority: Option<RigAuthority>,
}

/// One real board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigBoard {
    /// What `--board` calls it.
    pub name: String,
    /// How it is reached.
    pub link: BoardLink,
    /// Its firmware; the reference firmware without one.
    pub firmware: Option<Firmware>,
    /// The chip's name, if the rig file has it.
    pub chip: Option<String>,
    /// Its station's MAC address, if the rig file has it.
    pub mac: Option<[u8; 6]>,
    /// What scenarios may ask of it.
    pub can: BTreeSet<Ability>,
    /// Where its console is.
    pub console: Option<ConsoleAt>,
    /// What of this host phones use for it.
    pub phone: RigPhone,
    /// What its owner knows of it.
    pub label: Label,
    /// What says whether it is well: `{port}` or `{selector}`.
    pub health: Option<CommandTemplate>,
    /// What switches its power.
    pub power: Option<SwitchCommands>,
}

/// Where a board's console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleAt {
    /// On a UART of its own.
    Port(ConsolePort),
    /// On the UART that its log is on.
    Log,
}

/// A UART on which a board is provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsolePort {
    /// Where it is.
    pub port: PortAddress,
    /// Bits per second.
    pub baud: u32,
}

/// How a real board is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardLink {
    /// Through a debug probe.
    Probe(ProbeLink),
    /// Through its UART.
    Serial(Box<SerialLink>),
    /// As a program of this host.
    Process(Box<ProcessLink>),
}

/// Something that not every rig can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ability {
    /// Take a board's power away.
    Power,
    /// Take it away in the middle of a write to storage.
    TornWrite,
    /// Erase a board's storage.
    Storage,
    /// Keep an access point's clients apart.
    Isolate,
    /// Switch an access point off, and its way to the internet.
    SwitchAccessPoint,
}

/// A board's debug probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeLink {
    /// `VID:PID` or `VID:PID:SERIAL`.
    pub selector: String,
    /// Its chip, by probe-rs' name.
    pub chip: Option<String>,
    /// A target description (YAML) that has the chip.
    pub target: Option<PathBuf>,
    /// The firmware (ELF).
    pub image: Option<PathBuf>,
    /// What its log is written in.
    pub log: ProbeLog,
    /// Whether to hold it in reset while attaching.
    pub under_reset: bool,
    /// Clock of the debug port.
    pub speed_khz: Option<u32>,
    /// Addresses of the factory data, if the image does not say.
    pub factory: Option<Range<u64>>,
    /// Addresses of storage, if the image does not say.
    pub storage: Option<Range<u64>>,
}

/// What a board writes to RTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeLog {
    /// defmt frames.
    Defmt,
    /// Lines of text.
    Text,
}

/// A board's UART, and what flashes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialLink {
    /// Where it is.
    pub port: PortAddress,
    /// Bits per second.
    pub baud: u32,
    /// The form of its log.
    pub log: SerialLog,
    /// The ELF file of its firmware, which names the functions of a backtrace.
    pub elf: Option<PathBuf>,
    /// Holds it in reset.
    pub reset: Option<ControlLine>,
    /// Makes it start its loader when it comes out of reset.
    pub boot: Option<ControlLine>,
    /// Restarts it: `{port}`, `{baud}`.
    pub reset_command: Option<CommandTemplate>,
    /// Writes images.
    pub flash: Option<FlashCommand>,
    /// Writes factory data: `{port}`, `{baud}`, `{file}`.
    pub factory: Option<CommandTemplate>,
    /// Reads and erases storage.
    pub storage: Option<StorageCommands>,
}

/// Where a UART is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortAddress {
    /// A device file of this host.
    Tty(PathBuf),
    /// A Unix socket.
    Socket(PathBuf),
    /// A TCP server.
    Tcp(SocketAddr),
}

/// The form of a UART's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialLog {
    /// Whichever of these each line is in.
    Auto,
    /// `I (1234) tag: text`.
    EspIdf,
    /// `[inf] function(12): text` or `[001234]<I> text`.
    Linkkit,
    /// Lines without level and tag.
    Plain,
}

/// A control line of a UART that does something to the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlLine {
    /// Which.
    pub wire: Wire,
    /// It does so while it is not asserted.
    pub inverted: bool,
}

/// The control lines of a UART that a host can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Data terminal ready.
    Dtr,
    /// Request to send.
    Rts,
}

/// What writes images to a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashCommand {
    /// `{port}`, `{baud}`, `{offset}`, `{file}`.
    pub command: CommandTemplate,
    /// Run once for each image, not once for all.
    pub per_image: bool,
    /// Start the board's loader through the control lines first.
    pub boot_mode: bool,
    /// What to write where, at least one.
    pub images: Vec<ImageAt>,
}

/// An image and its place in flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageAt {
    /// In bytes.
    pub offset: u32,
    /// The image.
    pub file: PathBuf,
}

/// What reads and erases a board's storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageCommands {
    /// `{port}`, `{baud}`, `{file}`.
    pub read: CommandTemplate,
    /// `{port}`, `{baud}`.
    pub erase: CommandTemplate,
}

impl Rig {
    /// Reads the rig file at `path`.
    pub fn read(path: &Path) -> Result<Self, RigError> {
        let wrap = |source| RigError::Read {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).map_err(wrap)?.len() > LONGEST {
            return Err(wrap(io::Error::other("longer than a mebibyte")));
        }
        let text = fs::read_to_string(path).map_err(wrap)?;
        Ok(Self::parse(path, &text)?)
    }

    /// The rig that `text` describes. `path` is where it stands.
    pub fn parse(path: &Path, text: &str) -> Result<Self, RigMistakes> {
        read::rig(path, text).map_err(|list| RigMistakes::new(path, text, list))
    }

    /// A mistake at `span` of the rig file `path` that shows only once what it names is looked at.
    pub fn mistake_at(
        path: &Path,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> RigError {
        match fs::read_to_string(path) {
            Ok(text) => {
                let mistake = RigMistake::new(span, message, help);
                RigMistakes::new(path, &text, vec![mistake]).into()
            }
            Err(source) => RigError::Read {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// A rig file to start from, in which everything is explained and commented out.
    pub fn template() -> &'static str {
        include_str!("template.toml")
    }

    /// Writes [`Rig::template`] to `path`, unless there is something.
    pub fn init(path: &Path) -> Result<(), RigError> {
        let wrap = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => RigError::Exists {
                path: path.to_owned(),
            },
            _ => RigError::Write {
                path: path.to_owned(),
                source,
            },
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(wrap)?;
        file.write_all(Self::template().as_bytes()).map_err(wrap)
    }
}

impl RigBoard {
    /// What says with a good end that the board is well, if the rig has anything for that.
    pub fn health_check(&self) -> Option<Command> {
        let key = match &self.link {
            BoardLink::Probe(_) => "selector",
            BoardLink::Serial(_) => "port",
            BoardLink::Process(_) => "program",
        };
        Some(self.health.as_ref()?.fill(&[(key, &self.link.place())]))
    }
}

impl BoardLink {
    /// The word of `kind` in the rig file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Probe(_) => "probe",
            Self::Serial(_) => "serial",
            Self::Process(_) => "process",
        }
    }

    /// Selector of the probe, port of the UART, or path of the program.
    pub fn place(&self) -> String {
        match self {
            Self::Probe(probe) => probe.selector.clone(),
            Self::Serial(serial) => serial.port.to_string(),
            Self::Process(process) => process.program().display().to_string(),
        }
    }
}

impl PortAddress {
    /// The same for every name of the same port.
    pub fn identity(&self) -> String {
        match self {
            Self::Tty(path) => {
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                path.display().to_string()
            }
            other => other.to_string(),
        }
    }

    /// What is at `path`: a socket, or a device file.
    pub fn at(path: &Path) -> Self {
        let is_socket = |found: fs::Metadata| found.file_type().is_socket();
        match fs::metadata(path).is_ok_and(is_socket) {
            true => Self::Socket(path.to_owned()),
            false => Self::Tty(path.to_owned()),
        }
    }

    /// What `text` says; relative paths start from `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("tcp:") {
            let address = address.parse();
            return address
                .map(Self::Tcp)
                .map_err(|_| "`tcp:` needs an IP address and a port".to_owned());
        }
        if let Some(path) = text.strip_prefix("socket:") {
            return match path {
                "" => Err("`socket:` needs a path".to_owned()),
                path => Ok(Self::Socket(folder.join(path))),
            };
        }
        Ok(Self::Tty(folder.join(text)))
    }
}

/// As rig.toml has it.
impl fmt::Display for PortAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tty(path) => write!(f, "{}", path.display()),
            Self::Socket(path) => write!(f, "socket:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// As scenarios and reports have it.
impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::TornWrite => "torn-write",
            Self::Storage => "storage",
            Self::Isolate => "isolate",
            Self::SwitchAccessPoint => "switch-access-point",
        })
    }
}
