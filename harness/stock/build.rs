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
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The schema is made by the program, and what an editor left is no scenario.
        if name == "schema.json" || name.starts_with('.') {
            continue;
        }
        match path.is_dir() {
            true => gather(&path, files),
            false => files.push(path),
        }
    }
}
