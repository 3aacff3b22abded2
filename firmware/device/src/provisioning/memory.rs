//! Bluetooth memory that is given back once provisioning needs it no more, or from the beginning
//! (ESP-IDF 5.5 `scheme_ble.c`). Host and controller go with the service that they were for, or
//! before it is told that there will be none; what else there may be only the log shows.

use factory::{MemoryRelease, Scheme};

use super::profile::Profile;
use crate::bugs::{self, Bug};

/// What is given back before provisioning starts.
pub(super) fn release_at_init(profile: Profile, scheme: &Scheme) {
    let Scheme::Ble(ble) = scheme else {
        return;
    };
    match ble.memory_release {
        // Classic Bluetooth is not needed, whatever becomes of BLE.
        MemoryRelease::Btdm | MemoryRelease::Bt => say(profile, "BT memory released"),
        MemoryRelease::Ble | MemoryRelease::None => {}
    }
}

/// What is given back once provisioning is over, or was not needed. The caller has dropped
/// the controller.
pub(super) fn release_at_deinit(profile: Profile, scheme: &Scheme) {
    let Scheme::Ble(ble) = scheme else {
        return;
    };
    if bugs::is(Bug::MemoryNotReleased) {
        return;
    }
    match ble.memory_release {
        MemoryRelease::Btdm => say(profile, "BTDM memory released"),
        MemoryRelease::Ble => say(profile, "BLE memory released"),
        MemoryRelease::Bt | MemoryRelease::None => {}
    }
}

fn say(profile: Profile, what: &str) {
    log::info!(target: profile.ble_tag(), "{what}");
}
