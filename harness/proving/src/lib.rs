//! The scenario engine: its language, its expectations, and what runs them.

// Without a feature, what only it uses stays unused.
#![cfg_attr(
    not(all(
        feature = "ble",
        feature = "probe",
        feature = "serial",
        feature = "wifi"
    )),
    allow(dead_code, unused_mut, unused_variables)
)]

pub mod attempt;
pub mod cli;
pub mod expect;
pub mod language;
pub mod run;
pub mod up;
