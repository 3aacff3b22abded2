//! Lists the files of `scenarios/` for the program that carries them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    gather(&folder, &mut files);
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let path = file.strip_prefix(&folder).expect("it was found there");
        // Writing to a String cannot fail.
        let _ = writeln!(list, "    ({path:?}, include_str!({file:?})),");
    }
    list.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("files.rs"), list).expect("cargo's folder can be written to");
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the scenarios are there") {
        let path = entry.expect("the folder can be listed").path();
        match path.is_dir() {
            true => gather(&path, files),
            false if is_carried(&path) => files.push(path),
            false => {}
        }
    }
}

/// Whether it is a scenario or belongs to one. The schema is made by the program, and what an editor or a run has
/// left is neither.
fn is_carried(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let is_transcript = path
        .parent()
        .is_some_and(|folder| folder.ends_with("snapshots"));
    !name.starts_with('.')
        && (name.ends_with(".yaml")
            || name == "README.md"
            || (is_transcript && name.ends_with(".snap")))
}
