//! Where images lie in flash, and where the firmware looks for them.

use super::{CA_IMAGE, CLIENT_IMAGE};

/// Bytes of a sector, by which the SDK's calls count.
pub const SECTOR: u32 = 4096;

/// Sectors that the demo writes its settings to, from `CFG_LOCATION` on: the two copies in turn, and the flag
/// that says which one holds (`config.c`, `CFG_Save`).
const SETTINGS: [(&str, u32); 3] = [
    ("the firmware's settings", 0),
    ("the second copy of the firmware's settings", 1),
    ("the flag of the firmware's settings", 3),
];

/// Parts of a 2 MiB flash that are taken (boot mode and map as the SDK's demo is built: 1 1 2 0 5).
const TAKEN: &[(&str, u32, u32)] = &[
    ("the boot loader", 0x00_0000, 0x00_1000),
    ("esp_init_data_default.bin", 0x1f_c000, 0x1f_d000),
    ("blank.bin", 0x1f_e000, 0x1f_f000),
];

/// Sizes of the images, the addresses that they are flashed to, and what the firmware's calls name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashMap {
    /// Bytes of `esp_ca_cert.bin`.
    pub ca_length: u32,
    /// Where it is flashed to.
    pub ca_address: u32,
    /// Second argument of `espconn_secure_ca_enable`.
    pub ca_sector: u32,
    /// Bytes of `esp_cert_private_key.bin`; none with one-way TLS.
    pub client_length: Option<u32>,
    /// Where it is flashed to.
    pub client_address: u32,
    /// Second argument of `espconn_secure_cert_req_enable`.
    pub client_sector: u32,
    /// First of the sectors in which the firmware keeps its settings (`CFG_LOCATION`).
    pub settings_sector: u32,
    /// Bytes of flash.
    pub flash_size: u32,
}

impl FlashMap {
    /// The seed's map for images of these lengths: 0x77000, 0x78000 and settings in sector 0x79.
    pub fn usual(ca_length: u32, client_length: Option<u32>) -> Self {
        Self {
            ca_length,
            ca_address: 0x7_7000,
            ca_sector: 0x77,
            client_length,
            client_address: 0x7_8000,
            client_sector: 0x78,
            settings_sector: 0x79,
            flash_size: 2 * 1024 * 1024,
        }
    }

    /// Everything that is wrong with it, nothing if it can work.
    pub fn check(&self) -> Vec<Misplaced> {
        let mut found = Vec::new();
        let mut parts = vec![Part {
            image: CA_IMAGE,
            call: "espconn_secure_ca_enable",
            address: self.ca_address,
            sector: self.ca_sector,
            length: self.ca_length,
        }];
        parts.extend(self.client_length.map(|length| Part {
            image: CLIENT_IMAGE,
            call: "espconn_secure_cert_req_enable",
            address: self.client_address,
            sector: self.client_sector,
            length,
        }));
        for part in &parts {
            part.check(self, &mut found);
        }
        if let [ca, client] = &parts[..]
            && ca.start() < client.end()
            && client.start() < ca.end()
        {
            let (below, above) = if ca.start() <= client.start() {
                (ca, client)
            } else {
                (client, ca)
            };
            found.push(Misplaced::Overlap {
                below: below.image,
                end: below.end(),
                above: above.image,
                start: above.start(),
            });
        }
        found
    }
}

/// One image in the flash.
struct Part {
    image: &'static str,
    call: &'static str,
    address: u32,
    sector: u32,
    length: u32,
}

impl Part {
    fn start(&self) -> u64 {
        u64::from(self.address)
    }

    fn end(&self) -> u64 {
        self.start() + u64::from(self.length)
    }

    fn check(&self, map: &FlashMap, found: &mut Vec<Misplaced>) {
        let (image, address) = (self.image, self.address);
        if !address.is_multiple_of(SECTOR) {
            found.push(Misplaced::Unaligned { image, address });
        } else if self.sector != address / SECTOR {
            found.push(Misplaced::Sector {
                image,
                address,
                call: self.call,
                sector: self.sector,
            });
        }
        if self.end() > u64::from(map.flash_size) {
            found.push(Misplaced::BeyondFlash {
                image,
                end: self.end(),
                size: map.flash_size,
            });
        }
        let sector = u64::from(SECTOR);
        let settings = SETTINGS.iter().map(|(what, offset)| {
            let start = (u64::from(map.settings_sector) + u64::from(*offset)) * sector;
            (*what, start, start + sector)
        });
        let taken = TAKEN
            .iter()
            .map(|(what, start, end)| (*what, u64::from(*start), u64::from(*end)));
        for (what, start, end) in taken.chain(settings) {
            if self.start() < end && start < self.end() {
                found.push(Misplaced::Taken {
                    image,
                    end: self.end(),
                    what,
                    start,
                });
            }
        }
    }
}

/// A mistake in a flash map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// The address is within a sector.
    #[error(
        "{image} at {address:#x}: the firmware's calls count in sectors of 4096 bytes; use {:#x}",
        address.next_multiple_of(SECTOR)
    )]
    Unaligned {
        /// Name of the image.
        image: &'static str,
        /// Where it is flashed to.
        address: u32,
    },
    /// The call reads another place.
    #[error(
        "{image} is flashed to {address:#x}, and {call}(0x01, {sector:#x}) reads {:#x}: the call's \
         second argument must be {:#x}",
        u64::from(*sector) * u64::from(SECTOR), address / SECTOR
    )]
    Sector {
        /// Name of the image.
        image: &'static str,
        /// Where it is flashed to.
        address: u32,
        /// The firmware's call.
        call: &'static str,
        /// Its second argument.
        sector: u32,
    },
    /// Two images share bytes.
    #[error(
        "{below} ends at {end:#x}, and {above} begins at {start:#x}: what is flashed last destroys the \
         other; flash {above} to {:#x} and change its call's second argument to {:#x}",
        end.next_multiple_of(u64::from(SECTOR)), end.div_ceil(u64::from(SECTOR))
    )]
    Overlap {
        /// Image at the lower address.
        below: &'static str,
        /// First address behind it.
        end: u64,
        /// Image at the higher address.
        above: &'static str,
        /// Where that begins.
        start: u64,
    },
    /// Another part of the flash is overwritten.
    #[error(
        "{image} reaches to {end:#x}, and {what} at {start:#x} lies within: choose another sector for \
         one of them"
    )]
    Taken {
        /// Name of the image.
        image: &'static str,
        /// First address behind it.
        end: u64,
        /// What else lies there.
        what: &'static str,
        /// Where that begins.
        start: u64,
    },
    /// The flash is too small.
    #[error("{image} reaches to {end:#x}, and the flash ends at {size:#x}")]
    BeyondFlash {
        /// Name of the image.
        image: &'static str,
        /// First address behind it.
        end: u64,
        /// Bytes of flash.
        size: u32,
    },
}
