//! Questions of DNS, as bytes.

use super::MdnsError;

/// In one message.
pub(super) const MOST_QUESTIONS: usize = 16;
/// Types of records (RFC 1035 §3.2.2, RFC 2782).
const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
/// The internet.
const IN: u16 = 1;

/// A name and the type of its record. Labels are split already: that of an instance may hold dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    labels: Vec<String>,
    of: u16,
}

impl Question {
    fn new(name: &str, of: u16) -> Self {
        let name = name.trim_end_matches('.');
        Self {
            labels: name.split('.').map(str::to_owned).collect(),
            of,
        }
    }

    /// Which instances are there?
    pub fn pointer(listing: &str) -> Self {
        Self::new(listing, PTR)
    }

    /// Which address has it?
    pub fn address(host: &str) -> Self {
        Self::new(host, A)
    }

    /// Where is this instance, and what does it say of itself?
    pub fn instance(instance: &str, listing: &str) -> [Self; 2] {
        [SRV, TXT].map(|of| {
            let mut question = Self::new(listing, of);
            question.labels.insert(0, instance.to_owned());
            question
        })
    }
}

/// A message that asks `questions` (RFC 1035 §4.1).
pub(super) fn query(questions: &[Question]) -> Result<Vec<u8>, MdnsError> {
    let count = questions.len().min(MOST_QUESTIONS) as u16;
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend(count.to_be_bytes());
    bytes.extend([0; 6]);
    for question in questions.iter().take(MOST_QUESTIONS) {
        for label in &question.labels {
            let fits = (1..=63).contains(&label.len());
            let length = u8::try_from(label.len()).ok().filter(|_| fits);
            let length = length.ok_or_else(|| MdnsError::Name(question.labels.join(".")))?;
            bytes.push(length);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend(question.of.to_be_bytes());
        bytes.extend(IN.to_be_bytes());
    }
    Ok(bytes)
}
