//! The station of a device that is provisioned.

use embassy_time::Timer;

use device::credentials::Credentials;
use device::storage::Storage;

use crate::world::World;
use crate::{log, time};

async fn provisioned() -> World {
    let world = World::with_home();
    let credentials = Credentials::new(b"home", "correct horse").unwrap();
    let mut storage = Storage::new(world.flash.clone()).unwrap();
    storage.keep(&credentials).await.unwrap();
    world
}

#[test]
fn a_lost_access_point_is_looked_for_with_growing_delays() {
    time::run(async {
        let world = provisioned().await;
        world
            .powered(async {
                Timer::after_secs(5).await;
                assert_eq!(log::count("sta ip: "), 1);
                world.silence(200);
                Timer::after_secs(65).await;
            })
            .await;
        let joins = world.air.joins.borrow();
        let moments: Vec<u64> = joins.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(
            moments,
            [0, 6_000, 8_000, 12_000, 20_000, 36_000, 66_000],
            "ms"
        );
    });
    assert_eq!(log::count("Disconnected. Connecting to the AP again..."), 7);
}

#[test]
fn a_returning_access_point_gives_an_address_again_and_resets_the_delays() {
    time::run(async {
        let world = provisioned().await;
        world
            .powered(async {
                Timer::after_secs(5).await;
                world.silence(200);
                Timer::after_secs(10).await;
                world.add_access_point("home", "correct horse", 6, -41);
                Timer::after_secs(10).await;
                assert_eq!(log::count("sta ip: "), 2);
                let before = world.air.joins.borrow().len();
                world.silence(200);
                Timer::after_millis(1_100).await;
                assert_eq!(world.air.joins.borrow().len(), before + 1);
            })
            .await;
    });
}

#[test]
fn an_access_point_without_dhcp_is_complained_about() {
    time::run(async {
        let world = provisioned().await;
        world.no_router.set(true);
        world.powered(Timer::after_secs(65)).await;
    });
    assert_eq!(log::count("no address from DHCP in 30 s, still asking"), 2);
    assert_eq!(log::count("Connected with IP Address"), 0);
}
