//! From a field failure to a scenario: a diagnosis in, the worlds that would cause it out, and how near the
//! log of such a world comes to the field's.
//!
//! [`worlds`] are data (`worlds.toml`): each names the causes that it brings about. A [`Signature`] is what
//! is left of a log without its values; [`Nearness`] compares two.
//!
//! ```
//! let found = reproduce::worlds(&["server-expired"], None);
//! assert_eq!(found[0].id, "broker-certificate-expired");
//! let text = found[0].scenario("A lamp in the field");
//! assert!(text.starts_with("name: A lamp in the field\n"));
//! ```

mod nearness;
mod signature;
mod worlds;

pub use nearness::Nearness;
pub use signature::{Signature, without_values};
pub use worlds::{World, worlds};
