//! Defects that firmware of the field has had, as replacements in our device's source.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::mutant::{Edit, Mutant};

/// A file of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    defect: Vec<Defect>,
}

/// One defect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defect {
    id: String,
    /// What a device with it does, in a sentence.
    says: String,
    file: String,
    find: String,
    replace: String,
    /// Further replacements that belong to it.
    #[serde(default)]
    also: Vec<Change>,
}

/// A replacement of what stands once in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    file: String,
    find: String,
    replace: String,
}

/// All defects of the files in `folder`, in order, against the source in `source`.
pub fn mutants(folder: &Path, source: &Path) -> Result<Vec<Mutant>, String> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(|error| format!("failed to read {}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    let mut mutants = Vec::new();
    for file in files {
        let failed = |why: String| format!("failed to read {}: {why}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
        let list: List = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
        for defect in list.defect {
            mutants.push(mutant(defect, source)?);
        }
    }
    Ok(mutants)
}

fn mutant(defect: Defect, source: &Path) -> Result<Mutant, String> {
    let mut edits = Vec::new();
    let mut line = 1;
    let first = Change {
        file: defect.file,
        find: defect.find,
        replace: defect.replace,
    };
    for change in [first].into_iter().chain(defect.also) {
        let path = source.join(&change.file);
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{}: failed to read {}: {error}", defect.id, path.display())
        })?;
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or(&text);
        let mut places = code.match_indices(&change.find);
        let (Some((start, _)), None) = (places.next(), places.next()) else {
            return Err(format!(
                "{}: what it replaces does not stand once in {}; adapt it to the source",
                defect.id, change.file
            ));
        };
        if edits.is_empty() {
            line = code[..start].matches('\n').count() + 1;
        }
        edits.push(Edit {
            file: change.file,
            start,
            find: change.find,
            replace: change.replace,
        });
    }
    Ok(Mutant {
        id: defect.id,
        operator: "defect",
        about: defect.says,
        edits,
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::root;

    #[test]
    fn every_defect_fits_the_source() {
        let source = root().join(super::super::SOURCE);
        let all = mutants(&root().join("xtask/src/mutants/defects"), &source).expect("it is sound");
        assert!(all.len() >= 200, "{}", all.len());
    }
}
