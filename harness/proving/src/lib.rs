//! The scenario engine: its language, its expectations, and what runs them.

pub mod cli;
pub mod language;
pub mod run;
