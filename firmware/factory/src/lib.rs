//! Factory data: what a device is born with.
