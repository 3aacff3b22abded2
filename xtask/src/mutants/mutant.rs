//! One change of the device's source.

use std::fmt;

use sha2::{Digest, Sha256};

/// A change, made of edits that all apply together.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Made of what is changed and how, so that it stays the same while the lines around it change.
    pub id: String,
    /// The operator, or `defect`.
    pub operator: &'static str,
    /// What it is about: the function, or what a defect does.
    pub about: String,
    /// At least one, the first of which names its file.
    pub edits: Vec<Edit>,
    /// Line of the first edit, from 1.
    pub line: usize,
}

/// One replacement in one file.
#[derive(Clone, Debug)]
pub struct Edit {
    /// From the source's folder, with slashes.
    pub file: String,
    /// Where it begins, in bytes.
    pub start: usize,
    /// What stands there.
    pub find: String,
    /// What is put in its place.
    pub replace: String,
}

impl Mutant {
    /// An id from all that makes the change what it is; `nth` of several that are alike.
    pub fn id_of(parts: &[&str], nth: usize) -> String {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        hasher.update(nth.to_be_bytes());
        let digest = hasher.finalize();
        digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The file of its first edit.
    pub fn file(&self) -> &str {
        self.edits.first().map_or("", |edit| &edit.file)
    }

    /// The folder or file below the source in which it is.
    pub fn module(&self) -> &str {
        let file = self.file();
        let first = file.split('/').next().unwrap_or(file);
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, file, line) = (&self.id, self.file(), self.line);
        write!(f, "{id} {file}:{line} {}: {}", self.operator, self.about)
    }
}
