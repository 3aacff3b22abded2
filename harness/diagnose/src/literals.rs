//! Where a line has which of many words, in letters of either case.
//!
//! An automaton of a few thousand words takes longer to build than most logs to read, and a step of it for each
//! byte misses the cache. So words are looked up by the bytes that they begin with: whether any word does is a
//! bit in a small table, and few places of a line come further.

/// Bits that a beginning is reduced to.
const BITS: u32 = 15;
/// Those of them that choose a group of words.
const OF_GROUP: u32 = 12;

/// Words that are looked for together.
pub struct Literals {
    /// The bytes of all words.
    text: Vec<u8>,
    /// Of 8 bytes and more, of 4 and more, of 3, and of 2.
    eight: Table<8>,
    four: Table<4>,
    three: Table<3>,
    two: Table<2>,
}

/// A word, by its place in the text of all.
#[derive(Clone, Copy)]
struct Word {
    number: u32,
    start: u32,
    length: u32,
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
    /// Of these words, of at least 2 bytes and without capital letters.
    pub fn new(words: &[Vec<u8>]) -> Self {
        let mut text = Vec::new();
        let mut of_length: [Vec<Word>; 4] = Default::default();
        for (number, word) in (0..).zip(words) {
            let place = match word.len() {
                8.. => 0,
                4.. => 1,
                3 => 2,
                _ => 3,
            };
            of_length[place].push(Word {
                number,
                start: u32::try_from(text.len()).unwrap_or(u32::MAX),
                length: u32::try_from(word.len()).unwrap_or(u32::MAX),
            });
            text.extend(word);
        }
        let [eight, four, three, two] = of_length;
        Self {
            eight: Table::new(&text, eight),
            four: Table::new(&text, four),
            three: Table::new(&text, three),
            two: Table::new(&text, two),
            text,
        }
    }

    /// Takes the number of each word that a line has, and where that begins: each time, from left to right.
    pub fn each_in(&self, line: &[u8], mut take: impl FnMut(usize, usize)) {
        // As many bytes behind it as a beginning has, which are in no word.
        let mut folded = Vec::with_capacity(line.len() + 8);
        folded.extend(line.iter().map(u8::to_ascii_lowercase));
        folded.extend([0; 8]);
        let end = line.len();
        for (at, eight) in folded.windows(8).take(end).enumerate() {
            let eight: [u8; 8] = eight.try_into().unwrap_or_default();
            let beginning = u64::from_le_bytes(eight);
            let mut take = |words: &[Word]| {
                for word in words
                    .iter()
                    .filter(|word| folded[at..end].starts_with(self.text(word)))
                {
                    take(word.number as usize, at);
                }
            };
            self.eight.of(beginning).map(&mut take);
            self.four.of(beginning).map(&mut take);
            self.three.of(beginning).map(&mut take);
            self.two.of(beginning).map(&mut take);
        }
    }

    fn text(&self, word: &Word) -> &[u8] {
        &self.text[word.start as usize..(word.start + word.length) as usize]
    }
}

impl<const N: usize> Table<N> {
    fn new(text: &[u8], mut words: Vec<Word>) -> Self {
        let hash = |word: &Word| {
            let mut first = [0; 8];
            let start = word.start as usize;
            first[..N].copy_from_slice(&text[start..start + N]);
            Self::hash(u64::from_le_bytes(first))
        };
        words.sort_by_key(hash);
        let mut is_any = vec![0; (1 << BITS) / 64];
        let mut groups = vec![0; (1 << OF_GROUP) + 1];
        for hash in words.iter().map(hash) {
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
    #[inline(always)]
    fn of(&self, beginning: u64) -> Option<&[Word]> {
        let hash = Self::hash(beginning);
        if self.is_any[hash / 64] & (1 << (hash % 64)) == 0 {
            return None;
        }
        let group = Self::group(hash);
        Some(&self.words[self.groups[group] as usize..self.groups[group + 1] as usize])
    }

    /// The first `N` of 8 bytes, reduced to as few bits as its tables have.
    #[inline(always)]
    fn hash(beginning: u64) -> usize {
        // By the golden ratio, whose multiples are far apart.
        const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        let first = beginning << (64 - 8 * N);
        (first.wrapping_mul(RATIO) >> (64 - BITS)) as usize
    }

    fn group(hash: usize) -> usize {
        hash >> (BITS - OF_GROUP)
    }
}
