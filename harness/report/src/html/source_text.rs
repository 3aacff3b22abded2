//! The scenarios' sources, to show the line of a step.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a longer file are left out.
const MOST: u64 = 256 * 1024;

/// Text of each file that can be read, by its path.
///
/// A trace names the files, and a trace may come from anybody, while the page may go to anybody: so
/// only what is called like a scenario and is a plain file is taken, and no more than so much of it.
pub(super) fn of(files: &[&str]) -> BTreeMap<String, String> {
    let texts = files
        .iter()
        .filter_map(|file| Some(((*file).to_owned(), text(Path::new(file))?)));
    texts.collect()
}

fn text(path: &Path) -> Option<String> {
    let extension = path.extension()?;
    if extension != "yaml" && extension != "yml" {
        return None;
    }
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(MOST)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_that_are_called_like_scenarios_are_taken() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("a.yaml"), "name: a\n").expect("there is room");
        std::fs::write(path("key.pem"), "secret").expect("there is room");
        std::os::unix::fs::symlink(path("key.pem"), path("b.yaml")).expect("there is room");
        let names = ["a.yaml", "b.yaml", "key.pem", "none.yaml"].map(path);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let texts = of(&names);
        let expected = BTreeMap::from([(path("a.yaml"), "name: a\n".to_owned())]);
        assert_eq!(texts, expected);
    }
}
