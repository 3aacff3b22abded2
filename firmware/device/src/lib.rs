//! The reference device's behaviour.
