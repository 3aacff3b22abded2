//! Why there is no image, or why one cannot be read.

use crate::{FEWEST_PAGES, LONGEST_NAME, PAGE};

/// A row that no firmware could read, or an image that is none.
#[derive(Debug, thiserror::Error)]
pub enum NvsError {
    /// A namespace or key that is empty or not printable ASCII.
    #[error("`{name}` is no name of a namespace or key: those are printable ASCII without spaces")]
    Name {
        /// The name.
        name: String,
    },
    /// A namespace or key that is too long.
    #[error("`{name}` has {} characters; names of namespaces and keys have {LONGEST_NAME} at most", name.len())]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// A string or blob that is too long.
    #[error("the {what} of `{key}` has {is} bytes; a {what} has {most} at most")]
    ValueTooLong {
        /// Its key.
        key: String,
        /// `string` or `blob`.
        what: &'static str,
        /// Its length in bytes.
        is: usize,
        /// The most that an image holds, in bytes.
        most: usize,
    },
    /// A string with a NUL in it, behind which firmware reads nothing.
    #[error("the string of `{key}` has a NUL in it, where it would end; make it a `blob`")]
    Nul {
        /// Its key.
        key: String,
    },
    /// A key of a namespace twice.
    #[error("`{key}` stands twice in the namespace `{namespace}`")]
    Twice {
        /// The namespace.
        namespace: String,
        /// The key.
        key: String,
    },
    /// A type that no key has.
    #[error(
        "there is no type `{0}`; there are u8, i8, u16, i16, u32, i32, u64, i64, string, blob, hex and base64"
    )]
    Type(String),
    /// A text that is no value of its type.
    #[error("`{text}` is no {of}")]
    Value {
        /// The type.
        of: String,
        /// The text, or what stands in its place if it may be secret.
        text: String,
    },
    /// More namespaces than an image holds.
    #[error("there are more than 254 namespaces")]
    TooManyNamespaces,
    /// More than the partition holds.
    #[error(
        "the rows do not fit into a partition of {size:#x} bytes, one page of which stays empty"
    )]
    DoesNotFit {
        /// Of the partition, in bytes.
        size: usize,
    },
    /// A partition that firmware could not use.
    #[error(
        "{size:#x} bytes are no NVS partition: it has a multiple of {PAGE:#x} bytes, and \
         {FEWEST_PAGES} of those or more"
    )]
    Size {
        /// In bytes.
        size: usize,
    },
    /// Entries that cannot be read although their pages can.
    #[error("no entry of the NVS partition can be read: it is encrypted, or damaged")]
    Unreadable,
    /// Anything else that the library refuses.
    #[error("the NVS partition cannot be made or read")]
    Refused(#[source] esp_nvs_partition_tool::Error),
}
