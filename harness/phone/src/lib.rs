//! The provisioning app's side: protocomm, CoAP and binding.

mod dial;

pub use dial::{Datagrams, Dial, Stream};
