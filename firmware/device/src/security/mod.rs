//! Securities 0, 1 and 2 of a provisioning session, as the device sees them.
