//! The addresses that a device says it has given to phones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clock::LabTime;
use trace::Event;

use super::APART;
use crate::read::{device, is_boot, text};
use crate::{Found, Moment, Watch};

const SAYS: &str = "DHCP server assigned IP to a client, IP is: ";

/// By device.
#[derive(Default)]
pub struct Leases(BTreeMap<String, Given>);

#[derive(Default)]
struct Given {
    /// Addresses that phones have got since the device was started. One that renews its lease has no event.
    got: BTreeSet<String>,
    /// Addresses that the device has named, and nobody has got so far.
    said: VecDeque<(String, LabTime, u64)>,
}

impl Watch for Leases {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        let given = self.0.entry(device(event).to_owned()).or_default();
        if let Some(line) = event.line() {
            let said = line.text.strip_prefix(SAYS);
            let Some(said) = said.filter(|_| line.tag == "esp_netif_lwip") else {
                return;
            };
            match given.got.contains(said) {
                true => found.held(),
                false => {
                    let open = (said.to_owned(), event.at(), event.seq);
                    given.said.push_back(open);
                }
            }
        } else if let Some(address) = text(event, "/address") {
            given.got.insert(address.to_owned());
            let before = given.said.len();
            given.said.retain(|(said, ..)| said != address);
            if given.said.len() < before {
                found.held();
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let first = |given: &Given| given.said.front().map(|(_, at, _)| *at + APART);
        self.0.values().filter_map(first).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        for given in self.0.values_mut() {
            while let Some((said, at, seq)) = given.said.front()
                && *at + APART < now
            {
                found.broken(
                    format!("says that it gave {said}, which no phone has got"),
                    [*seq],
                );
                given.said.pop_front();
            }
        }
    }
}
