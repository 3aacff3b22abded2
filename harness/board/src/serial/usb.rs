//! The serial ports that are attached to this host.

use std::fs;
use std::path::{Path, PathBuf};

/// How far above a port its USB device stands in sysfs.
const LEVELS: usize = 6;

/// A port that is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedPort {
    /// Its device file.
    pub path: PathBuf,
    /// A name of it that stays the same whatever else is attached.
    pub stable: Option<PathBuf>,
    /// The USB device that it belongs to.
    pub usb: Option<Usb>,
}

/// A USB device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usb {
    /// Vendor, four hexadecimal digits.
    pub vendor: String,
    /// Product, likewise.
    pub product: String,
    /// Serial number, if it has one.
    pub serial: Option<String>,
    /// What it calls itself.
    pub name: Option<String>,
}

/// Every serial port behind which there is hardware, by name.
pub fn attached() -> Vec<AttachedPort> {
    let Ok(entries) = fs::read_dir("/sys/class/tty") else {
        return Vec::new();
    };
    let stable = stable_names();
    let mut ports: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let device = fs::canonicalize(entry.path().join("device")).ok()?;
            let path = Path::new("/dev").join(entry.file_name());
            // The kernel keeps places for built-in ports that no board has.
            let kind = fs::read_to_string(entry.path().join("type")).unwrap_or_default();
            if kind.trim() == "0" || !path.exists() {
                return None;
            }
            Some(AttachedPort {
                stable: stable
                    .iter()
                    .find(|(_, port)| *port == path)
                    .map(|(name, _)| name.clone()),
                usb: usb_above(&device),
                path,
            })
        })
        .collect();
    ports.sort_by(|a, b| a.path.cmp(&b.path));
    ports
}

/// The USB device that the port at `path` belongs to.
pub(super) fn usb_of(path: &Path) -> Option<Usb> {
    let path = fs::canonicalize(path).ok()?;
    let name = path.strip_prefix("/dev").ok()?;
    let device = Path::new("/sys/class/tty").join(name).join("device");
    usb_above(&fs::canonicalize(device).ok()?)
}

fn usb_above(device: &Path) -> Option<Usb> {
    device.ancestors().take(LEVELS).find_map(|folder| {
        let read = |name| {
            let text = fs::read_to_string(folder.join(name)).ok()?;
            let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
            (!text.is_empty()).then_some(text)
        };
        Some(Usb {
            vendor: read("idVendor")?,
            product: read("idProduct")?,
            serial: read("serial"),
            name: read("product"),
        })
    })
}

/// The names in /dev/serial/by-id, and the device files that they stand for.
fn stable_names() -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = fs::read_dir("/dev/serial/by-id") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let name = entry.ok()?.path();
            let port = fs::canonicalize(&name).ok()?;
            Some((name, port))
        })
        .collect()
}
