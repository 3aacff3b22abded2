//! The virtual Bluetooth controllers, as hosts meet them.

mod garbage;
mod hosts;
mod world;
