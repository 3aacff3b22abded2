//! From power-on to everything that runs at once.

use core::future::pending;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use factory::Factory;

use crate::board::{Board, Ending, Parts};
use crate::{network, provisioning};

/// The firmware. It returns only if it wants to be restarted or cannot go on.
///
/// Everything is this one future: whoever polls it needs no executor of embassy's, only a time
/// driver.
pub async fn run<B: Board>(board: B) -> Ending {
    let Parts {
        factory,
        station,
        soft_ap,
        radio,
        mut random,
        ..
    } = board.into_parts();
    let factory = match Factory::decode(&factory) {
        Ok(factory) => factory,
        Err(error) => {
            log::error!(target: "factory", "{error}; no radio is started");
            return pending().await;
        }
    };
    let (_station_stack, mut station_runner) = network::station(station, &mut random);
    let (_soft_ap_stack, mut soft_ap_runner) = network::soft_ap(soft_ap, &mut random);
    let networks = join(station_runner.run(), soft_ap_runner.run());
    let work = async {
        provisioning::start(&factory, &radio).await;
        pending::<Ending>().await
    };
    match select(networks, work).await {
        Either::First((never, _)) => never,
        Either::Second(ending) => ending,
    }
}
