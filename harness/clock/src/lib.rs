//! The only source of time in the harness.
//!
//! A [`Clock`] shows *lab time*: the time that devices and stand-ins live in. It runs at the pace
//! of the host while anybody works, and `speed` times faster while everybody waits, so that a
//! thirty-second retry costs milliseconds and a busy host never looks like a slow device.
//!
//! Four things tell the clock what is going on:
//! - timers ([`Clock::sleep`]): a task waits for a moment;
//! - guards ([`Clock::busy`]): a program outside this thread computes;
//! - calls ([`Clock::call`]): a task waits for a service outside this thread, whose stand-in says
//!   while it waits itself ([`Clock::waiting`]);
//! - touches ([`Clock::touch`]): bytes moved, so their receiver will have work.
//!
//! Limits on a peer that connects from the host's side are counted in the time that it lives in
//! ([`Clock::timeout_for`]).
//!
//! A device that runs on hardware, real or emulated, cannot be made to wait; its clock is one of a
//! fixed pace ([`Clock::start_fixed`]): 1, or what the device's own time runs at.
//!
//! The governor runs on the same current-thread runtime as everything that it paces: when several
//! rounds of that runtime pass without a touch, nothing is left to do but wait.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! let clock = clock::Clock::start(1000.0);
//! clock.sleep(std::time::Duration::from_secs(30)).await; // takes about 30 ms
//! assert!(clock.now() >= clock::LabTime::from_secs(30));
//! # });
//! ```

mod call;
mod governor;
mod peer;
mod time;
mod timer;

pub use call::{Call, Waiting};
pub use governor::{Busy, Clock};
pub use peer::{Inhabitant, Patience};
pub use time::LabTime;
pub use timer::{Elapsed, Sleep};
