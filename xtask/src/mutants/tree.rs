//! A copy of the firmware's workspace, in which mutants are built one after the other.
//!
//! It holds what the device needs and no more, with a program that is the device alone, so that a mutant costs
//! one compilation of two crates. Dependencies are built once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::mutant::Mutant;
use crate::command::cargo;

/// Crates that make up the device as a host process.
const CRATES: [&str; 6] = [
    "airlink",
    "device",
    "factory",
    "native",
    "proto",
    "virtual-parts",
];
/// The program: `proving run --device` starts it with a subcommand in front of its files.
const MAIN: &str = "fn main() {
    native::main_from_arguments(std::env::args_os().skip(2))
}
";
const MANIFEST: &str = "[package]
name = \"mutant\"
version = \"0.1.0\"
edition = \"2024\"

[dependencies]
native.workspace = true
";
/// Quick to build; what computes much is among the dependencies.
const PROFILES: &str = "
[profile.dev]
opt-level = 0
debug = false

[profile.dev.package.\"*\"]
opt-level = 2
";
/// Errors of the compiler that are kept of a mutant.
const SHOWN: usize = 300;

/// The copy.
pub struct Tree {
    root: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// Makes it in a folder of `within`, anew, so that nothing of an earlier run is left in it.
    pub fn make(root: &Path, within: &Path) -> Result<Self, String> {
        let tree = Self {
            root: within.join("tree"),
            target: within.join("build"),
        };
        tree.fill(root).map_err(|error| {
            format!(
                "failed to copy the firmware to {}: {error}",
                tree.root.display()
            )
        })?;
        let manifest = fs::read_to_string(root.join("Cargo.toml"));
        let manifest = manifest.map_err(|error| format!("failed to read Cargo.toml: {error}"))?;
        fs::write(tree.root.join("Cargo.toml"), workspace(&manifest)?)
            .map_err(|error| format!("failed to write the workspace's manifest: {error}"))?;
        Ok(tree)
    }

    fn fill(&self, root: &Path) -> std::io::Result<()> {
        for name in CRATES {
            let place = Path::new("firmware").join(name);
            copy(&root.join(&place), &self.root.join(&place))?;
        }
        fs::copy(root.join("Cargo.lock"), self.root.join("Cargo.lock"))?;
        let program = self.root.join("firmware/mutant");
        fs::create_dir_all(program.join("src"))?;
        write_if_other(&program.join("Cargo.toml"), MANIFEST.as_bytes())?;
        write_if_other(&program.join("src/main.rs"), MAIN.as_bytes())
    }

    /// Builds the device as it stands; the program, or what the compiler says.
    pub fn build(&self) -> Result<PathBuf, String> {
        let output = cargo()
            .current_dir(&self.root)
            .args([
                "build",
                "--quiet",
                "--package",
                "mutant",
                "--message-format",
                "short",
            ])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1")
            // A change leaves things unused, which is no error.
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("failed to start cargo: {error}"))?;
        if output.status.success() {
            return Ok(self.target.join("debug/mutant"));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let errors = said.lines().filter(|line| line.contains("error"));
        Err(errors
            .collect::<Vec<_>>()
            .join("; ")
            .chars()
            .take(SHOWN)
            .collect())
    }

    /// Builds the device with a change, and takes it back: the program, or why there is none.
    pub fn build_with(&self, mutant: &Mutant) -> Result<Result<PathBuf, String>, String> {
        let mut originals: Vec<(PathBuf, String)> = Vec::new();
        for edit in &mutant.edits {
            let path = self.root.join(super::SOURCE).join(&edit.file);
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("failed to read {}: {error}", path.display()))?;
            if !originals.iter().any(|(known, _)| *known == path) {
                originals.push((path.clone(), text.clone()));
            }
            // An edit before it may have moved it.
            let place = match text.get(edit.start..) {
                Some(rest) if rest.starts_with(&edit.find) => Some(edit.start),
                _ => text.find(&edit.find),
            };
            let Some(place) = place else {
                restore(&originals)?;
                return Err(format!("{mutant}: what it changes is not in {}", edit.file));
            };
            let end = place + edit.find.len();
            let changed = format!("{}{}{}", &text[..place], edit.replace, &text[end..]);
            write(&path, &changed)?;
        }
        let built = self.build();
        restore(&originals)?;
        Ok(built)
    }
}

fn restore(originals: &[(PathBuf, String)]) -> Result<(), String> {
    originals
        .iter()
        .try_for_each(|(path, text)| write(path, text))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))
}

/// The manifest of a workspace of the firmware alone.
fn workspace(manifest: &str) -> Result<String, String> {
    let (before, _) = manifest
        .split_once("\n[profile.")
        .ok_or("the workspace's manifest has no profiles")?;
    let mut lines: Vec<&str> = Vec::new();
    for line in before.lines() {
        let line = match line {
            line if line.starts_with("members = ") => "members = [\"firmware/*\"]",
            line if line.starts_with("exclude = ") || line.starts_with("default-members = ") => {
                continue;
            }
            line if line.contains("path = \"harness/") => continue,
            line => line,
        };
        lines.push(line);
    }
    Ok(lines.join("\n") + PROFILES)
}

/// Copies a crate; a file that is the same keeps its time, so that cargo builds nothing anew.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, copied) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                copy(&source, &copied)?;
            }
        } else {
            write_if_other(&copied, &fs::read(&source)?)?;
        }
    }
    Ok(())
}

fn write_if_other(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        _ => fs::write(path, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copied_workspace_has_the_firmware_and_no_more() {
        let manifest =
            fs::read_to_string(crate::command::root().join("Cargo.toml")).expect("it is sound");
        let made = workspace(&manifest).expect("it is sound");
        assert!(made.contains("members = [\"firmware/*\"]"), "{made}");
        assert!(made.contains("device = { path = \"firmware/device\" }"));
        assert!(!made.contains("harness/"));
        assert!(made.ends_with(PROFILES));
    }
}
