//! The command line of the scenario engine.

pub mod cli;
