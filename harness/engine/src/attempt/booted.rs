//! Which firmware runs, as the boot logs of the devices tell.

use std::collections::BTreeMap;

use board::rig::{BoardLink, PortAddress};
use trace::board::FirmwareBooted;
use trace::{BoardSetup, Trace};

use super::boards::Chosen;
use super::problem::LabError;
use crate::run::Job;

/// Components of ESP-IDF that tell of the firmware: since 5.1 the first, before that the second.
const COMPONENTS: [&str; 2] = ["app_init", "cpu_start"];

/// Longer project names and versions are no fields of `esp_app_desc_t`.
const LONGEST: usize = 32;

/// Watches a trace for what boot logs tell of the firmware.
pub struct BootWatch {
    trace: Trace,
    next: usize,
    /// Of the image that was flashed, in hex.
    elf_sha256: Option<String>,
    /// Of what another firmware is to be told, if a run flashes the board.
    flashed: Option<Flashed>,
    /// By device: what the boot log has told before it tells the hash.
    told: BTreeMap<String, FirmwareBooted>,
}

/// A board that this run flashes.
struct Flashed {
    board: String,
    /// Where what was flashed last is remembered, for a board that cannot be asked.
    port: Option<PortAddress>,
}

impl BootWatch {
    /// Watches from the first event on.
    pub fn new(trace: Trace, job: &Job, chosen: &Chosen) -> Self {
        let board = &job.setup.board;
        let mut hashes = board
            .firmware
            .iter()
            .filter_map(|file| file.elf_sha256.clone());
        Self {
            trace,
            next: 0,
            elf_sha256: hashes.next(),
            flashed: flashed(board, chosen),
            told: BTreeMap::new(),
        }
    }

    /// Waits for a device that runs another firmware than it was flashed with. Cancel safe.
    pub async fn other_firmware(&mut self) -> LabError {
        loop {
            for event in self.trace.events_from(self.next) {
                self.next += 1;
                // Every line of every log passes here: none is copied.
                let (Some(device), Some(line)) = (&event.device, event.line()) else {
                    continue;
                };
                let Some(booted) = self.line(device, line.tag, line.text) else {
                    continue;
                };
                self.trace.emit(Some(device), &booted);
                if let (Some(flashed), Some(false)) = (&self.flashed, booted.is_the_image) {
                    return flashed.other(&booted);
                }
            }
            self.trace.longer_than(self.next).await;
        }
    }

    fn line(&mut self, device: &str, tag: &str, text: &str) -> Option<FirmwareBooted> {
        if !COMPONENTS.contains(&tag) {
            return None;
        }
        let (name, value) = text.split_once(':')?;
        let value = value.trim();
        let field = || Some(value.to_owned()).filter(|value| value.len() <= LONGEST);
        match name.trim() {
            "Project name" => self.told.entry(device.to_owned()).or_default().project = field(),
            "App version" => self.told.entry(device.to_owned()).or_default().version = field(),
            "ELF file SHA256" => {
                let digits = value.trim_end_matches('.').to_lowercase();
                let is_hash = (1..=64).contains(&digits.len())
                    && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let told = self.told.remove(device).unwrap_or_default();
                return is_hash.then(|| FirmwareBooted {
                    is_the_image: (self.elf_sha256.as_ref()).map(|h| h.starts_with(&digits)),
                    elf_sha256: digits,
                    ..told
                });
            }
            _ => {}
        }
        None
    }
}

/// The board, if this run flashes it with an image that a boot log can be compared with.
fn flashed(setup: &BoardSetup, chosen: &Chosen) -> Option<Flashed> {
    let (_, board) = chosen.real.as_ref()?;
    let port = match &board.link {
        BoardLink::Probe(_) => None,
        BoardLink::Serial(serial) => {
            serial.flash.as_ref()?;
            Some(serial.port.clone())
        }
        BoardLink::Process(_) => return None,
    };
    Some(Flashed {
        board: setup.name.clone(),
        port,
    })
}

impl Flashed {
    fn other(&self, booted: &FirmwareBooted) -> LabError {
        if let Some(port) = &self.port
            && let Err(error) = board::serial::forget(port)
        {
            return LabError::Board(error.into());
        }
        LabError::OtherFirmware {
            board: self.board.clone(),
            elf_sha256: booted.elf_sha256.clone(),
            version: booted.version.clone().unwrap_or_else(|| "unknown".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clock::Clock;

    fn watch(elf_sha256: Option<&str>) -> BootWatch {
        BootWatch {
            trace: Trace::in_memory(Clock::start(1.0)),
            next: 0,
            elf_sha256: elf_sha256.map(str::to_owned),
            flashed: None,
            told: BTreeMap::new(),
        }
    }

    fn told(watch: &mut BootWatch, tag: &str, lines: &[&str]) -> Vec<FirmwareBooted> {
        lines
            .iter()
            .filter_map(|text| watch.line("lamp", tag, text))
            .collect()
    }

    /// Text of ESP-IDF 5.5's `app_init`, and of 4.4's `cpu_start`.
    #[tokio::test]
    async fn a_boot_log_tells_project_version_and_hash() {
        let boot = [
            "Application information:",
            "Project name:     lamp",
            "App version:      1.4.2",
            "Compile time:     Nov 28 2026 10:00:00",
            "ELF file SHA256:  3f2a0c1de...",
            "ESP-IDF:          v5.5.1",
        ];
        for tag in COMPONENTS {
            let mut watch = watch(Some("3f2a0c1de70011"));
            let booted = told(&mut watch, tag, &boot);
            assert_eq!(
                booted,
                [FirmwareBooted {
                    elf_sha256: "3f2a0c1de".into(),
                    project: Some("lamp".into()),
                    version: Some("1.4.2".into()),
                    is_the_image: Some(true),
                }]
            );
        }
        assert_eq!(told(&mut watch(None), "main", &boot), []);
    }

    #[tokio::test]
    async fn another_hash_is_another_firmware_and_no_hash_is_none() {
        let mut other = watch(Some("00112233"));
        let booted = told(&mut other, "app_init", &["ELF file SHA256:  3f2a0c1de..."]);
        assert_eq!(booted[0].is_the_image, Some(false));
        let mut unknown = watch(None);
        let booted = told(&mut unknown, "app_init", &["ELF file SHA256: 3F2A"]);
        assert_eq!(booted[0].is_the_image, None);
        for text in [
            "ELF file SHA256: ...",
            "ELF file SHA256: xyz",
            "ELF file SHA256",
        ] {
            assert_eq!(told(&mut watch(None), "app_init", &[text]), [], "{text}");
        }
    }
}
