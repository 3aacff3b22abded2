//! Bundles of others, which may be anything.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use serde_json::Value;
use tar::{Archive, EntryType};

use super::super::CommandError;
use super::{BundleError, CONTENTS, VERSION};

/// Files that a bundle may hold.
const MOST_FILES: usize = 4096;
/// Bytes that all of them may be, unpacked.
const MOST_BYTES: u64 = 2 << 30;
/// Bytes of `bundle.json`.
const CONTENTS_BYTES: u64 = 1 << 20;

/// Whether the file is compressed as bundles are.
pub fn is_bundle(path: &Path) -> bool {
    // A pipe is left alone: what was read of it would be gone.
    if !path.is_file() {
        return false;
    }
    let mut magic = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == [0x1f, 0x8b]
}

/// Hands each log and trace of a bundle on, as a stream.
pub fn each_log(
    path: &Path,
    mut take: impl FnMut(&str, &mut dyn BufRead) -> io::Result<()>,
) -> Result<(), CommandError> {
    each(path, |name, from| {
        if !name.ends_with(".log") && !name.ends_with(".jsonl") {
            return Ok(());
        }
        let name = format!("{}: {name}", path.display());
        take(&name, &mut BufReader::new(from)).map_err(|error| damaged(path, &error))
    })
}

/// Unpacks a bundle into a new folder, and says how to go on with it.
pub fn unpack(path: &Path, folder: &Path) -> Result<String, CommandError> {
    if folder.exists() {
        return Err(BundleError::Exists(folder.to_owned()).into());
    }
    // Once through before anything is written: a bundle is taken whole or not at all.
    let mut scenarios = Vec::new();
    each(path, |name, from| {
        if name.contains("/scenario/") {
            scenarios.push(name.to_owned());
        }
        let read = io::copy(from, &mut io::sink());
        read.map(|_| ()).map_err(|error| damaged(path, &error))
    })?;
    each(path, |name, from| {
        let to = folder.join(name);
        // All of it could be read a moment ago: what fails now is the writing.
        write(&to, folder, from).map_err(CommandError::unwritable(&to))
    })?;
    let mut text = format!("unpacked into {}\n", folder.display());
    for scenario in scenarios {
        let scenario = folder.join(scenario);
        text.push_str(&format!("run it: proving run {}\n", scenario.display()));
    }
    Ok(text)
}

fn write(to: &Path, folder: &Path, from: &mut dyn Read) -> io::Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(folder))?;
    let mut file = File::options().write(true).create_new(true).open(to)?;
    io::copy(from, &mut file).map(|_| ())
}

fn refused(path: &Path, why: String) -> CommandError {
    let path = path.to_owned();
    CommandError::from(BundleError::Refused { path, why })
}

fn damaged(path: &Path, error: &io::Error) -> CommandError {
    refused(path, format!("it cannot be read: {error}"))
}

/// Goes through the files of a bundle, each of which has been judged before it is handed on.
fn each(
    path: &Path,
    mut take: impl FnMut(&str, &mut dyn Read) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let refused = |why: String| refused(path, why);
    let damaged = |error: io::Error| damaged(path, &error);
    let file = File::open(path).map_err(CommandError::unreadable(path))?;
    // What is unpacked is bounded as a whole, headers included; raw, so that no long name is read into memory.
    let bounded = GzDecoder::new(BufReader::new(file)).take(MOST_BYTES);
    let mut archive = Archive::new(bounded);
    let mut is_known = false;
    for (number, entry) in archive.entries().map_err(damaged)?.raw(true).enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if number >= MOST_FILES {
            return Err(refused(format!("it holds more than {MOST_FILES} files")));
        }
        let name = name(&entry).map_err(refused)?;
        if number == 0 {
            let mut text = Vec::new();
            let mut contents = (&mut entry).take(CONTENTS_BYTES);
            contents.read_to_end(&mut text).map_err(damaged)?;
            judge(&name, &text).map_err(refused)?;
            is_known = true;
            continue;
        }
        take(&name, &mut entry)?;
    }
    match is_known {
        true => Ok(()),
        false => Err(refused("it is empty".to_owned())),
    }
}

/// Why the first file does not say that this is a bundle of a version that is known.
fn judge(name: &str, text: &[u8]) -> Result<(), String> {
    let no_bundle = || "it is compressed, but no bundle: unpack it first".to_owned();
    if name != CONTENTS {
        return Err(no_bundle());
    }
    let contents: Value = serde_json::from_slice(text).map_err(|_| no_bundle())?;
    match contents["version"].as_u64() {
        Some(version) if version == u64::from(VERSION) => Ok(()),
        Some(version) => Err(format!(
            "it is of version {version}, this program reads {VERSION}"
        )),
        None => Err(no_bundle()),
    }
}

/// The name of a plain file below the bundle's folder.
fn name<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, String> {
    let path = entry.path().map_err(|error| error.to_string())?;
    let shown = path.display().to_string();
    if entry.header().entry_type() != EntryType::Regular {
        return Err(format!("{shown} is no plain file"));
    }
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain || shown.contains('\\') || shown.is_empty() {
        return Err(format!("{shown} leads out of its folder"));
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A bundle with these entries behind its `bundle.json`, written as raw as others may.
    fn bundle(entries: &[(&str, EntryType, &[u8])]) -> tempfile::NamedTempFile {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let first: (&str, EntryType, &[u8]) = (CONTENTS, EntryType::Regular, b"{\"version\":1}");
        for (name, kind, bytes) in std::iter::once(&first).chain(entries) {
            let mut header = tar::Header::new_gnu();
            let field = &mut header.as_old_mut().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").expect("a link");
            }
            header.set_cksum();
            archive.append(&header, *bytes).expect("an entry");
        }
        let bytes = archive
            .into_inner()
            .and_then(GzEncoder::finish)
            .expect("an archive");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("it is written");
        file
    }

    fn refusal(entries: &[(&str, EntryType, &[u8])]) -> String {
        let file = bundle(entries);
        let folder = tempfile::tempdir().expect("a folder");
        let into = folder.path().join("into");
        let refused = unpack(file.path(), &into).expect_err("it is refused");
        assert!(!into.exists(), "something was written");
        refused.to_string()
    }

    #[test]
    fn paths_that_lead_out_links_and_devices_are_refused_before_anything_is_written() {
        for name in [
            "../evil.log",
            "/tmp/evil.log",
            "a/../../evil.log",
            "a\\..\\evil.log",
        ] {
            let why = refusal(&[
                ("ok.log", EntryType::Regular, b"x"),
                (name, EntryType::Regular, b"x"),
            ]);
            assert!(why.contains("leads out"), "{name}: {why}");
        }
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Fifo,
            EntryType::Char,
        ] {
            let why = refusal(&[("link.log", kind, b"")]);
            assert!(why.contains("no plain file"), "{why}");
        }
    }

    #[test]
    fn an_archive_of_something_else_is_said_to_be_none() {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_cksum();
        archive
            .append_data(&mut header, "notes.txt", &b"x"[..])
            .expect("an entry");
        let bytes = archive
            .into_inner()
            .and_then(GzEncoder::finish)
            .expect("an archive");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("it is written");
        assert!(is_bundle(file.path()));
        let told = each_log(file.path(), |_, _| Ok(())).expect_err("it is refused");
        assert!(told.to_string().contains("no bundle"), "{told}");
    }

    #[test]
    fn too_many_files_are_refused() {
        let names: Vec<String> = (0..MOST_FILES)
            .map(|number| format!("{number}.log"))
            .collect();
        let entries: Vec<(&str, EntryType, &[u8])> = names
            .iter()
            .map(|name| (name.as_str(), EntryType::Regular, &b""[..]))
            .collect();
        assert!(refusal(&entries).contains("more than"));
    }
}
