//! What one host has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use domain::base::{Message, ParsedName, ParsedRecord, Record, ToName};
use domain::rdata::{A, Ptr, Srv, Txt};

use super::message::Question;
use super::{Discovered, Wanted};

/// Records of each kind that are remembered.
const MOST: usize = 64;
/// Texts of one service.
const MOST_TEXTS: usize = 64;

/// The records of one host. Names are compared without regard to case, so they are kept in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// Listing and the name of an instance, as it is spelled.
    instances: BTreeSet<(String, String)>,
    /// Host and port of an instance, by its whole name.
    services: BTreeMap<String, (String, u16)>,
    texts: BTreeMap<String, BTreeMap<String, String>>,
    /// By host.
    addresses: BTreeMap<String, Ipv4Addr>,
    /// The longest life of a record, in s.
    ttl: u32,
}

impl Records {
    /// Adds those of an answer; what is none, or cannot be read, adds nothing.
    pub fn add(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::from_octets(bytes) else {
            return;
        };
        if !message.header().qr() {
            return;
        }
        let Ok(answers) = message.answer() else {
            return;
        };
        let mut section = Some(answers);
        while let Some(mut records) = section {
            for record in records.by_ref() {
                let Ok(record) = record else { return };
                self.add_one(&record);
            }
            section = records.next_section().ok().flatten();
        }
    }

    fn add_one<'m>(&mut self, record: &ParsedRecord<'m, &'m [u8]>) {
        self.ttl = self.ttl.max(record.ttl().as_secs());
        let owner = spelled(&record.owner());
        let key = owner.to_lowercase();
        if let Ok(Some(found)) = record.to_record::<Ptr<ParsedName<&[u8]>>>() {
            let target = found.data().ptrdname();
            if self.instances.len() < MOST {
                self.instances.insert((key, first_label(target)));
            }
        } else if let Ok(Some(found)) = record.to_record::<Srv<ParsedName<&[u8]>>>() {
            let at = (spelled(found.data().target()), found.data().port());
            put(&mut self.services, key, at);
        } else if let Ok(Some(found)) = record.to_record::<A>() {
            put(&mut self.addresses, key, found.data().addr());
        } else if let Ok(Some(found)) = record.to_record::<Txt<&[u8]>>() {
            put(&mut self.texts, key, texts(&found));
        }
    }

    /// What is wanted, if all of it is here.
    pub fn find(&self, wanted: &Wanted) -> Option<Discovered> {
        let is_host = |host: &str| {
            let named = wanted.host.as_deref();
            named.is_none_or(|named| named.trim_end_matches('.').eq_ignore_ascii_case(host))
        };
        let Some(listing) = wanted.listing() else {
            let (host, address) = self.addresses.iter().find(|(host, _)| is_host(host))?;
            return Some(Discovered {
                instance: None,
                host: host.clone(),
                address: *address,
                port: None,
                txt: BTreeMap::new(),
                ttl_s: self.ttl,
            });
        };
        self.wanted_instances(wanted, &listing)
            .find_map(|instance| {
                let name = whole(instance, &listing);
                let (host, port) = self.services.get(&name)?;
                let address = self.addresses.get(&host.to_lowercase())?;
                is_host(host).then(|| Discovered {
                    instance: Some(instance.to_owned()),
                    host: host.clone(),
                    address: *address,
                    port: Some(*port),
                    txt: self.texts.get(&name).cloned().unwrap_or_default(),
                    ttl_s: self.ttl,
                })
            })
    }

    /// What has to be asked for, because no answer had it.
    pub fn missing(&self, wanted: &Wanted) -> Vec<Question> {
        let mut questions = Vec::new();
        let Some(listing) = wanted.listing() else {
            return questions;
        };
        for instance in self.wanted_instances(wanted, &listing) {
            match self.services.get(&whole(instance, &listing)) {
                None => questions.extend(Question::instance(instance, &listing)),
                Some((host, _)) if !self.addresses.contains_key(&host.to_lowercase()) => {
                    questions.push(Question::address(host));
                }
                Some(_) => {}
            }
        }
        questions
    }

    fn wanted_instances<'r>(
        &'r self,
        wanted: &'r Wanted,
        listing: &'r str,
    ) -> impl Iterator<Item = &'r str> {
        let of_listing = self
            .instances
            .iter()
            .filter(move |(of, _)| of.eq_ignore_ascii_case(listing));
        let named = wanted.instance.as_deref();
        of_listing
            .map(|(_, instance)| instance.as_str())
            .filter(move |instance| named.is_none_or(|named| named == *instance))
    }
}

/// In words, for what was not found.
impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instances = self
            .instances
            .iter()
            .map(|(listing, instance)| format!("{instance:?} of {listing}"));
        let hosts = self.addresses.keys().cloned();
        let told: Vec<String> = instances.chain(hosts).collect();
        match told.is_empty() {
            true => f.write_str("nothing that could be read"),
            false => f.write_str(&told.join(", ")),
        }
    }
}

fn put<V>(map: &mut BTreeMap<String, V>, key: String, value: V) {
    if map.len() < MOST || map.contains_key(&key) {
        map.insert(key, value);
    }
}

/// The whole name of an instance.
fn whole(instance: &str, listing: &str) -> String {
    format!("{instance}.{listing}").to_lowercase()
}

/// A name with dots between its labels, none behind the last.
fn spelled(name: &impl ToName) -> String {
    let labels = name.iter_labels().filter(|label| !label.is_root());
    let labels: Vec<_> = labels
        .map(|label| String::from_utf8_lossy(label.as_slice()).into_owned())
        .collect();
    labels.join(".")
}

fn first_label(name: &impl ToName) -> String {
    let label = name.iter_labels().next();
    let label = label.map(|label| String::from_utf8_lossy(label.as_slice()).into_owned());
    label.unwrap_or_default()
}

/// `key=value` of each text (RFC 6763 §6.3).
fn texts(record: &Record<ParsedName<&[u8]>, Txt<&[u8]>>) -> BTreeMap<String, String> {
    let texts = record.data().iter().take(MOST_TEXTS);
    let pairs = texts.filter_map(|text| {
        let text = String::from_utf8_lossy(text);
        let (key, value) = text.split_once('=').unwrap_or((&text, ""));
        (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_answer_makes_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut records = Records::default();
            let mut answer = vec![0, 0, 0x84, 0];
            answer.extend(bytes);
            records.add(&answer);
            let _ = records.find(&Wanted { host: Some("x.local".into()), ..Wanted::default() });
        }
    }
}
