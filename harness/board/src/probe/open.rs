//! From a selector to a session with a chip.

use std::io;

use object::Architecture as ElfArchitecture;
use probe_rs::config::{MemoryRegion, Registry, RegistryError};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeError, DebugProbeInfo, DebugProbeSelector, Probe, WireProtocol};
use probe_rs::{Architecture, CoreType, Permissions, Session, Target};
use trace::in_full;

use super::{Attach, ProbeSettings};
use crate::defmt::ChipMemory;
use crate::error::ProbeError;

/// Chips that are named when the one that was asked for is not known.
const SIMILAR: usize = 5;

/// Opens the probe and attaches to the chip. Blocks, perhaps for ever.
pub(super) fn open(settings: &ProbeSettings) -> Result<Session, ProbeError> {
    register_plugins();
    let registry = registry(settings)?;
    let chip = registry
        .get_target_by_name(&settings.chip)
        .map_err(|error| unknown_chip(&settings.chip, &registry, &error))?;
    let mut probe = open_probe(&settings.selector)?;
    if probe.protocol().is_none() {
        // Some probes speak either and want to be told. ARM cores have SWD, whose two wires are
        // always there; the others have JTAG.
        let protocol = match chip.architecture() {
            Architecture::Arm => WireProtocol::Swd,
            Architecture::Riscv | Architecture::Xtensa => WireProtocol::Jtag,
        };
        probe
            .select_protocol(protocol)
            .map_err(|source| refused(&settings.selector, source))?;
    }
    if let Some(khz) = settings.speed_khz {
        probe
            .set_speed(khz)
            .map_err(|source| refused(&settings.selector, source))?;
    }
    let permissions = Permissions::new();
    let session = match settings.attach {
        Attach::Normal => probe.attach_with_registry(chip, permissions, &registry),
        Attach::UnderReset => probe.attach_under_reset_with_registry(chip, permissions, &registry),
    };
    session.map_err(|source| ProbeError::Attach {
        selector: settings.selector.clone(),
        chip: settings.chip.clone(),
        source: Box::new(source),
    })
}

/// Makes probe-rs know the chips and the USB-JTAG of Espressif, which are in a crate of their own. Comes
/// before the first registry and the first list of probes: neither sees what is registered later.
fn register_plugins() {
    // A second registration would list every chip and every probe twice.
    #[cfg(feature = "all-chips")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(probe_rs_espressif::register_plugin);
    }
}

/// What of a chip decides whether an image is for it.
pub(super) fn chip_memory(target: &Target) -> ChipMemory {
    let (core, architecture) = match target.architecture() {
        Architecture::Arm if is_64_bit(target) => ("a 64-bit ARM core", ElfArchitecture::Aarch64),
        Architecture::Arm => ("a 32-bit ARM core", ElfArchitecture::Arm),
        Architecture::Riscv if is_64_bit(target) => {
            ("a 64-bit RISC-V core", ElfArchitecture::Riscv64)
        }
        Architecture::Riscv => ("a 32-bit RISC-V core", ElfArchitecture::Riscv32),
        Architecture::Xtensa => ("an Xtensa core", ElfArchitecture::Xtensa),
    };
    ChipMemory {
        chip: target.name.clone(),
        core,
        architecture,
        memory: target
            .memory_map
            .iter()
            .map(MemoryRegion::address_range)
            .collect(),
    }
}

fn is_64_bit(target: &Target) -> bool {
    matches!(
        target.default_core().core_type,
        CoreType::Armv8a | CoreType::Riscv64
    )
}

fn registry(settings: &ProbeSettings) -> Result<Registry, ProbeError> {
    let Some(yaml) = &settings.target_description else {
        return Ok(Registry::from_builtin_families());
    };
    let mut registry = Registry::new();
    registry
        .add_target_family_from_yaml(yaml)
        .map_err(|error| ProbeError::Description {
            why: in_full(&error),
        })?;
    Ok(registry)
}

fn unknown_chip(chip: &str, registry: &Registry, error: &RegistryError) -> ProbeError {
    let similar = match error {
        RegistryError::ChipNotUnique(_, several) => format!(", but several begin so ({several})"),
        _ => {
            // The family, for those who mistyped the variant.
            let stem: String = chip.chars().take(7).collect();
            let mut names = registry.search_chips(&stem);
            names.truncate(SIMILAR);
            match names.is_empty() {
                true => String::new(),
                false => format!(" ({} are known)", names.join(", ")),
            }
        }
    };
    ProbeError::UnknownChip {
        chip: chip.to_owned(),
        similar,
    }
}

fn open_probe(selector: &str) -> Result<Probe, ProbeError> {
    let lister = lister();
    if selector.is_empty() {
        return open_only(lister.list_all(), selector);
    }
    let parsed: DebugProbeSelector = selector.parse().map_err(|_| ProbeError::Selector {
        selector: selector.to_owned(),
    })?;
    if is_address(&parsed) {
        // Not on any bus, so there is nothing to look through.
        return lister.open(parsed).map_err(|source| ProbeError::NoAnswer {
            address: selector.to_owned(),
            source,
        });
    }
    let fitting = lister.list(Some(&parsed));
    match fitting.is_empty() {
        true => Err(ProbeError::NoProbe {
            selector: selector.to_owned(),
            attached: attached(&lister.list_all()),
        }),
        false => open_only(fitting, selector),
    }
}

/// What finds probes, those of the plugins too.
fn lister() -> Lister {
    register_plugins();
    Lister::new()
}

/// Whether the serial number is an address and a port.
fn is_address(selector: &DebugProbeSelector) -> bool {
    selector
        .serial_number
        .as_deref()
        .and_then(|serial| serial.rsplit_once(':'))
        .is_some_and(|(host, port)| host.contains(['.', ':']) && port.parse::<u16>().is_ok())
}

fn open_only(mut found: Vec<DebugProbeInfo>, selector: &str) -> Result<Probe, ProbeError> {
    if let [first, second, ..] = found.as_slice() {
        return Err(ProbeError::Ambiguous {
            selector: selector.to_owned(),
            first: DebugProbeSelector::from(first).to_string(),
            second: DebugProbeSelector::from(second).to_string(),
        });
    }
    let Some(probe) = found.pop() else {
        return Err(ProbeError::NoProbe {
            selector: selector.to_owned(),
            attached: attached(&[]),
        });
    };
    let name = DebugProbeSelector::from(&probe).to_string();
    probe.open().map_err(|source| refused(&name, source))
}

fn refused(selector: &str, source: DebugProbeError) -> ProbeError {
    let selector = selector.to_owned();
    match io_kind(&source) {
        Some(io::ErrorKind::PermissionDenied) => ProbeError::NotAllowed { selector, source },
        Some(io::ErrorKind::ResourceBusy | io::ErrorKind::AddrInUse) => {
            ProbeError::Taken { selector, source }
        }
        _ => ProbeError::Open { selector, source },
    }
}

/// What the operating system said, if it is at the bottom of this.
fn io_kind(error: &DebugProbeError) -> Option<io::ErrorKind> {
    let mut below: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = below {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(match io.get_ref() {
                Some(inner) if is_busy(inner) => io::ErrorKind::ResourceBusy,
                _ => io.kind(),
            });
        }
        below = error.source();
    }
    None
}

/// Whether this is nusb's error for an interface that another process has claimed, to which it gives
/// no kind of its own (nusb 0.2.9, `impl From<Error> for io::Error`). Told by how it is printed,
/// because only nusb can make one, and a test has to.
fn is_busy(error: &(dyn std::error::Error + Send + Sync)) -> bool {
    format!("{error:?}").contains("kind: Busy")
}

fn attached(probes: &[DebugProbeInfo]) -> String {
    let names: Vec<_> = probes
        .iter()
        .map(|probe| {
            format!(
                "{} ({})",
                DebugProbeSelector::from(probe),
                probe.identifier.trim()
            )
        })
        .collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

/// A probe that is attached to this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// What selects it.
    pub selector: String,
    /// What it calls itself.
    pub name: String,
    /// Its kind, such as `CMSIS-DAP`.
    pub kind: String,
    /// Whether this user may open it.
    pub allowed: bool,
}

/// The probes on this computer's buses. Blocks as long as they take to say who they are.
pub fn list() -> Vec<Attached> {
    use probe_rs::probe::list::Accessibility;

    lister()
        .list_all_with_access()
        .into_iter()
        .map(|item| Attached {
            selector: DebugProbeSelector::from(&item.info).to_string(),
            name: item.info.identifier.trim().to_owned(),
            kind: item.info.probe_type(),
            allowed: item.accessibility == Accessibility::Accessible,
        })
        .collect()
}

/// The whole selector of the one attached probe that `selector` fits; none if it fits no probe, or
/// several, or one that is on no bus.
pub fn whole_selector(selector: &str) -> Option<String> {
    let parsed: DebugProbeSelector = selector.parse().ok()?;
    if is_address(&parsed) {
        return None;
    }
    only_selector(&lister().list(Some(&parsed)))
}

fn only_selector(found: &[DebugProbeInfo]) -> Option<String> {
    match found {
        [only] => Some(DebugProbeSelector::from(only).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use probe_rs::probe::blackmagic::BlackMagicProbeFactory;

    use super::*;

    /// Prints itself as the error of nusb does that has these fields.
    #[derive(Debug)]
    struct Error {
        #[expect(dead_code, reason = "only printed")]
        kind: Kind,
    }

    #[derive(Debug)]
    enum Kind {
        Busy,
        Disconnected,
    }

    impl fmt::Display for Error {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failed to claim interface")
        }
    }

    impl std::error::Error for Error {}

    #[test]
    fn a_probe_that_cannot_be_opened_says_whether_it_is_taken_or_not_allowed() {
        let usb = |kind| io::Error::other(Error { kind });
        for (error, expected) in [
            (usb(Kind::Busy), "is taken by another process: end the"),
            (usb(Kind::Disconnected), "unplug it and plug it in again"),
            (
                io::ErrorKind::ResourceBusy.into(),
                "is taken by another process",
            ),
            (
                io::ErrorKind::PermissionDenied.into(),
                "install probe-rs's udev rules",
            ),
        ] {
            let said = refused("1:2", DebugProbeError::Usb(error)).to_string();
            assert!(said.contains(expected), "{said}");
        }
    }

    fn probe(serial: &str) -> DebugProbeInfo {
        DebugProbeInfo::new(
            "probe",
            0x1d50,
            0x6018,
            Some(serial.to_owned()),
            &BlackMagicProbeFactory,
            None,
            false,
        )
    }

    #[test]
    fn only_one_probe_has_a_whole_selector() {
        let whole = Some("1d50:6018:A".to_owned());
        assert_eq!(only_selector(&[probe("A")]), whole);
        assert_eq!(only_selector(&[probe("A"), probe("B")]), None);
        assert_eq!(only_selector(&[]), None);
        assert_eq!(whole_selector("1d50:6018:127.0.0.1:7331"), None);
    }

    #[test]
    fn a_selector_that_fits_two_probes_names_both() {
        let found = vec![probe("A"), probe("B")];
        let said = open_only(found, "1d50:6018").expect_err("two").to_string();
        assert!(
            said.contains("`1d50:6018` fits two probes, 1d50:6018:A and 1d50:6018:B: write one"),
            "{said}"
        );
    }

    /// That these chips can be flashed and run needs a board; that they are known does not.
    #[cfg(feature = "all-chips")]
    #[test]
    fn the_chips_of_espressif_are_known_once() {
        for _ in 0..2 {
            drop(lister());
        }
        let registry = Registry::from_builtin_families();
        for (chip, architecture) in [
            ("esp32c3", Architecture::Riscv),
            ("esp32c6", Architecture::Riscv),
            ("esp32h2", Architecture::Riscv),
            ("esp32s3", Architecture::Xtensa),
        ] {
            let target = registry.get_target_by_name(chip).expect("one such chip");
            assert_eq!(target.architecture(), architecture, "{chip}");
        }
        let names = registry.search_chips("esp32c6");
        let same = names.iter().filter(|name| *name == "esp32c6");
        assert_eq!(same.count(), 1, "{names:?}");
    }

    #[test]
    fn an_address_is_told_from_a_serial_number() {
        let is_address = |text: &str| is_address(&text.parse().expect("a selector"));
        assert!(is_address("1d50:6018:127.0.0.1:7331"));
        assert!(is_address("1d50:6018:::1:7331"));
        assert!(!is_address("303a:1001:DC:DA:0C:D3:FE:D8"));
        assert!(!is_address("0483:3748"));
    }

    #[test]
    fn a_selector_that_is_none_says_how_one_is_written() {
        let error = open_probe("jlink").expect_err("no selector");
        assert!(error.to_string().contains("VID:PID"), "{error}");
    }

    #[test]
    fn an_address_without_a_listener_is_told_from_no_probe() {
        // A port of the discard protocol's neighbourhood, where nothing listens.
        let error = open_probe("1d50:6018:127.0.0.1:9").expect_err("no listener");
        assert!(matches!(error, ProbeError::NoAnswer { .. }), "{error}");
    }
}
