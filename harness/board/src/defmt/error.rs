//! What can be wrong with an image.

use std::io;
use std::path::PathBuf;

/// An image cannot be used. Every message says what to type next.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error(
        "failed to read the image {}: build it first, or correct its path in rig.toml",
        path.display()
    )]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is far larger than any image.
    #[error(
        "{} has {bytes} bytes, and no image is larger than {limit}: name the ELF file that cargo \
         built, `target/TARGET/PROFILE/NAME`",
        path.display()
    )]
    Huge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The file is no ELF file, or a damaged one.
    #[error(
        "{} is no sound ELF file ({why}): name the one that cargo built, \
         `target/TARGET/PROFILE/NAME`, or build it again",
        path.display()
    )]
    NotElf {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing in it goes into memory.
    #[error(
        "{} holds nothing to load: link it with `-C link-arg=-Tlink.x`, or name the linked image \
         instead of an object file",
        path.display()
    )]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// There is no defmt table in it.
    #[error(
        "{} has no defmt table: link it with `-C link-arg=-Tdefmt.x`, or write `log = \"text\"` \
         for this board in rig.toml",
        path.display()
    )]
    NoDefmtTable {
        /// Which file.
        path: PathBuf,
    },
    /// Its defmt table is of a version that this decoder does not read.
    #[error(
        "{} has a defmt table of version {found}, and versions {supported} can be read: build the \
         firmware with `defmt = \"1\"`",
        path.display()
    )]
    DefmtVersion {
        /// Which file.
        path: PathBuf,
        /// The version in it.
        found: String,
        /// Those that can be read.
        supported: String,
    },
    /// Its defmt table is damaged.
    #[error(
        "{} has a defmt table that cannot be read ({why}): build it again with `cargo clean` \
         before",
        path.display()
    )]
    DefmtTable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is for another kind of processor.
    #[error(
        "{} is for {image}, and {chip} is {core}: build it with `cargo build --target` for this \
         chip, or correct `chip` in rig.toml",
        path.display()
    )]
    WrongArchitecture {
        /// Which file.
        path: PathBuf,
        /// What it was built for.
        image: String,
        /// The chip.
        chip: String,
        /// What that is.
        core: String,
    },
    /// It goes where the chip has nothing.
    #[error(
        "{} puts {bytes} bytes at {address:#010x}, where {chip} has no memory (it has {memory}): \
         correct memory.x, or `chip` in rig.toml",
        path.display()
    )]
    OutsideMemory {
        /// Which file.
        path: PathBuf,
        /// Where.
        address: u64,
        /// How much.
        bytes: u64,
        /// The chip.
        chip: String,
        /// Its memory.
        memory: String,
    },
    /// It does not fit.
    #[error(
        "{} is larger than the memory of {chip}: its {bytes} bytes at {address:#010x} end {over} \
         bytes behind {end:#010x}: build it with `--release` or fewer features, or correct \
         `chip` in rig.toml",
        path.display()
    )]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Where it begins.
        address: u64,
        /// Its size there.
        bytes: u64,
        /// The chip.
        chip: String,
        /// Where the memory ends.
        end: u64,
        /// Bytes too many.
        over: u64,
    },
}
