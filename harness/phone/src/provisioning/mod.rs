//! ESP-IDF's provisioning as a phone goes through it, over HTTP.

mod client;
mod error;
mod events;
mod exchange;
mod outcome;
mod scan;
mod settings;
mod summary;

pub use client::{ProvisioningClient, StationStatus};
pub use error::{Blame, ProvisioningError};
pub use events::{Exchange, OutcomeReached};
pub use outcome::{Connected, Outcome};
pub use settings::{Credentials, Settings};
