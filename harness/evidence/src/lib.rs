//! What a qualification says in numbers, and the folder of evidence that can be kept, signed and verified.
//!
//! ```text
//! manifest.json        every other file with its SHA-256 and size
//! manifest.json.sig    the team's signature of the manifest, as `ssh-keygen -Y sign` makes it; may be missing
//! qualification.json   verdict, plan, numbers, tool, host, firmware
//! summary.json         what became of each case and attempt
//! report.html          a page for a browser
//! traces/CASE/N/trace.jsonl
//! scenarios/…          the sources of what was run
//! rig.json             the rig file without secrets, if there was one
//! certificates/…       authorities of the rig, never keys
//! ```
//! [`Folder`] writes one, whole or not at all; [`verify`] says whether one is still what was written, and
//! by whom. [`rate`] and [`compare`] are the numbers.

pub mod compare;
mod folder;
mod manifest;
mod printable;
pub mod rate;
mod redact;
mod signature;
mod signers;
mod verify;

pub use folder::{Folder, FolderError};
pub use manifest::{Entry, MANIFEST, Manifest, Refusal, SIGNATURE};
pub use printable::printable;
pub use redact::redacted;
pub use signature::{KeyError, NAMESPACE, Signer};
pub use signers::{Signers, SignersError};
pub use verify::{Fault, SignedBy, Verified, VerifyError, verify};
