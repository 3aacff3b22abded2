//! What the endpoints' handlers work on.

use core::cell::RefCell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embedded_storage_async::nor_flash::NorFlash;

use super::machine::Machine;
use super::scan::Scanner;
use crate::handover::Handover;
use crate::storage::Storage;

/// The state that handlers read and change.
pub(crate) struct HandlerParts<'s, R, F: NorFlash> {
    pub(crate) machine: &'s RefCell<Machine>,
    /// Signalled after each request that the machine has seen.
    pub(crate) changed: &'s Signal<NoopRawMutex, ()>,
    pub(crate) scanner: &'s Scanner<'s, R>,
    pub(crate) storage: Storage<F>,
    /// Where a phone's binding token is left for the cloud.
    pub(crate) handover: &'s Handover,
}
