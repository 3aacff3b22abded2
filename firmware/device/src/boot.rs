//! From power-on to everything that runs at once.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::future::pending;

use embassy_futures::join::{join3, join4};
use embassy_futures::select::{Either, select};
use factory::Factory;

use crate::apart::apart;
use crate::board::{Board, Ending, Mode, Parts, Radio, RadioEvent};
use crate::bugs::{self, Bug};
use crate::credentials::Credentials;
use crate::description;
use crate::handover::Handover;
use crate::httpd;
use crate::network::{self, Nudge};
use crate::provisioning::{self, Profile, Provisioning, Transport, Transports};
use crate::station::{News, Station, StationReport};
use crate::storage::Storage;
use crate::uplink::{self, Uplink};

/// The firmware. It returns only if it wants to be restarted or cannot go on.
///
/// Everything is this one future: a board needs no executor of embassy's to poll it, only a time
/// driver.
pub async fn run<B: Board>(board: B) -> Ending {
    // Linkers leave out what nothing refers to.
    core::hint::black_box(&description::DESCRIPTION);
    let parts = board.into_parts();
    let factory = match Factory::decode(&parts.factory) {
        Ok(factory) => factory,
        Err(error) => {
            log::error!(target: "factory", "{error}; no radio is started");
            return pending().await;
        }
    };
    put_in_bugs(&factory);
    bugs::until_hung(work::<B>(parts, &factory)).await
}

#[cfg(feature = "bugs")]
fn put_in_bugs(factory: &Factory) {
    if let Err(name) = bugs::put_in(factory.bugs.iter().map(String::as_str)) {
        log::error!(target: "factory", "there is no bug {name}");
    }
}

#[cfg(not(feature = "bugs"))]
fn put_in_bugs(_factory: &Factory) {}

async fn work<B: Board>(parts: Parts<B>, factory: &Factory) -> Ending {
    let mut random = parts.random;
    let (station_stack, mut station_runner, guard) = network::station(parts.station, &mut random);
    let (soft_ap_stack, mut soft_ap_runner) = network::soft_ap(parts.soft_ap, &mut random);
    let radio = &parts.radio;
    let nudge = Nudge::default();
    let station = Station::new(radio, station_stack, guard, &nudge);
    let handover = Handover::default();
    let provisioning = Provisioning::new(factory, radio, &handover);
    let transports = Transports {
        soft_ap: soft_ap_stack,
        console: parts.console,
        hci: parts.hci,
    };

    let online = async {
        let mut storage = match Storage::new(parts.flash) {
            Ok(storage) => storage,
            Err(error) => return Ending::Stopped(error.to_string()),
        };
        if let Some(credentials) = built_in(factory) {
            log::info!(
                target: "example_connect",
                "Connecting to {}...",
                String::from_utf8_lossy(&credentials.ssid)
            );
            drop(transports.hci);
            radio.set_mode(Mode::Station).await;
            station.connect(credentials);
            return pending().await;
        }
        provisioning.init();
        let stored = storage.credentials().await;
        let again =
            factory.provisioning.force_start || bugs::is(Bug::ProvisionedDeviceStartsService);
        if let Some(credentials) = stored.filter(|_| !again) {
            announce_provisioned(provisioning.profile(), &credentials);
            // Its memory is about to be told to be free.
            drop(transports.hci);
            provisioning.deinit();
            radio.set_mode(Mode::Station).await;
            station.connect(credentials);
            return pending().await;
        }
        let random = random.clone();
        let served = provisioning.serve(transports, &station, storage, random);
        if served.await.is_err() {
            return Ending::Stopped("the provisioning service cannot start".into());
        }
        pending().await
    };
    let news = |news: News| provisioning.hear(news);
    let uplink = uplink::run(Uplink {
        stack: station_stack,
        tls: &parts.tls,
        random: random.clone(),
        wall_clock: &parts.wall_clock,
        factory,
        handover: &handover,
    });
    let web = async {
        match &factory.web_server {
            Some(settings) => {
                let (tls, clock) = (&parts.tls, &parts.wall_clock);
                // Large, and on most devices absent.
                Box::pin(httpd::keep_serving(station_stack, tls, clock, settings)).await
            }
            None => pending().await,
        }
    };
    let always = join4(
        listen(radio, &station, &provisioning),
        station.run(&news),
        uplink,
        web,
    );
    let users = async {
        match select(always, online).await {
            Either::First((never, ..)) => never,
            Either::Second(ending) => ending,
        }
    };
    let runners = join3(station_runner.run(), soft_ap_runner.run(), nudge.listen());
    // No further apart: a stack has one place for the waker of the task that waits for its address, so
    // two of them apart from each other would wake each other in turn, for ever.
    match select(apart(runners), apart(users)).await {
        Either::First((never, ..)) => never,
        Either::Second(ending) => ending,
    }
}

/// The network that the device is built for, as ESP-IDF's examples are that are not provisioned.
fn built_in(factory: &Factory) -> Option<Credentials> {
    let network = factory.network.as_ref()?;
    let credentials = Credentials::new(&network.ssid, &network.passphrase);
    if credentials.is_none() {
        log::error!(target: "factory", "the network has too long a name or passphrase");
    }
    credentials
}

fn announce_provisioned(profile: Profile, credentials: &Credentials) {
    let ssid = String::from_utf8_lossy(&credentials.ssid);
    log::debug!(target: profile.tag(), "Found Wi-Fi SSID     : {ssid}");
    let passphrase = masked(&credentials.passphrase);
    log::debug!(target: profile.tag(), "Found Wi-Fi Password : {passphrase}");
    log::info!(target: "app", "Already provisioned, starting Wi-Fi STA");
}

/// First and last character; the others as stars.
fn masked(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next_back()) {
        (Some(first), Some(last)) => {
            format!("{first}{}{last}", "*".repeat(characters.count()))
        }
        _ => "*".repeat(text.len()),
    }
}

/// Tells everybody what the radio tells.
async fn listen<R: Radio>(
    radio: &R,
    station: &Station<'_, R>,
    provisioning: &Provisioning<'_, R>,
) -> ! {
    let tell = |connected| {
        provisioning::transport(provisioning.profile(), Transport::SoftAp, connected);
    };
    loop {
        match radio.event().await {
            RadioEvent::Joined(access_point) => {
                station.reported(StationReport::Joined(access_point))
            }
            RadioEvent::Left { reason } => station.reported(StationReport::Left { reason }),
            RadioEvent::ScanDone(found) => provisioning.heard(found),
            RadioEvent::StationJoined(_) => tell(true),
            RadioEvent::StationLeft(_) => tell(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_passphrase_shows_its_ends_only() {
        for (text, shown) in [("", ""), ("a", "*"), ("ab", "ab"), ("abcd", "a**d")] {
            assert_eq!(masked(text), shown);
        }
    }
}
