//! From a network to the cloud: clock, MQTT, binding and telemetry.
//!
//! [`run`] joins loops that never end: [`sntp`] keeps the clock, [`cloud`] keeps an MQTT session,
//! [`telemetry`] has the device report, and the application of the device's [`binding`] runs beside it: [`lan`], which serves phones,
//! or [`thingsboard`]. What they decide is in modules without I/O:
//! [`crate::mqtt`], [`crate::linkkit`], [`crate::coap`].

mod agent;
mod binding;
mod cloud;
mod esp8266;
mod lan;
mod sntp;
mod telemetry;
mod thingsboard;

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::future::pending;

use embassy_futures::join::join4;
use embassy_futures::select::select;
use embassy_net::Stack;
use factory::Factory;
use rand_core::RngCore;

use self::binding::{Bound, LinkkitBinding, Plain, ThingsBoardBinding};
use crate::board::{Tls, WallClock};
use crate::handover::Handover;
use crate::linkkit;
use crate::mqtt::Outbox;

/// What the way to the cloud needs.
pub struct Uplink<'d, T, R, W> {
    /// The station's stack.
    pub stack: Stack<'d>,
    /// TLS.
    pub tls: &'d T,
    /// A sound random source.
    pub random: R,
    /// The calendar, which SNTP sets.
    pub wall_clock: &'d W,
    /// Factory data.
    pub factory: &'d Factory,
    /// Where provisioning leaves a phone's binding token.
    pub handover: &'d Handover,
}

/// Keeps the device in touch with its cloud whenever the station has an IPv4 address, for ever.
pub async fn run<T: Tls, R: RngCore + Clone, W: WallClock>(uplink: Uplink<'_, T, R, W>) -> ! {
    if let Some(chip) = &uplink.factory.esp8266 {
        // Large, and on most devices absent.
        Box::pin(esp8266::run(uplink, chip)).await
    }
    let Uplink {
        stack,
        tls,
        random,
        wall_clock,
        factory,
        handover,
    } = uplink;
    let queues = lan::BindingQueues::new();
    let client = thingsboard::ClientQueues::new();
    let clock_set = sntp::ClockSet::new();
    let outbox = RefCell::new(Outbox::new());
    let telemetry = telemetry::Telemetry::new(factory.telemetry.as_ref());

    let time = sntp::keep_time(
        stack,
        factory.sntp.as_ref(),
        cloud::awaits_clock(factory),
        random.clone(),
        wall_clock,
        &clock_set,
    );
    let opener = cloud::Opener {
        stack,
        tls,
        wall_clock,
        factory,
        outbox: &outbox,
        first_address: Cell::new(None),
    };
    let bound = match (&factory.linkkit, &factory.thingsboard) {
        (Some(settings), _) => {
            let cloud = factory.cloud.as_ref();
            Bound::Linkkit(LinkkitBinding::new(settings, cloud, &queues))
        }
        (None, Some(_)) => Bound::ThingsBoard(ThingsBoardBinding::new(&client, random.clone())),
        (None, None) => Bound::Plain(Plain),
    };
    let session = cloud::keep_connected(opener, &clock_set, &telemetry, bound);
    let application = async {
        match (&factory.linkkit, &factory.thingsboard, &factory.cloud) {
            (Some(settings), ..) => {
                let mac = factory.identity.mac;
                let binding = linkkit::TokenBinding::new(settings.clone(), mac, random);
                lan::serve(stack, binding, &queues, handover).await
            }
            (None, Some(settings), Some(cloud)) => {
                thingsboard::run(stack, factory, cloud, settings, &client).await
            }
            _ => forever().await,
        }
    };
    let (never, ..) = join4(time, session, telemetry.run(&outbox), application).await;
    never
}

/// Waits until the station has a link and an address.
async fn online(stack: Stack<'_>) {
    stack.wait_link_up().await;
    stack.wait_config_up().await;
}

/// Waits until the station has lost its link or its address.
async fn offline(stack: Stack<'_>) {
    select(stack.wait_link_down(), stack.wait_config_down()).await;
}

/// Never ends: for a task that has nothing to do.
async fn forever() -> ! {
    loop {
        pending::<()>().await;
    }
}
