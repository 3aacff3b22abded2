//! The reference device as a host process.
