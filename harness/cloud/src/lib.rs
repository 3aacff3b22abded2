//! The broker front and the fakes behind it.
