//! The virtual Bluetooth controllers, as hosts meet them.

mod bumble;
mod garbage;
mod hosts;
mod links;
mod outsider;
mod world;
