//! Finding many texts in another, where more texts come all the time.
//!
//! Every secret has a dozen spellings, and a run learns secrets as it goes. An automaton would have
//! to be built anew for each; with fifty devices that took longer than everything else. Here a text
//! is found by its first four bytes: a look at one bit for each byte that is searched, and a look
//! into a map where that bit is set.

use std::borrow::Cow;
use std::collections::HashMap;

/// Bytes by which a text is found first. Shorter texts cannot be found.
pub(super) const START: usize = 4;
/// Bits of the hash of a start.
const BITS: u32 = 16;
/// Words of 64 marks, one for each hash.
const WORDS: usize = 1 << (BITS - 6);

/// The texts that are looked for.
pub(super) struct Finder {
    /// One bit for each hash of a start.
    marks: Box<[u64; WORDS]>,
    by_start: HashMap<[u8; START], Vec<Wanted>>,
}

struct Wanted {
    text: Box<str>,
    /// Stands in its place; nothing for what only calls for a closer look.
    name: Option<Box<str>>,
}

impl Default for Finder {
    fn default() -> Self {
        Self {
            marks: Box::new([0; WORDS]),
            by_start: HashMap::new(),
        }
    }
}

impl Finder {
    /// From now on `text` is replaced by `name`; without one it is only noticed. What is known
    /// already keeps its name.
    pub(super) fn add(&mut self, text: &str, name: Option<&str>) {
        let Some(start) = text.as_bytes().first_chunk::<START>() else {
            return;
        };
        let wanted = self.by_start.entry(*start).or_default();
        match wanted.iter_mut().find(|known| *known.text == *text) {
            Some(known) if known.name.is_some() => return,
            Some(known) => known.name = name.map(Into::into),
            None => wanted.push(Wanted {
                text: text.into(),
                name: name.map(Into::into),
            }),
        }
        // The longest that is there wins.
        wanted.sort_by_key(|known| std::cmp::Reverse(known.text.len()));
        let (word, bit) = place(start);
        self.marks[word] |= bit;
    }

    /// Whether anything that is looked for is in `text`.
    pub(super) fn notices(&self, text: &str) -> bool {
        self.starts(text).any(|(at, wanted)| {
            wanted
                .iter()
                .any(|known| text[at..].starts_with(&*known.text))
        })
    }

    /// `text` with everything replaced that has a name. Of several that begin at one place the
    /// longest is taken.
    pub(super) fn replace<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut replaced = String::new();
        let mut done = 0;
        for (at, wanted) in self.starts(text) {
            if at < done {
                continue;
            }
            let found = wanted.iter().find_map(|known| {
                let name = known.name.as_deref()?;
                text[at..]
                    .starts_with(&*known.text)
                    .then_some((known, name))
            });
            if let Some((known, name)) = found {
                replaced.push_str(&text[done..at]);
                replaced.push_str(name);
                done = at + known.text.len();
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        replaced.push_str(&text[done..]);
        Cow::Owned(replaced)
    }

    /// Places of `text` at which something begins like what is looked for. All are at the beginning
    /// of a character, as those texts are.
    fn starts<'f>(&'f self, text: &'f str) -> impl Iterator<Item = (usize, &'f [Wanted])> {
        let bytes = text.as_bytes();
        let last = bytes.len().saturating_sub(START - 1);
        (0..last).filter_map(move |at| {
            let start = bytes[at..].first_chunk::<START>()?;
            let (word, bit) = place(start);
            if self.marks[word] & bit == 0 {
                return None;
            }
            Some((at, self.by_start.get(start)?.as_slice()))
        })
    }
}

/// Word and bit of a start's mark.
fn place(start: &[u8; START]) -> (usize, u64) {
    // Multiplicative hashing: the odd number nearest to 2^32 over the golden ratio.
    let hash = u32::from_le_bytes(*start).wrapping_mul(0x9E37_79B1) >> (32 - BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, MatchKind};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_name_is_noticed_and_stays() {
        let mut finder = Finder::default();
        finder.add("token", None);
        assert!(finder.notices("a token"));
        assert_eq!(finder.replace("a token"), "a token");
        finder.add("token", Some("<t>"));
        assert_eq!(finder.replace("a token"), "a <t>");
        finder.add("token", Some("<other>"));
        finder.add("token", None);
        assert_eq!(finder.replace("a token"), "a <t>");
    }

    #[test]
    fn short_texts_are_never_found() {
        let mut finder = Finder::default();
        finder.add("abc", Some("<x>"));
        assert!(!finder.notices("abcabc"));
        assert!(!finder.notices("") && !finder.notices("ab"));
    }

    proptest! {
        /// Few letters, so that texts overlap, contain each other and begin alike.
        #[test]
        fn it_finds_and_replaces_as_an_automaton_does(
            texts in proptest::collection::btree_set("[abé]{4,7}", 1..8),
            searched in "[abéc]{0,60}",
        ) {
            let mut finder = Finder::default();
            let names: Vec<String> = (0..texts.len()).map(|at| format!("<{at}>")).collect();
            for (text, name) in std::iter::zip(&texts, &names) {
                finder.add(text, Some(name));
            }
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&texts)
                .expect("few patterns");
            prop_assert_eq!(finder.notices(&searched), automaton.is_match(&searched));
            let replaced = automaton.replace_all(&searched, &names);
            prop_assert_eq!(finder.replace(&searched), replaced);
        }
    }
}
