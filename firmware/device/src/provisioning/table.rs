//! Which endpoints there are: created before the service starts, registered with their handlers
//! after, and unregistered at will (`wifi_prov_mgr_endpoint_create`, `…_register`,
//! `…_unregister`).

use alloc::string::String;
use alloc::vec::Vec;

use proto::endpoint::{CONFIG, CTRL, FIRST_CUSTOM_ID, PROTO_VER, SCAN, SESSION};

use super::profile::Profile;
use crate::bugs::{self, Bug};

/// The endpoints of a running service. Moments are ms since boot.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    id: u16,
    is_custom: bool,
    registered: u64,
    unregistered: Option<u64>,
}

/// An endpoint as the BLE scheme shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    /// Number in the characteristic's UUID.
    pub(crate) id: u16,
    pub(crate) name: String,
}

impl Table {
    /// The endpoints of a service that starts at `now`.
    pub(crate) fn new(settings: &factory::Provisioning, now: u64) -> Self {
        let internal = [CTRL, SCAN, SESSION, CONFIG, PROTO_VER].into_iter();
        let has_ctrl = Profile(settings.version).has_ctrl();
        let mut entries: Vec<Entry> = internal
            .filter(|name| *name != CTRL || has_ctrl)
            .map(|name| Entry {
                name: name.into(),
                id: proto::endpoint::id(name).unwrap_or(FIRST_CUSTOM_ID),
                is_custom: false,
                registered: now,
                unregistered: None,
            })
            .collect();
        if !bugs::is(Bug::CustomEndpointMissing) {
            let custom = (FIRST_CUSTOM_ID..).zip(application(settings));
            entries.extend(custom.map(|(id, name)| Entry {
                name: name.clone(),
                id,
                is_custom: true,
                registered: now + u64::from(settings.register_delay_ms),
                unregistered: None,
            }));
        }
        if !bugs::is(Bug::EndpointStaysRegistered) {
            for order in &settings.unregister {
                let moment = now + u64::from(order.after_ms);
                for entry in &mut entries {
                    if entry.name == order.endpoint {
                        entry.unregistered = Some(moment);
                    }
                }
            }
        }
        Self { entries }
    }

    /// Every endpoint that was created, in the order of their numbers.
    pub(crate) fn created(&self) -> impl Iterator<Item = Created> {
        self.entries.iter().map(|entry| Created {
            id: entry.id,
            name: entry.name.clone(),
        })
    }

    /// Names of the endpoints that have a handler now.
    pub(crate) fn registered(&self, now: u64) -> impl Iterator<Item = &str> {
        let entries = self.entries.iter();
        entries
            .filter(move |entry| entry.is_registered(now))
            .map(|entry| &entry.name[..])
    }

    /// Whether this endpoint has a handler now; if so, whether it is the application's.
    pub(crate) fn find(&self, name: &str, now: u64) -> Option<Owner> {
        let mut entries = self.entries.iter();
        let entry = entries.find(|entry| entry.name == name && entry.is_registered(now))?;
        Some(match entry.is_custom {
            true => Owner::Application,
            false => Owner::Service,
        })
    }
}

/// Names of the application's endpoints; that of a phone's token is one, listed or not.
fn application(settings: &factory::Provisioning) -> impl Iterator<Item = &String> {
    let listed = &settings.custom_endpoints;
    let token = settings.phone_token.iter().map(|token| &token.endpoint);
    listed
        .iter()
        .chain(token.filter(|name| !listed.contains(name)))
}

impl Entry {
    fn is_registered(&self, now: u64) -> bool {
        now >= self.registered && self.unregistered.is_none_or(|moment| now < moment)
    }
}

/// Whose an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Service,
    Application,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use factory::{Provisioning, Unregister, Version};

    use super::*;

    fn names(table: &Table, now: u64) -> Vec<String> {
        table.registered(now).map(String::from).collect()
    }

    #[test]
    fn characteristics_are_numbered_in_the_order_of_creation() {
        let settings = Provisioning {
            custom_endpoints: vec!["one".into(), "two".into()],
            ..Provisioning::default()
        };
        let created: Vec<(u16, String)> = Table::new(&settings, 0)
            .created()
            .map(|created| (created.id, created.name))
            .collect();
        let expected = [
            (0xFF4F, "prov-ctrl"),
            (0xFF50, "prov-scan"),
            (0xFF51, "prov-session"),
            (0xFF52, "prov-config"),
            (0xFF53, "proto-ver"),
            (0xFF54, "one"),
            (0xFF55, "two"),
        ];
        assert_eq!(created, expected.map(|(id, name)| (id, name.into())));
    }

    #[test]
    fn the_endpoint_of_a_phones_token_need_not_be_listed() {
        let phone_token = Some(factory::PhoneToken {
            endpoint: "binding-token".into(),
            form: factory::TokenForm::Alone,
        });
        for (listed, count) in [(vec![], 6), (vec!["binding-token".into()], 6)] {
            let settings = Provisioning {
                custom_endpoints: listed,
                phone_token: phone_token.clone(),
                ..Provisioning::default()
            };
            let table = Table::new(&settings, 0);
            assert_eq!(table.find("binding-token", 0), Some(Owner::Application));
            assert_eq!(table.created().count(), count);
        }
    }

    #[test]
    fn old_versions_have_no_ctrl() {
        for (version, there) in [
            (Version::Idf44, None),
            (Version::Idf50, None),
            (Version::Idf51, Some(Owner::Service)),
            (Version::NetworkProvisioning, Some(Owner::Service)),
        ] {
            let settings = Provisioning {
                version,
                ..Provisioning::default()
            };
            assert_eq!(Table::new(&settings, 0).find(CTRL, 0), there, "{version:?}");
        }
    }

    #[test]
    fn handlers_come_and_go() {
        let settings = Provisioning {
            register_delay_ms: 100,
            unregister: vec![
                Unregister {
                    endpoint: "custom-data".into(),
                    after_ms: 500,
                },
                Unregister {
                    endpoint: SCAN.into(),
                    after_ms: 300,
                },
            ],
            ..Provisioning::default()
        };
        let table = Table::new(&settings, 1_000);
        let internal = [
            "prov-ctrl",
            "prov-scan",
            "prov-session",
            "prov-config",
            "proto-ver",
        ];
        assert_eq!(names(&table, 1_099), internal);
        assert_eq!(table.find("custom-data", 1_099), None);
        assert_eq!(table.find("custom-data", 1_100), Some(Owner::Application));
        assert_eq!(table.find(SCAN, 1_300), None);
        assert_eq!(table.find("custom-data", 1_500), None);
        assert_eq!(table.created().count(), 6);
        assert_eq!(table.find("elsewhere", 1_200), None);
    }
}
