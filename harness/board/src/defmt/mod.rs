//! Firmware images and the defmt logs that they send.
//!
//! An [`Image`] is an ELF file: what goes into the chip's memory, the symbols that describe its
//! regions, and the table that defmt's frames are decoded with. Both the file and the stream may
//! hold anything at all; neither can make the harness panic, loop, or take memory without a bound.

mod decoder;
mod error;
mod image;
mod place;
mod rzcobs;
mod shape;
mod table;
mod walk;

pub use decoder::{Decoded, Decoder, Lost};
pub use error::ImageError;
pub use image::{ChipMemory, Image, Segment};
pub use table::Table;
