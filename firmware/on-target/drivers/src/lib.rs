//! Nothing: the suite is `tests/drivers`. embedded-test's linker script is crate-wide, so the suite
//! has a crate of its own.

#![no_std]
