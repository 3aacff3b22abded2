//! The virtual network, as devices, phones and the host meet it.

mod ethernet;
mod fake_device;
mod forward_udp;
mod garbage;
mod host;
mod phones;
mod services;
mod soft_ap;
mod station;
mod world;
