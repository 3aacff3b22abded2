//! btleplug, unmodified, on the stand-in for BlueZ.
//!
//! This binary is the device, too, and a phone that is killed. libdbus looks for the system bus once
//! in a process, so all of these share a bus, one after the other.

mod adapters;
mod bugs;
mod device;
mod hostile;
#[path = "../bluetooth/hosts.rs"]
#[expect(dead_code, reason = "shared with the tests of the medium")]
mod hosts;
mod judges;
mod lamp;
mod losses;
mod network;
#[path = "../bluetooth/outsider.rs"]
mod outsider;
mod phone;
mod raw;
mod refusals;
#[path = "../bluetooth/world.rs"]
mod world;

use lab::private_bus;
use libtest_mimic::{Arguments, Trial};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "__device") {
        native::main_from_arguments(arguments);
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == network::PHONE)
    {
        network::phone();
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == adapters::LISTENER)
    {
        adapters::listener();
    }
    let address = format!("unix:abstract=bluez-test-{}", std::process::id());
    // SAFETY: this is the only thread.
    unsafe {
        std::env::set_var("DBUS_SYSTEM_BUS_ADDRESS", &address);
    }
    private_bus::start(&address).expect("a bus");
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let cases = [
        phone::CASES,
        device::CASES,
        bugs::CASES,
        judges::CASES,
        hostile::CASES,
        losses::CASES,
        network::CASES,
        adapters::CASES,
        refusals::CASES,
    ]
    .concat();
    let trials = cases.into_iter().map(|(name, case)| {
        let address = address.clone();
        Trial::test(name, move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(case(address));
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
