//! MQTT 3.1 and 3.1.1 on the wire.
//!
//! Two decoders read the same frames: [`decode`] holds a device to the standard, [`describe`] shows
//! all bytes that came, malformed ones too.

mod decode;
mod describe;
mod encode;
mod frame;
mod model;
mod reader;
mod topic;

pub(crate) use decode::{Violation, decode};
pub(crate) use describe::describe;
pub(crate) use encode::Encoder;
pub(crate) use frame::{Frame, FrameError, next_frame};
pub use model::{Connect, Publish, QoS, Will};
pub(crate) use model::{Level, Packet, Subscription};
pub use topic::{is_filter, is_name, matches};
