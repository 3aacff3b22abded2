//! Which device of the scenario a client is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Marks by which devices are known: common names of certificates, client ids, user names. Cheap to
/// clone; all clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    by_mark: Arc<Mutex<HashMap<String, String>>>,
}

impl Devices {
    /// A client that shows `mark` is `device`.
    pub fn know(&self, mark: impl Into<String>, device: impl Into<String>) {
        self.lock().insert(mark.into(), device.into());
    }

    /// The device that the first known one of `marks` belongs to.
    pub fn find<'m>(&self, marks: impl IntoIterator<Item = &'m str>) -> Option<String> {
        let known = self.lock();
        marks.into_iter().find_map(|mark| known.get(mark).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.by_mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
