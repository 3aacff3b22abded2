//! Images of ESP-IDF's NVS partition: what a firmware reads with `nvs_get_str` and its siblings.
//!
//! Everything that a firmware could not read is refused before there is an image: a key has a type,
//! and the firmware's getter of another type finds nothing.
//!
//! ```
//! use nvs::{Row, Value, image, rows};
//!
//! let broker = Row::new("broker", "data", Value::parse("string", "mqtts://10.0.0.2:8883")?)?;
//! let image = image(&[broker.clone()], 0x6000)?;
//! assert_eq!(image.len(), 0x6000);
//! assert_eq!(rows(&image)?, [broker]);
//! # Ok::<_, nvs::NvsError>(())
//! ```

mod error;
mod value;

use esp_nvs_partition_tool::{DataValue, EntryContent, Error, NvsEntry, NvsPartition};

pub use error::NvsError;
pub use value::Value;

/// Longest name of a namespace or key in bytes.
pub const LONGEST_NAME: usize = 15;

/// Longest string in bytes, without the NUL behind it. ESP-IDF's own generator takes no longer one;
/// the firmware would take 3999.
pub const LONGEST_STRING: usize = 3967;

/// Longest blob in bytes that an image can hold.
pub const LONGEST_BLOB: usize = 507_999;

/// Bytes of a page. A partition has a whole number of them.
pub const PAGE: usize = 4096;

/// Fewest pages of a partition that firmware can write to: one of them is always kept empty.
pub const FEWEST_PAGES: usize = 3;

/// A key of a namespace, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    namespace: String,
    key: String,
    value: Value,
}

impl Row {
    /// `key` in `namespace` with `value`. An error if firmware could have no such row.
    pub fn new(namespace: &str, key: &str, value: Value) -> Result<Self, NvsError> {
        for name in [namespace, key] {
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
            if !is_name {
                return Err(NvsError::Name { name: name.into() });
            }
            if name.len() > LONGEST_NAME {
                return Err(NvsError::NameTooLong { name: name.into() });
            }
        }
        let (is, most, what) = match &value {
            Value::String(text) => (text.len(), LONGEST_STRING, "string"),
            Value::Blob(bytes) => (bytes.len(), LONGEST_BLOB, "blob"),
            _ => (0, 0, ""),
        };
        let key = key.to_owned();
        if is > most {
            return Err(NvsError::ValueTooLong {
                key,
                what,
                is,
                most,
            });
        }
        if matches!(&value, Value::String(text) if text.contains('\0')) {
            return Err(NvsError::Nul { key });
        }
        Ok(Self {
            namespace: namespace.into(),
            key,
            value,
        })
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its value.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

/// The image of a partition of `size` bytes that holds `rows` and nothing else.
pub fn image(rows: &[Row], size: usize) -> Result<Vec<u8>, NvsError> {
    sized(size)?;
    for (index, row) in rows.iter().enumerate() {
        let is_same = |other: &&Row| other.namespace == row.namespace && other.key == row.key;
        if rows[..index].iter().any(|other| is_same(&other)) {
            return Err(NvsError::Twice {
                namespace: row.namespace.clone(),
                key: row.key.clone(),
            });
        }
    }
    let entries = rows.iter().map(|row| {
        NvsEntry::new_data(
            row.namespace.clone(),
            row.key.clone(),
            row.value.clone().into(),
        )
    });
    let partition = NvsPartition {
        entries: entries.collect(),
    };
    partition
        .generate_partition(size)
        .map_err(|error| NvsError::of(error, size))
}

/// The image of a partition that holds what `image` holds, with `rows` in place of their like. What
/// the device has stored under other keys stays.
pub fn merged(image: &[u8], rows: &[Row]) -> Result<Vec<u8>, NvsError> {
    let mut all = self::rows(image)?;
    for row in rows {
        let is_same = |other: &Row| other.namespace == row.namespace && other.key == row.key;
        match all.iter_mut().find(|other| is_same(other)) {
            Some(other) => *other = row.clone(),
            None => all.push(row.clone()),
        }
    }
    self::image(&all, image.len())
}

/// What `image` holds. An image whose pages are sound and whose entries are not is encrypted.
pub fn rows(image: &[u8]) -> Result<Vec<Row>, NvsError> {
    sized(image.len())?;
    let partition = NvsPartition::try_from_bytes(image.to_vec())
        .map_err(|error| NvsError::of(error, image.len()))?;
    if partition.entries.is_empty() && is_written(image) {
        return Err(NvsError::Unreadable);
    }
    let entries = partition.entries.into_iter();
    let row = |entry: NvsEntry| {
        let value = match entry.content {
            EntryContent::Data(value) => value.into(),
            // Only a CSV has such.
            EntryContent::File { .. } => return Err(NvsError::Unreadable),
        };
        Ok(Row {
            namespace: entry.namespace,
            key: entry.key,
            value,
        })
    };
    entries.map(row).collect()
}

fn sized(size: usize) -> Result<(), NvsError> {
    let pages = size / PAGE;
    if !size.is_multiple_of(PAGE) || !(FEWEST_PAGES..=usize::from(u16::MAX)).contains(&pages) {
        return Err(NvsError::Size { size });
    }
    Ok(())
}

/// Whether any page has an entry: bits of its bitmap that are not erased.
fn is_written(image: &[u8]) -> bool {
    let mut pages = image.chunks_exact(PAGE);
    pages.any(|page| page[..4] != [0xff; 4] && page[32..64].iter().any(|byte| *byte != 0xff))
}

impl From<Value> for DataValue {
    fn from(value: Value) -> Self {
        match value {
            Value::U8(number) => Self::U8(number),
            Value::I8(number) => Self::I8(number),
            Value::U16(number) => Self::U16(number),
            Value::I16(number) => Self::I16(number),
            Value::U32(number) => Self::U32(number),
            Value::I32(number) => Self::I32(number),
            Value::U64(number) => Self::U64(number),
            Value::I64(number) => Self::I64(number),
            Value::String(text) => Self::String(text),
            Value::Blob(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<DataValue> for Value {
    fn from(value: DataValue) -> Self {
        match value {
            DataValue::U8(number) => Self::U8(number),
            DataValue::I8(number) => Self::I8(number),
            DataValue::U16(number) => Self::U16(number),
            DataValue::I16(number) => Self::I16(number),
            DataValue::U32(number) => Self::U32(number),
            DataValue::I32(number) => Self::I32(number),
            DataValue::U64(number) => Self::U64(number),
            DataValue::I64(number) => Self::I64(number),
            DataValue::String(text) => Self::String(text),
            DataValue::Binary(bytes) => Self::Blob(bytes),
        }
    }
}

impl NvsError {
    fn of(error: Error, size: usize) -> Self {
        use esp_nvs_partition_tool::Error as Tool;
        match error {
            Tool::TooManyNamespaces => Self::TooManyNamespaces,
            Tool::NvsError(error) if error.to_string().contains("full") => {
                Self::DoesNotFit { size }
            }
            other => Self::Refused(other),
        }
    }
}
