//! Walks that are kept, and gone on from: scenarios that `explore` has written, read again.
//!
//! A walk is in its scenario's comment, as what the steps alone do not tell: `# walk: ` and the setting and
//! the actions in words of this crate. Scenarios of others have no such line, and are refused.

use std::fs;
use std::path::Path;

use crate::exploring::Exploration;
use crate::print::print;
use crate::run::write;
use crate::walk::Walk;
use crate::{ExploreError, spelling};

/// The walk of a scenario's file.
pub fn read_file(path: &Path) -> Result<Walk, ExploreError> {
    let text = fs::read_to_string(path).map_err(|source| ExploreError::Read {
        path: path.to_owned(),
        source,
    })?;
    read(&text).map_err(|why| ExploreError::NotAWalk {
        path: path.to_owned(),
        why,
    })
}

/// The walk of a scenario's text, or what the model does not know of it.
fn read(text: &str) -> Result<Walk, String> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(spelling::MARK));
    let line = lines
        .next()
        .ok_or("it has no line that begins with `# walk:`")?;
    let walk = spelling::read(line)?;
    match walk.end() {
        Some(_) => Ok(walk),
        None => Err("an action of its walk cannot be taken where it stands".to_owned()),
    }
}

/// The walks of all scenarios in `folder`, which may not be there; in the order of their names.
pub fn read_all(folder: &Path) -> Result<Vec<Walk>, ExploreError> {
    let unreadable = |source| ExploreError::Read {
        path: folder.to_owned(),
        source,
    };
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

/// Writes the walks of `explored` that reached something new into `folder`.
pub fn write_all(folder: &Path, explored: &Exploration) -> Result<(), ExploreError> {
    fs::create_dir_all(folder).map_err(|source| ExploreError::Write {
        path: folder.to_owned(),
        source,
    })?;
    for (number, walk) in explored.kept.iter().enumerate() {
        let name = format!("walk-{}-{number}", explored.seed);
        let comment = [spelling::line(walk)];
        if let Some(printed) = print(walk, &name, &comment) {
            write(&folder.join(format!("{name}.yaml")), &printed.yaml)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_read_as_it_was_written() {
        for index in 0..500 {
            let walk = Walk::drawn(13, index);
            let printed =
                print(&walk, "a walk", &[spelling::line(&walk)]).expect("it can be walked");
            assert_eq!(read(&printed.yaml), Ok(walk));
        }
    }

    #[test]
    fn a_scenario_of_others_is_refused() {
        for text in [
            "name: Mine\n",
            "# walk: over=softap\n",
            "# walk: {} [\"fly\"]\n",
            "# walk: {\"over\":1} []\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
