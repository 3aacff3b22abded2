//! Firmware images and defmt's frames: neither makes the harness panic, loop, or take memory without
//! a bound.
//!
//! The first byte of the input says whether the rest is an image, or frames of one that is sound.

#![no_main]

/// The decoder itself: as a crate it comes with every chip that a probe knows.
#[path = "../../harness/board/src/defmt/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the fuzz target needs less of it than the boards"
)]
mod defmt;

use std::panic;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use defmt::{Decoded, Decoder, Image, Table};
use libfuzzer_sys::fuzz_target;

/// A firmware with a table, such as the emulated board runs in its tests.
const SOUND: &[u8] = include_bytes!("../../harness/lab/tests/board_guest/guest.elf");
/// No frame makes more lines than it has bytes.
const SLACK: usize = 16;

static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let image = Image::new(Path::new("guest.elf"), SOUND.to_vec()).expect("a sound image");
    Arc::new(image.defmt_table().expect("it has a table"))
});

fuzz_target!(init: contain_foreign_panics(), |bytes: &[u8]| {
    match bytes {
        [0..64, image @ ..] => read(image),
        [piece, frames @ ..] => {
            let mut count = 0;
            let mut decoder = Decoder::new(TABLE.clone());
            decoder.restart(piece & 1 != 0);
            for piece in frames.chunks(usize::from(piece >> 2).max(1)) {
                decoder.push(piece, |_: Decoded| count += 1);
            }
            assert!(count <= frames.len() + SLACK, "{count} of {}", frames.len());
        }
        [] => {}
    }
});

fn read(image: &[u8]) {
    let Ok(image) = Image::new(Path::new("image.elf"), image.to_vec()) else {
        return;
    };
    let _ = image
        .segments()
        .map(|(_, bytes)| bytes.len())
        .sum::<usize>();
    if let Ok(table) = image.defmt_table() {
        Decoder::new(Arc::new(table)).push(&[1, 0, 0, 0, 0], |_| {});
    }
}

/// Parsers of others panic where they should return an error. The harness catches that where it calls them,
/// and so it is no finding; a panic of its own is.
fn contain_foreign_panics() {
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_ours = info
            .location()
            .is_none_or(|place| !place.file().contains("/registry/"));
        if is_ours {
            abort(info);
        }
    }));
}
