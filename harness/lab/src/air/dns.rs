//! Answers to questions for names (RFC 1035 §4).

use std::net::Ipv4Addr;

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const CLASS_IN: u16 = 1;
/// Longest name in text form (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;
/// How long an answer may be kept. Short, so that a fault is noticed.
const TTL_S: u32 = 30;
/// The name of the question once more, as a pointer to it.
const ASKED: [u8; 2] = [0xC0, HEADER as u8];
/// `edge.` before the name of the question: whom an alias stands for.
const ALIAS: [u8; 7] = *b"\x04edge\xC0\x0C";

/// What a name server says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// It stands for this address.
    Address(Ipv4Addr),
    /// It stands for several; the first is to be used.
    Several([Ipv4Addr; 2]),
    /// It is another name for a host of this address.
    Alias(Ipv4Addr),
    /// There is no such name.
    Unknown,
    /// The server cannot say.
    Failure,
    /// Nothing at all.
    Silence,
}

/// The one question of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The name in lower case, without a dot at its end.
    pub(super) name: String,
    /// Whether it is the IPv4 address that is wanted.
    pub(super) wants_address: bool,
    /// Where the question ends in the query.
    end: usize,
}

impl Question {
    /// The question in `query`; none if that is no standard query with one question.
    pub(super) fn parse(query: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER] = query.first_chunk()?;
        let is_response = header[2] & 0x80 != 0;
        let opcode = header[2] >> 3 & 0x0F;
        let questions = u16::from_be_bytes([header[4], header[5]]);
        if is_response || opcode != 0 || questions != 1 {
            return None;
        }
        let (name, at) = parse_name(query)?;
        let &[type_high, type_low, class_high, class_low] = query.get(at..)?.first_chunk()?;
        let class = u16::from_be_bytes([class_high, class_low]);
        Some(Self {
            name,
            wants_address: u16::from_be_bytes([type_high, type_low]) == TYPE_A && class == CLASS_IN,
            end: at + 4,
        })
    }

    /// The answer to `query`, which this question was parsed from; none for silence.
    pub(super) fn answer(&self, query: &[u8], resolution: Resolution) -> Option<Vec<u8>> {
        let (code, records) = match resolution {
            Resolution::Address(address) => (0, self.addresses(&[address])),
            Resolution::Several(addresses) => (0, self.addresses(&addresses)),
            Resolution::Alias(address) => (0, self.alias(address)),
            Resolution::Failure => (2, Vec::new()),
            Resolution::Unknown => (3, Vec::new()),
            Resolution::Silence => return None,
        };
        let mut answer = query.get(..self.end)?.to_vec();
        // QR; the client's RD is echoed, RA granted.
        answer[2] = 0x80 | (answer[2] & 0x01);
        answer[3] = 0x80 | code;
        answer[6..HEADER].fill(0);
        answer[7] = records.len() as u8;
        for record in records {
            answer.extend_from_slice(&record);
        }
        Some(answer)
    }

    /// A record for each address, if addresses are wanted.
    fn addresses(&self, addresses: &[Ipv4Addr]) -> Vec<Vec<u8>> {
        if !self.wants_address {
            return Vec::new();
        }
        let record = |address: &Ipv4Addr| record(&ASKED, TYPE_A, &address.octets());
        addresses.iter().map(record).collect()
    }

    /// That the name stands for another one, and that one's address if it is wanted.
    fn alias(&self, address: Ipv4Addr) -> Vec<Vec<u8>> {
        let mut records = vec![record(&ASKED, TYPE_CNAME, &ALIAS)];
        if self.wants_address {
            records.push(record(&ALIAS, TYPE_A, &address.octets()));
        }
        records
    }
}

/// A resource record (RFC 1035 §3.2.1) of `name`, which is as it stands on the wire.
fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = name.to_vec();
    record.extend_from_slice(&kind.to_be_bytes());
    record.extend_from_slice(&CLASS_IN.to_be_bytes());
    record.extend_from_slice(&TTL_S.to_be_bytes());
    record.extend_from_slice(&(data.len() as u16).to_be_bytes());
    record.extend_from_slice(data);
    record
}

/// The name behind the header, and where it ends. Pointers have no place in a question.
fn parse_name(query: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        if length > 63 {
            return None;
        }
        let label = query.get(at..at + length)?;
        at += length;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        if name.len() > MAX_NAME {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend_from_slice(label.as_bytes());
        }
        query.push(0);
        query.extend_from_slice(&kind.to_be_bytes());
        query.extend_from_slice(&CLASS_IN.to_be_bytes());
        query
    }

    fn ask(name: &str, kind: u16, resolution: Resolution) -> Option<Vec<u8>> {
        let query = query(name, kind);
        Question::parse(&query)?.answer(&query, resolution)
    }

    #[test]
    fn a_known_name_is_answered_with_its_address() {
        let address = Ipv4Addr::new(198, 18, 0, 2);
        let answer = ask("Broker.Test", 1, Resolution::Address(address)).expect("an answer");
        assert_eq!(answer[..4], [0xAB, 0xCD, 0x81, 0x80]);
        assert_eq!(answer[4..8], [0, 1, 0, 1]);
        assert!(answer.ends_with(&[0, 4, 198, 18, 0, 2]));
    }

    #[test]
    fn of_several_addresses_the_first_comes_first() {
        let addresses = [Ipv4Addr::new(198, 18, 0, 2), Ipv4Addr::new(198, 18, 0, 9)];
        let answer = ask("broker.test", 1, Resolution::Several(addresses)).expect("an answer");
        assert_eq!(answer[4..8], [0, 1, 0, 2]);
        let [first, second] = addresses.map(|address| record(&ASKED, TYPE_A, &address.octets()));
        assert!(answer.ends_with(&[first, second].concat()));
    }

    #[test]
    fn an_alias_comes_before_the_address_of_its_host() {
        let address = Ipv4Addr::new(198, 18, 0, 2);
        let answer = ask("broker.test", 1, Resolution::Alias(address)).expect("an answer");
        assert_eq!(answer[4..8], [0, 1, 0, 2]);
        let name = [
            &ASKED[..],
            &[0, 5, 0, 1, 0, 0, 0, 30, 0, 7],
            b"\x04edge\xC0\x0C",
        ]
        .concat();
        assert!(answer.windows(name.len()).any(|part| part == name));
        assert!(answer.ends_with(&[0, 4, 198, 18, 0, 2]));
        let answer = ask("broker.test", 28, Resolution::Alias(address)).expect("an answer");
        assert_eq!(answer[7], 1);
    }

    #[test]
    fn another_type_of_a_known_name_has_no_record() {
        let address = Resolution::Address(Ipv4Addr::new(198, 18, 0, 2));
        let answer = ask("broker.test", 28, address).expect("an answer");
        assert_eq!((answer[3] & 0x0F, answer[7]), (0, 0));
    }

    #[test]
    fn an_unknown_name_does_not_exist() {
        let answer = ask("nowhere.test", 1, Resolution::Unknown).expect("an answer");
        assert_eq!((answer[3] & 0x0F, answer[7]), (3, 0));
    }

    #[test]
    fn a_server_that_cannot_say_says_so() {
        let answer = ask("broker.test", 1, Resolution::Failure).expect("an answer");
        assert_eq!((answer[3] & 0x0F, answer[7]), (2, 0));
    }

    #[test]
    fn silence_is_no_answer() {
        assert_eq!(ask("broker.test", 1, Resolution::Silence), None);
    }

    #[test]
    fn names_are_compared_in_lower_case() {
        let question = Question::parse(&query("Broker.TEST", 1)).expect("a question");
        assert_eq!(question.name, "broker.test");
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(question) = Question::parse(&bytes) {
                let _ = question.answer(&bytes, Resolution::Unknown);
            }
        }

        #[test]
        fn garbage_behind_a_sound_header_is_refused_without_panic(
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &body].concat();
            if let Some(question) = Question::parse(&bytes) {
                let _ = question.answer(&bytes, Resolution::Unknown);
            }
        }
    }
}
