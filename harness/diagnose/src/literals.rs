//! Where a line has which of many words, in letters of either case.
//!
//! An automaton of a few thousand words takes longer to build than most logs to read, and a step of it for each
//! byte misses the cache. So words are looked up by the bytes that they begin with: small tables tell whether
//! any word does, and few places of a line come further.

/// Bytes that are looked at together.
const BYTES: usize = 8;
/// Bits that a beginning is reduced to.
const BITS: u32 = 15;
/// Those of them that choose a group of words.
const OF_GROUP: u32 = 12;

/// Words that are looked for together.
pub struct Literals {
    /// The words of 8 bytes and more.
    eight: Table<8>,
    /// Those of 4 and more.
    four: Table<4>,
    /// Those of 3.
    three: Table<3>,
    /// Those of 2.
    two: Table<2>,
    /// What words have behind their first 8 bytes.
    rest: Vec<u8>,
}

/// A word.
#[derive(Clone, Copy)]
struct Word {
    /// Its first bytes, and which of 8 they are.
    first: u64,
    mask: u64,
    number: u32,
    /// Where in what all words have behind them its own begins and ends.
    rest: (u32, u32),
}

/// Words that are found by their first `N` bytes.
struct Table<const N: usize> {
    /// Of each beginning, whether a word has it.
    is_any: Vec<u64>,
    /// Of each group, where in `words` it begins; the next one's place is where it ends.
    groups: Vec<u32>,
    words: Vec<Word>,
}

impl Literals {
    /// Of these words, of at least 2 bytes, without capital letters and without zeros.
    pub fn new(words: &[Vec<u8>]) -> Self {
        let mut rest = Vec::new();
        let mut of_length: [Vec<Word>; 4] = Default::default();
        for (number, word) in (0..).zip(words) {
            let table = match word.len() {
                8.. => 0,
                4.. => 1,
                3 => 2,
                _ => 3,
            };
            let (first, behind) = word.split_at(word.len().min(BYTES));
            let mut bytes = [0; BYTES];
            bytes[..first.len()].copy_from_slice(first);
            let start = place(rest.len());
            rest.extend(behind);
            let word = Word {
                first: u64::from_le_bytes(bytes),
                mask: u64::MAX >> (64 - 8 * first.len()),
                number,
                rest: (start, place(rest.len())),
            };
            of_length[table].push(word);
        }
        let [eight, four, three, two] = of_length;
        Self {
            eight: Table::new(eight),
            four: Table::new(four),
            three: Table::new(three),
            two: Table::new(two),
            rest,
        }
    }

    /// Takes the number of each word that a line has, and where that begins: each time, from left to right.
    pub fn each_in(&self, line: &[u8], mut take: impl FnMut(usize, usize)) {
        let mut folded = Vec::with_capacity(line.len() + BYTES);
        folded.extend(line.iter().map(u8::to_ascii_lowercase));
        // In no word.
        folded.extend([0; BYTES]);
        for (at, bytes) in folded.windows(BYTES).take(line.len()).enumerate() {
            let bytes: [u8; BYTES] = bytes.try_into().unwrap_or_default();
            let bytes = u64::from_le_bytes(bytes);
            let mut take_of = |words: &[Word]| {
                let has_first = |word: &&Word| bytes & word.mask == word.first;
                for word in words.iter().filter(has_first) {
                    let rest = &self.rest[word.rest.0 as usize..word.rest.1 as usize];
                    if rest.is_empty() || folded[at + BYTES..].starts_with(rest) {
                        take(word.number as usize, at);
                    }
                }
            };
            let mut take_if = |words: Option<&[Word]>| {
                if let Some(words) = words {
                    take_of(words);
                }
            };
            take_if(self.eight.of(bytes));
            take_if(self.four.of(bytes));
            take_if(self.three.of(bytes));
            take_if(self.two.of(bytes));
        }
    }
}

impl<const N: usize> Table<N> {
    fn new(mut words: Vec<Word>) -> Self {
        words.sort_by_key(|word| Self::hash(word.first));
        let mut is_any = vec![0; (1 << BITS) / 64];
        let mut groups = vec![0; (1 << OF_GROUP) + 1];
        for hash in words.iter().map(|word| Self::hash(word.first)) {
            is_any[hash / 64] |= 1 << (hash % 64);
            groups[Self::group(hash) + 1] += 1;
        }
        for group in 1..groups.len() {
            groups[group] += groups[group - 1];
        }
        Self {
            is_any,
            groups,
            words,
        }
    }

    /// The words that may begin as these bytes do.
    #[inline]
    fn of(&self, bytes: u64) -> Option<&[Word]> {
        let hash = Self::hash(bytes);
        if self.is_any[hash / 64] & (1 << (hash % 64)) == 0 {
            return None;
        }
        let group = Self::group(hash);
        Some(&self.words[self.groups[group] as usize..self.groups[group + 1] as usize])
    }

    /// The first `N` bytes, reduced to as few bits as its tables have.
    #[inline]
    fn hash(bytes: u64) -> usize {
        // By the golden ratio, whose multiples are far apart.
        const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        let first = bytes << (64 - 8 * N);
        (first.wrapping_mul(RATIO) >> (64 - BITS)) as usize
    }

    fn group(hash: usize) -> usize {
        hash >> (BITS - OF_GROUP)
    }
}

/// A place in a text that is far shorter than that.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_in_each_of_its_places() {
        let words = [
            "ab",
            "abc",
            "abcd",
            "abcdefgh",
            "abcdefghij",
            "b\u{e9}",
            "ij",
        ];
        let words: Vec<Vec<u8>> = words.map(|word| word.as_bytes().to_vec()).to_vec();
        let literals = Literals::new(&words);
        for line in [
            "",
            "a",
            "abcdefghij",
            "ABCDEFGHI",
            "xabab\u{e9} abc",
            "abcdabcdefghabcd",
        ] {
            let mut found = Vec::new();
            literals.each_in(line.as_bytes(), |number, at| found.push((at, number)));
            let is_there = |at: usize, number: usize| {
                line.to_ascii_lowercase().as_bytes()[at..].starts_with(&words[number])
            };
            let numbers = |at| (0..words.len()).map(move |number| (at, number));
            let mut expected: Vec<(usize, usize)> = (0..line.len()).flat_map(numbers).collect();
            expected.retain(|(at, number)| is_there(*at, *number));
            found.sort_unstable();
            assert_eq!(found, expected, "{line}");
        }
    }
}
