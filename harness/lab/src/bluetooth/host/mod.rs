//! A Bluetooth host in the lab: trouble-host on a virtual controller.

mod long_writes;
mod mend;
mod past_host;
mod pdu;
mod pool;
mod time;
mod transport;

pub(super) use past_host::PastHost;
pub use pool::{HeapPacket, Pool};
pub use time::{OnLabTime, on_lab_time};
pub use transport::{HciStream, HciStreamError};
