//! ESP-IDF's provisioning as a phone goes through it, over any transport.

mod client;
mod config;
mod ctrl;
mod error;
mod exchange;
mod outcome;
mod scan;
mod session;
mod settings;
mod summary;

pub use client::ProvisioningClient;
pub use config::StationStatus;
pub use error::{Blame, ProvisioningError};
pub use outcome::{Connected, Outcome};
pub use scan::{ScanSettings, Scanned, auth_mode_name};
pub use session::Info;
pub use settings::{Credentials, Knowledge, Settings, Tolerance};
pub use trace::provisioning::{Exchange, OutcomeReached};
