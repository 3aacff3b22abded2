//! Explores a device: walks at random over a model of what may be done to it, sees whether it answers and
//! says what it must, and shrinks what fails to the shortest scenario.
//!
//! The model ([`model::State`]) says of each action what must come of it. A [`walk::Walk`] is drawn from
//! a seed, [`print::print`] makes a scenario of it, [`run::Runner`] runs scenarios in the engine's workers,
//! [`shrink::shrink`] makes failing walks short, and [`explore`] does all of that for a while.
//!
//! ```
//! use explore::{print::print, walk::Walk};
//!
//! let walk = Walk::drawn(1, 0);
//! let scenario = print(&walk, "the first walk of seed 1", &[]).expect("what is drawn can be walked");
//! assert!(scenario.yaml.starts_with("name: "));
//! ```

pub mod action;
pub mod chance;
pub mod coverage;
mod exploring;
pub mod finding;
pub mod kept;
pub mod model;
pub mod print;
pub mod run;
pub mod setting;
pub mod shrink;
mod spelling;
pub mod walk;

pub use exploring::{Exploration, News, Options, explore};

use std::io;
use std::path::PathBuf;

/// Exploring came to no end.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// Walks could not be run.
    #[error(transparent)]
    Run(#[from] engine::run::RunError),
    /// The certificate profiles that this build carries.
    #[error("failed to read the built-in certificate profiles")]
    Profiles(#[source] pki::PkiError),
    /// A scenario or a trace could not be written.
    #[error("failed to write {}; is there space, and may this user write there?", path.display())]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Underlying error.
        source: io::Error,
    },
    /// A folder of kept walks, or a walk in it, could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Underlying error.
        source: io::Error,
    },
    /// A scenario is not one that the model knows.
    #[error("{} cannot be gone on from: {why}; name a scenario that `explore` has written", path.display())]
    NotAWalk {
        /// The scenario.
        path: PathBuf,
        /// What the model does not know.
        why: String,
    },
}
