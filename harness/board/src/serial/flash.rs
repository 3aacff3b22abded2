//! Flashing by a command.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use clock::Clock;
use sha2::{Digest, Sha256};

use super::remember::{Note, hex};
use crate::command::Command;
use crate::error::{BoardError, FlashError};
use crate::rig::{FlashCommand, ImageAt, PortAddress, SerialLink};

/// No flash is larger, in bytes.
const LARGEST_IMAGE: u64 = 256 << 20;

/// What came of flashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flashed {
    /// True if these images were flashed onto this board last time already.
    pub skipped: bool,
    /// Bytes of all images.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// Flashes the images of `link`, unless the same were flashed last time and `anew` is false. The
/// port must be closed. `heard` gets each line that the command writes.
pub async fn flash(
    link: &SerialLink,
    anew: bool,
    clock: &Clock,
    heard: &mut (dyn FnMut(&str) + Send),
) -> Result<Flashed, BoardError> {
    let job = Job::new(link)?;
    if !anew && job.is_done() {
        return Ok(job.skipped());
    }
    job.run(clock, heard).await
}

/// Images that were read and can be flashed.
pub(super) struct Job {
    commands: Vec<Command>,
    note: Note,
    digest: String,
    bytes: u64,
}

/// Forgets which images were flashed onto the board at `port` last, so that the next flashing is not
/// skipped.
pub fn forget(port: &PortAddress) -> Result<(), FlashError> {
    let forgotten = Note::of(port).forget();
    forgotten.map_err(|source| FlashError::Note { source })
}

impl Job {
    /// Reads the images of `link`.
    pub fn new(link: &SerialLink) -> Result<Self, FlashError> {
        let port = link.port.to_string();
        let Some(flash) = &link.flash else {
            return Err(FlashError::NoCommand { port });
        };
        if flash.images.is_empty() {
            return Err(FlashError::NoImages { port });
        }
        let mut hash = Sha256::new();
        for word in flash.command.words() {
            hash.update(word);
            hash.update([0]);
        }
        let mut ends = Vec::new();
        for image in &flash.images {
            let content = read(&image.file)?;
            let length = content.len() as u64;
            hash.update(image.offset.to_le_bytes());
            hash.update(length.to_le_bytes());
            hash.update(content);
            ends.push((
                u64::from(image.offset),
                u64::from(image.offset) + length,
                &image.file,
            ));
        }
        ends.sort_unstable();
        for pair in ends.windows(2) {
            let ((_, end, first), (start, _, second)) = (pair[0], pair[1]);
            if end > start {
                let (first, second) = (first.clone(), second.clone());
                return Err(FlashError::Overlap {
                    first,
                    end,
                    second,
                    start,
                });
            }
        }
        Ok(Self {
            commands: commands(flash, &port, link.baud),
            note: Note::of(&link.port),
            digest: hex(&hash.finalize()),
            bytes: ends.iter().map(|(start, end, _)| end - start).sum(),
        })
    }

    /// Whether these were the last to be flashed onto this board.
    pub fn is_done(&self) -> bool {
        self.note.says(&self.digest)
    }

    /// What comes of not doing it again.
    pub fn skipped(&self) -> Flashed {
        Flashed {
            skipped: true,
            bytes: self.bytes,
            took: Duration::ZERO,
        }
    }

    /// Does it.
    pub async fn run(
        &self,
        clock: &Clock,
        heard: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Flashed, BoardError> {
        let began = Instant::now();
        self.note
            .forget()
            .map_err(|source| FlashError::Note { source })?;
        for command in &self.commands {
            command.run(clock, heard).await?;
        }
        // Without a note the next time takes longer, and that is all.
        let _ = self.note.write(&self.digest);
        Ok(Flashed {
            skipped: false,
            bytes: self.bytes,
            took: began.elapsed(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FlashError> {
    let wrap = |source| FlashError::Image {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path).map_err(wrap)?.len() {
        0 => Err(wrap(io::Error::other("it is empty"))),
        length if length > LARGEST_IMAGE => Err(wrap(io::Error::other("larger than any flash"))),
        _ => fs::read(path).map_err(wrap),
    }
}

fn commands(flash: &FlashCommand, port: &str, baud: u32) -> Vec<Command> {
    let baud = baud.to_string();
    let values = [("port", port), ("baud", baud.as_str())];
    let images: Vec<(String, String)> = flash
        .images
        .iter()
        .map(|ImageAt { offset, file }| (format!("{offset:#x}"), file.display().to_string()))
        .collect();
    let images: Vec<_> = images
        .iter()
        .map(|(offset, file)| [("offset", offset.as_str()), ("file", file.as_str())])
        .collect();
    if flash.per_image {
        let each = images.iter().map(std::slice::from_ref);
        each.map(|image| flash.command.fill_each(&values, image))
            .collect()
    } else {
        vec![flash.command.fill_each(&values, &images)]
    }
}
