//! Nothing: the suite is `tests/logic.rs`. defmt-test cannot share a crate with embedded-test.

#![no_std]
