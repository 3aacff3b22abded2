//! Making bytes stand in a chip's memory.

use std::time::{Duration, Instant};

use probe_rs::flashing::{
    DownloadOptions, FlashLoader, FlashProgress, ProgressEvent, ProgressOperation,
};
use probe_rs::{MemoryInterface, Session};

use super::{Flashed, Progress};
use crate::defmt::Image;
use crate::error::{Attempting, ProbeError};

/// Bytes compared at once; the first difference ends the comparison.
const COMPARED: usize = 32 * 1024;

/// Makes the image stand in memory, unless it stands there already.
pub(super) fn image(
    session: &mut Session,
    image: &Image,
    anew: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Flashed, ProbeError> {
    let began = Instant::now();
    let what = image.path().display().to_string();
    let mut loader = session.target().flash_loader();
    for (address, bytes) in image.segments() {
        loader
            .add_data(address, bytes)
            .attempting(|| format!("plan the flashing of {what}"))?;
    }
    let bytes = image.size();
    let flashed = |skipped, began: Instant| Flashed {
        skipped,
        bytes,
        took: began.elapsed(),
    };
    if !anew && first_difference(session, image.segments())?.is_none() {
        return Ok(flashed(true, began));
    }
    commit(session, &loader, anew, &what, progress)?;
    progress(Progress::Verifying { bytes });
    if let Some(address) = first_difference(session, image.segments())? {
        return Err(ProbeError::Differs { what, address });
    }
    Ok(flashed(false, began))
}

/// Makes `bytes` stand at `address`. False if they stood there already.
pub(super) fn write(
    session: &mut Session,
    address: u64,
    bytes: &[u8],
    what: &str,
) -> Result<bool, ProbeError> {
    let wanted = || std::iter::once((address, bytes));
    if first_difference(session, wanted())?.is_none() {
        return Ok(false);
    }
    let mut loader = session.target().flash_loader();
    loader
        .add_data(address, bytes)
        .attempting(|| format!("plan the writing of {what}"))?;
    commit(session, &loader, false, what, &mut |_| {})?;
    match first_difference(session, wanted())? {
        None => Ok(true),
        Some(address) => Err(ProbeError::Differs {
            what: what.to_owned(),
            address,
        }),
    }
}

fn commit(
    session: &mut Session,
    loader: &FlashLoader,
    erase_all: bool,
    what: &str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ProbeError> {
    let mut options = DownloadOptions::default();
    options.do_chip_erase = erase_all;
    let mut told = Told::default();
    options.progress = FlashProgress::new(|event| {
        if let Some(step) = told.step(&event) {
            progress(step);
        }
    });
    loader
        .commit(session, options)
        .attempting(|| format!("write {what}"))
}

/// How far each step is.
#[derive(Default)]
struct Told {
    erased: u64,
    erase: u64,
    written: u64,
    write: u64,
}

impl Told {
    fn step(&mut self, event: &ProgressEvent) -> Option<Progress> {
        match event {
            ProgressEvent::AddProgressBar { operation, total } => {
                let total = total.unwrap_or(0);
                match operation {
                    ProgressOperation::Erase => self.erase += total,
                    ProgressOperation::Program => self.write += total,
                    _ => {}
                }
                None
            }
            ProgressEvent::Progress {
                operation, size, ..
            } => match operation {
                ProgressOperation::Erase => {
                    self.erased += size;
                    Some(Progress::Erasing {
                        done: self.erased,
                        of: self.erase,
                    })
                }
                ProgressOperation::Program => {
                    self.written += size;
                    Some(Progress::Writing {
                        done: self.written,
                        of: self.write,
                    })
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// The address of the first byte in memory that is another one.
fn first_difference<'w>(
    session: &mut Session,
    wanted: impl Iterator<Item = (u64, &'w [u8])>,
) -> Result<Option<u64>, ProbeError> {
    let mut core = session.core(0).attempting(|| "reach the core".to_owned())?;
    // A core that runs could change what is compared, and makes reading slower.
    let status = core.status().attempting(|| "ask the core".to_owned())?;
    if !status.is_halted() {
        core.halt(Duration::from_millis(500))
            .attempting(|| "halt the core".to_owned())?;
    }
    let mut there = vec![0; COMPARED];
    for (start, bytes) in wanted {
        for (number, chunk) in bytes.chunks(COMPARED).enumerate() {
            let address = start + (number * COMPARED) as u64;
            let there = &mut there[..chunk.len()];
            core.read(address, there)
                .attempting(|| format!("read {} bytes at {address:#010x}", chunk.len()))?;
            if let Some(at) = chunk
                .iter()
                .zip(&*there)
                .position(|(left, right)| left != right)
            {
                return Ok(Some(address + at as u64));
            }
        }
    }
    Ok(None)
}
