//! Reading scenario files: text, tree, cases, checks.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use super::certificate;
use super::check::{Known, check};
use super::clause::Never;
use super::decode::decode;
use super::differences;
use super::matrix::{Binding, combinations, identifier, put_in};
use super::mistake::{Mistake, Mistakes};
use super::scenario::{Case, Scenario};
use super::span::Placed;
use super::step::Step;
use super::tree::{Kind, Node};
use super::unset;
use super::world::{AccessPoint, Device};

/// Longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// Name of a folder that holds no scenarios, but what they describe certificates by.
const CERTIFICATES: &str = "certs";

/// Why a scenario file gives no cases.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ReadError {
    /// The file system refused.
    #[error("failed to read {}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Underlying error.
        source: io::Error,
    },
    /// There is something wrong in it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mistakes(#[from] Mistakes),
    /// Another file has a scenario of that name.
    #[error("{}: a scenario named `{name}` is in {} already", path.display(), other.display())]
    #[diagnostic(help("names tell scenarios apart in reports; give one of them another"))]
    SameName {
        /// Path of the file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The other file.
        other: PathBuf,
    },
}

/// The cases of every scenario in `paths`, which are files, or folders of which all `.yaml` files
/// are read; in the order given, folders sorted by path. One bad file does not hide another.
pub fn read_all(paths: &[PathBuf], known: &Known) -> Result<Vec<Case>, Vec<ReadError>> {
    let mut cases = Vec::new();
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        if let Err(error) = find(path, &mut files) {
            errors.push(error);
        }
    }
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files {
        match read_file(&path, known) {
            Err(error) => errors.push(error),
            Ok(found) => {
                let name = found[0].scenario.name.value.clone();
                if let Some(other) = names.insert(name.clone(), path.clone()) {
                    errors.push(ReadError::SameName { path, name, other });
                }
                cases.extend(found);
            }
        }
    }
    if errors.is_empty() {
        Ok(cases)
    } else {
        Err(errors)
    }
}

/// The cases of the scenario in the file at `path`, at least one.
pub fn read_file(path: &Path, known: &Known) -> Result<Vec<Case>, ReadError> {
    let wrap = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(wrap)?.len() > LONGEST {
        return Err(wrap(io::Error::other("longer than a mebibyte")));
    }
    let text = fs::read_to_string(path).map_err(wrap)?;
    Ok(parse(&path.display().to_string(), &text, known)?)
}

/// The cases of the scenario that `text` holds, at least one. `file` is its name for messages.
pub fn parse(file: &str, text: &str, known: &Known) -> Result<Vec<Case>, Mistakes> {
    cases(file, text, known).map_err(|mistakes| Mistakes::new(file, text, mistakes))
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let wrap = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    if !fs::metadata(path).map_err(wrap)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inside = Vec::new();
    for entry in fs::read_dir(path).map_err(wrap)? {
        inside.push(entry.map_err(wrap)?.path());
    }
    inside.sort();
    for path in inside {
        if path.is_dir() {
            find(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
            && path
                .file_name()
                .is_none_or(|name| name != differences::FILE)
            && !is_profiles(&path).map_err(wrap)?
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file is profiles of certificates, for scenarios that name their folder, and no scenario: those have
/// steps.
fn is_profiles(path: &Path) -> io::Result<bool> {
    let folder = path.parent().and_then(Path::file_name);
    if folder.is_none_or(|name| name != CERTIFICATES) {
        return Ok(false);
    }
    let text = fs::read(path)?;
    let mut lines = text.split(|byte| *byte == b'\n');
    Ok(!lines.any(|line| line.starts_with(b"steps:")))
}

fn cases(file: &str, text: &str, known: &Known) -> Result<Vec<Case>, Vec<Mistake>> {
    let root = Node::read(text).map_err(|mistake| vec![mistake])?;
    if !matches!(root.kind, Kind::Map(_)) {
        let mistake = Mistake::at(root.span, "expected a map with `name`, `world` and `steps`");
        return Err(vec![mistake]);
    }
    let combinations = combinations(&root)?;
    let mut cases = Vec::new();
    let mut found: Vec<(Mistake, Vec<usize>)> = Vec::new();
    for (number, bindings) in combinations.iter().enumerate() {
        match case(file, &put_in(&root, bindings), bindings, known) {
            Ok(case) => cases.push(case),
            Err(mistakes) => mistakes
                .into_iter()
                .for_each(|mistake| note(&mut found, mistake, number)),
        }
    }
    if found.is_empty() {
        return Ok(cases);
    }
    Err(found
        .into_iter()
        .map(|(mistake, numbers)| in_cases(mistake, &numbers, &combinations))
        .collect())
}

fn note(found: &mut Vec<(Mistake, Vec<usize>)>, mistake: Mistake, number: usize) {
    match found.iter_mut().find(|(known, _)| *known == mistake) {
        Some((_, numbers)) if numbers.contains(&number) => {}
        Some((_, numbers)) => numbers.push(number),
        None => found.push((mistake, vec![number])),
    }
}

/// A mistake that is not in every case tells the values that all its cases share.
fn in_cases(mistake: Mistake, numbers: &[usize], combinations: &[Vec<Binding>]) -> Mistake {
    if numbers.len() == combinations.len() {
        return mistake;
    }
    let values: Vec<_> = combinations[numbers[0]]
        .iter()
        .filter(|binding| {
            numbers
                .iter()
                .all(|number| combinations[*number].contains(binding))
        })
        .map(|(name, value)| format!("{name}={}", value.spelled().unwrap_or_default()))
        .collect();
    Mistake {
        message: format!("{} (with {})", mistake.message, values.join(", ")),
        ..mistake
    }
}

fn case(
    file: &str,
    root: &Node,
    bindings: &[Binding],
    known: &Known,
) -> Result<Case, Vec<Mistake>> {
    let mut mistakes = unset::references_to_nothing(root);
    let (scenario, others) = match decode::<Scenario>(root) {
        Ok(mut scenario) => {
            let mut mistakes = certificate::read_files(&mut scenario, file);
            mistakes.extend(certificate::read_folder(&mut scenario, file));
            let unread: Vec<_> = mistakes.iter().map(|mistake| mistake.span).collect();
            let known = certificate::known_in(&scenario.world, known);
            let others = check(&scenario, &known).into_iter();
            mistakes.extend(others.filter(|mistake| !unread.contains(&mistake.span)));
            (Some(scenario), mistakes)
        }
        Err(first) => (None, all_mistakes(root, first)),
    };
    // What else is wrong with such a text follows from the reference.
    let spans: Vec<_> = mistakes.iter().map(|mistake| mistake.span).collect();
    let not_there = |mistake: &Mistake| !spans.contains(&mistake.span);
    mistakes.extend(others.into_iter().filter(not_there));
    let scenario = match scenario {
        Some(scenario) if mistakes.is_empty() => scenario,
        _ => return Err(mistakes),
    };
    Ok(Case {
        id: identifier(&scenario.name, bindings),
        file: file.to_owned(),
        values: bindings
            .iter()
            .map(|(name, value)| {
                let spelled = value.spelled().unwrap_or_default();
                (name.clone(), spelled.to_owned())
            })
            .collect(),
        scenario,
    })
}

/// The first mistake, and those in parts that can be looked at on their own.
fn all_mistakes(root: &Node, first: Mistake) -> Vec<Mistake> {
    let mut mistakes = vec![first];
    let world = root.child("world");
    let roles = |key| {
        world
            .and_then(|world| world.child(key))
            .into_iter()
            .flat_map(Node::entries)
    };
    for entry in roles("access_points") {
        mistakes.extend(decode::<AccessPoint>(&entry.value).err());
    }
    for entry in roles("devices") {
        mistakes.extend(decode::<Device>(&entry.value).err());
    }
    for step in items(root.child("steps")) {
        mistakes.extend(decode::<Placed<Step>>(step).err());
    }
    for never in items(root.child("never")) {
        mistakes.extend(decode::<Placed<Never>>(never).err());
    }
    mistakes
}

fn items(list: Option<&Node>) -> &[Node] {
    match list.map(|list| &list.kind) {
        Some(Kind::List(items)) => items,
        _ => &[],
    }
}
