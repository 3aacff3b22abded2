//! `proving certs esp8266`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use pki::esp8266::{
    Age, CA_IMAGE, CLIENT_IMAGE, FlashMap, Image, Images, LoadError, Material, Order, Subjects,
};
use report::ExitStatus;

use super::certs::now;
use super::{CommandError, print};

#[derive(Debug, Args)]
pub(super) struct Esp8266 {
    /// Where to write the images, and certificates and keys in PEM; existing files stay as they are
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "check",
        conflicts_with = "check"
    )]
    out: Option<PathBuf>,
    /// Make nothing: check the images in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ca", "age", "key_first"])]
    check: Option<PathBuf>,
    /// Your own authority (PEM); alone: for one-way TLS, without a client image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["age", "server", "device"])]
    ca: Option<PathBuf>,
    /// Your own client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key", requires = "ca")]
    client: Option<PathBuf>,
    /// Its private key (PEM, RSA)
    #[arg(long, value_name = "FILE", requires = "client")]
    key: Option<PathBuf>,
    /// Strength of what is made: 2017 is RSA-1024 with SHA-1, today RSA-2048 with SHA-256
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "today")]
    age: Age,
    /// Host name or address in the broker's certificate
    #[arg(long, value_name = "NAME", default_value = "192.168.111.100")]
    server: String,
    /// Common name in the device's certificate
    #[arg(long, value_name = "NAME", default_value = "192.168.111.101")]
    device: String,
    /// Write the record of the key first: the SDK's script makes both orders
    #[arg(long)]
    key_first: bool,
    #[command(flatten)]
    map: Map,
}

/// Where images go, and where the firmware looks for them.
#[derive(Debug, Args)]
struct Map {
    /// Flash address of esp_ca_cert.bin
    #[arg(long, value_name = "ADDRESS", value_parser = number, default_value = "0x77000")]
    ca_address: u32,
    /// Second argument of the firmware's espconn_secure_ca_enable
    #[arg(long, value_name = "SECTOR", value_parser = number, default_value = "0x77")]
    ca_sector: u32,
    /// Flash address of esp_cert_private_key.bin
    #[arg(long, value_name = "ADDRESS", value_parser = number, default_value = "0x78000")]
    client_address: u32,
    /// Second argument of the firmware's espconn_secure_cert_req_enable
    #[arg(long, value_name = "SECTOR", value_parser = number, default_value = "0x78")]
    client_sector: u32,
    /// Sector of the firmware's settings (CFG_LOCATION)
    #[arg(long, value_name = "SECTOR", value_parser = number, default_value = "0x79")]
    settings_sector: u32,
    /// Bytes of flash
    #[arg(long, value_name = "BYTES", value_parser = number, default_value = "0x200000")]
    flash_size: u32,
    /// Second argument of the firmware's espconn_secure_set_size, in bytes
    #[arg(long, value_name = "BYTES", value_parser = number, default_value = "6144")]
    buffer: u32,
    /// Serial port in the commands that are printed
    #[arg(long, value_name = "PORT", default_value = "/dev/ttyUSB0")]
    port: String,
}

pub(super) fn esp8266(arguments: &Esp8266) -> Result<ExitStatus, CommandError> {
    let map = &arguments.map;
    let mut said = Said::default();
    let (folder, images) = match (&arguments.check, &arguments.out) {
        (Some(folder), _) => (folder.clone(), read_images(folder)?),
        (None, out) => {
            // clap wants one of the two.
            let out = out.clone().unwrap_or_default();
            let order = if arguments.key_first {
                Order::KeyFirst
            } else {
                Order::CertificateFirst
            };
            let material = arguments.material()?;
            let images = material.images(order)?;
            for path in material.export(&out, &images)? {
                said.line(&path.display().to_string());
            }
            if let Some((issuer, ca)) = material.other_issuer()? {
                said.line(&format!(
                    "note: client.crt is issued by {issuer}, ca.crt is of {ca}: the broker's cafile \
                     needs the authority of the client"
                ));
            }
            if let Some(needed) = material.certificate_message() {
                said.buffer(map.buffer, needed);
            }
            (out, images)
        }
    };
    if !(2048..=8192).contains(&map.buffer) {
        said.mistake(&format!(
            "espconn_secure_set_size(0x01, {}): the SDK takes 2048 to 8192",
            map.buffer
        ));
    }
    said.image(CA_IMAGE, map.ca_address, &images.ca, Image::takes_authority);
    if let Some(client) = &images.client {
        said.image(
            CLIENT_IMAGE,
            map.client_address,
            client,
            Image::takes_client,
        );
    }
    for mistake in map.of(&images).check() {
        said.mistake(&mistake.to_string());
    }
    if said.mistakes == 0 {
        said.commands(map, &folder, &images);
    }
    print(&said.text)?;
    Ok(if said.mistakes == 0 {
        ExitStatus::Passed
    } else {
        ExitStatus::Usage
    })
}

impl Esp8266 {
    fn material(&self) -> Result<Material, CommandError> {
        let Some(ca) = &self.ca else {
            let subjects = Subjects {
                server: &self.server,
                client: &self.device,
            };
            return Ok(Material::mint(self.age, subjects, now())?);
        };
        let ca = read(ca)?;
        let pair = match (&self.client, &self.key) {
            (Some(client), Some(key)) => Some((read(client)?, read(key)?)),
            _ => None,
        };
        let pair = pair.as_ref();
        let pair = pair.map(|(client, key)| (client.as_slice(), key.as_slice()));
        Ok(Material::own(&ca, pair)?)
    }
}

impl Map {
    fn of(&self, images: &Images) -> FlashMap {
        let length = |image: &Image| u32::try_from(image.bytes().len()).unwrap_or(u32::MAX);
        FlashMap {
            ca_length: length(&images.ca),
            ca_address: self.ca_address,
            ca_sector: self.ca_sector,
            client_length: images.client.as_ref().map(length),
            client_address: self.client_address,
            client_sector: self.client_sector,
            settings_sector: self.settings_sector,
            flash_size: self.flash_size,
        }
    }
}

/// What is printed.
#[derive(Default)]
struct Said {
    text: String,
    mistakes: usize,
}

impl Said {
    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn mistake(&mut self, mistake: &str) {
        self.mistakes += 1;
        self.line(&format!("mistake: {mistake}"));
    }

    fn image(
        &mut self,
        name: &str,
        address: u32,
        image: &Image,
        taken: fn(&Image) -> Result<(), LoadError>,
    ) {
        let records = match image.records() {
            Ok(records) => records,
            Err(error) => return self.mistake(&format!("{name}: {error}")),
        };
        let each = records
            .iter()
            .map(|record| format!("{} ({} bytes)", record.name, record.payload.len()));
        let each: Vec<String> = each.collect();
        let length = image.bytes().len();
        self.line(&format!(
            "{name} at {address:#x}, {length} bytes: {}",
            each.join(", ")
        ));
        if let Err(error) = taken(image) {
            self.mistake(&format!("{name}: {error}"));
        }
    }

    fn buffer(&mut self, buffer: u32, needed: usize) {
        if usize::try_from(buffer).is_ok_and(|buffer| buffer < needed) {
            self.mistake(&format!(
                "espconn_secure_set_size(0x01, {buffer}): the broker's certificate message has {needed} \
                 bytes"
            ));
        }
    }

    fn commands(&mut self, map: &Map, folder: &Path, images: &Images) {
        self.line("firmware:");
        self.line(&format!(
            "  espconn_secure_set_size(0x01, {}); espconn_secure_ca_enable(0x01, {:#x});",
            map.buffer, map.ca_sector
        ));
        if images.client.is_some() {
            self.line(&format!(
                "  espconn_secure_cert_req_enable(0x01, {:#x});",
                map.client_sector
            ));
        } else {
            self.line("  no espconn_secure_cert_req_enable: one-way TLS");
        }
        self.line("flash:");
        let mut command = format!(
            "  esptool.py --port {} --baud 921600 write_flash {:#x} {}",
            quoted(&map.port),
            map.ca_address,
            quoted(&folder.join(CA_IMAGE).display().to_string())
        );
        if images.client.is_some() {
            let client = folder.join(CLIENT_IMAGE).display().to_string();
            let _ = write!(command, " {:#x} {}", map.client_address, quoted(&client));
        }
        self.line(&command);
    }
}

/// A word of a shell's command.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn read_images(folder: &Path) -> Result<Images, CommandError> {
    let ca = Image::from_bytes(read(&folder.join(CA_IMAGE))?);
    let client = match read(&folder.join(CLIENT_IMAGE)) {
        Ok(bytes) => Some(Image::from_bytes(bytes)),
        Err(CommandError::Unreadable { source, .. })
            if source.kind() == io::ErrorKind::NotFound =>
        {
            None
        }
        Err(error) => return Err(error),
    };
    Ok(Images { ca, client })
}

/// Bytes of a file that are read; images have 8192 at most, and certificates in PEM little more.
const MOST: u64 = 1024 * 1024;

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let wrap = CommandError::unreadable(path);
    let file = std::fs::File::open(path).map_err(&wrap)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MOST), &mut bytes).map_err(&wrap)?;
    Ok(bytes)
}

fn age(text: &str) -> Result<Age, String> {
    match text {
        "2017" => Ok(Age::Of2017),
        "today" => Ok(Age::Today),
        _ => Err("there are: 2017, today".into()),
    }
}

/// A number, decimal or with `0x`.
fn number(text: &str) -> Result<u32, String> {
    let read = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.map_err(|_| "a number is wanted, such as 0x77000 or 4096".into())
}
