//! High-water marks in the log, whenever they have risen by enough to tell.

/// A mark is told again when it has risen by so many bytes.
const STEP: usize = 4096;

/// The highest use of some memory that was told.
#[derive(Debug)]
pub struct Mark {
    tag: &'static str,
    told: usize,
}

impl Mark {
    /// Of the memory that `tag` names in the log.
    pub const fn new(tag: &'static str) -> Self {
        Self { tag, told: 0 }
    }

    /// Tells, at debug level, that `peak` of `size` bytes were used, if that is news.
    pub fn tell(&mut self, peak: usize, size: usize) {
        if self.is_news(peak) {
            log::debug!(target: self.tag, "at most {peak} of {size} bytes were in use");
        }
    }

    fn is_news(&mut self, peak: usize) -> bool {
        let news = peak >= self.told + STEP;
        if news {
            self.told = peak;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rise_is_news() {
        let mut mark = Mark::new("heap");
        let told = [5_000, 5_000, 6_000, 9_095, 9_096, 8_000, 50_000];
        let news: alloc::vec::Vec<usize> = told
            .into_iter()
            .filter(|peak| mark.is_news(*peak))
            .collect();
        assert_eq!(news, [5_000, 9_096, 50_000]);
    }
}
