//! Places in the source, each kept once.

use std::collections::HashMap;
use std::sync::Arc;

use trace::CodePlace;

/// A firmware logs from fewer places; one that makes them up gets no more memory than this.
const MOST: usize = 4096;

/// Places that came with log frames, by the bytes in which they came.
#[derive(Default)]
pub(super) struct Places {
    known: HashMap<Box<[u8]>, Arc<CodePlace>>,
}

impl Places {
    /// The place that `bytes` stand for; `read` is asked only for new ones.
    pub(super) fn of(&mut self, bytes: &[u8], read: impl FnOnce() -> CodePlace) -> Arc<CodePlace> {
        if let Some(place) = self.known.get(bytes) {
            return place.clone();
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let place = Arc::new(read());
        self.known.insert(bytes.into(), place.clone());
        place
    }
}
