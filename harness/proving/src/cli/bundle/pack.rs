//! What goes into a bundle.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use engine::run::Job;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::super::CommandError;
use super::{BundleError, CONTENTS, VERSION};

/// Bytes of a file that are taken.
const LARGEST: u64 = 512 << 20;

/// The files of a bundle, by their paths in it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Gathers the attempts' files and the logs.
pub fn gather(parts: &[PathBuf]) -> Result<Files, CommandError> {
    let mut files = Files::new();
    let mut told = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let number = number + 1;
        let name = name_of(part);
        if part.join("job.json").is_file() {
            let job = Job::read(&part.join("job.json")).map_err(BundleError::from)?;
            let folder = format!("{number}-{}", safe(&job.case_id));
            attempt(&mut files, part, &folder, &job)?;
            told.push(json!({
                "attempt": folder,
                "case": job.case_id,
                "seed": job.seed,
                "board": job.board,
                "setup": job.setup,
                "bug": job.bug,
            }));
        } else if part.is_file() {
            let path = format!("{number}-{}.log", safe(&name));
            files.insert(path.clone(), read(part)?);
            told.push(json!({ "log": path }));
        } else {
            return Err(BundleError::NoAttempt(part.clone()).into());
        }
    }
    let contents = json!({
        "version": VERSION,
        "tool": concat!("proving ", env!("CARGO_PKG_VERSION")),
        "parts": told,
    });
    files.insert(CONTENTS.to_owned(), format!("{contents:#}\n").into_bytes());
    Ok(files)
}

/// The files of one attempt. Its factory data and flash are not there any more once it has ended.
fn attempt(files: &mut Files, part: &Path, folder: &str, job: &Job) -> Result<(), CommandError> {
    for name in ["job.json", "trace.jsonl", "worker.err"] {
        let path = part.join(name);
        if path.is_file() {
            files.insert(format!("{folder}/{name}"), read(&path)?);
        }
    }
    let sources = [
        (Some(&job.scenario_file), "scenario/"),
        (job.rig.as_ref(), ""),
    ];
    for (source, below) in sources {
        let Some(source) = source.filter(|source| source.is_file()) else {
            continue;
        };
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        files.insert(format!("{folder}/{below}{}", safe(&name)), read(source)?);
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(CommandError::unreadable(path))?;
    if bytes.len() as u64 > LARGEST {
        let (path, limit) = (path.to_owned(), LARGEST);
        return Err(BundleError::TooLarge { path, limit }.into());
    }
    Ok(bytes)
}

fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(
        || "log".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// A name that is a file's on every system, short enough for a plain header.
fn safe(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name
        .chars()
        .take(36)
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    name.trim_start_matches('.').to_owned()
}

/// A compressed archive of the files, the same for the same files.
pub fn pack(files: &Files) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    // What is in it stands first, so that a reader need not unpack all of it to know.
    let first = files.get_key_value(CONTENTS);
    let rest = files.iter().filter(|(path, _)| *path != CONTENTS);
    for (path, bytes) in first.into_iter().chain(rest) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, path, &bytes[..])?;
    }
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    packed.finish()
}
