//! Where a partition is in flash.

use std::io;
use std::path::{Path, PathBuf};

use esp_idf_part::PartitionTable;

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedPartition {
    /// Where it begins in flash, in bytes.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
}

/// A partition cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `flasher_args.json` names no partition table.
    #[error("{} names no partition table: it has no `partition-table` with a `file`", path.display())]
    NoTable {
        /// Which.
        path: PathBuf,
    },
    /// It is no partition table.
    #[error("{} is no partition table", path.display())]
    Table {
        /// Which.
        path: PathBuf,
        /// Why.
        source: esp_idf_part::Error,
    },
    /// The table has no such partition.
    #[error("{} has no partition `{name}`; there are: {known}", path.display())]
    Unknown {
        /// Which table.
        path: PathBuf,
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
}

/// The partition `name` of the table at `path`: `partition-table.bin`, a CSV, or `flasher_args.json` of a
/// build, which names one.
pub fn find_partition(path: &Path, name: &str) -> Result<PlacedPartition, PartitionError> {
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    if is_json {
        return find_partition(&named_table(path)?, name);
    }
    let bytes = read(path)?;
    let wrap = |source| PartitionError::Table {
        path: path.to_owned(),
        source,
    };
    let table = PartitionTable::try_from(bytes).map_err(wrap)?;
    let Some(found) = table.find(name) else {
        let known = table.partitions().iter().map(|partition| partition.name());
        return Err(PartitionError::Unknown {
            path: path.to_owned(),
            name: name.to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        });
    };
    Ok(PlacedPartition {
        offset: found.offset(),
        size: found.size(),
    })
}

/// The partition table that the `flasher_args.json` at `path` names.
fn named_table(path: &Path) -> Result<PathBuf, PartitionError> {
    let bytes = read(path)?;
    let json: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let file = json
        .as_ref()
        .and_then(|json| json["partition-table"]["file"].as_str());
    // Its paths are relative to the folder of the build, in which it lies itself. Another JSON would be
    // read for ever.
    let file = file.filter(|file| !file.ends_with(".json"));
    let file = file.ok_or_else(|| PartitionError::NoTable {
        path: path.to_owned(),
    })?;
    Ok(path.parent().unwrap_or(Path::new("")).join(file))
}

fn read(path: &Path) -> Result<Vec<u8>, PartitionError> {
    super::read_file(path).map_err(|source| PartitionError::Read {
        path: path.to_owned(),
        source,
    })
}
