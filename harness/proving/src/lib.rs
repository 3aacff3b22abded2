//! The scenario engine: its language, its expectations, and what runs them.

pub mod attempt;
pub mod cli;
pub mod expect;
pub mod language;
pub mod run;
pub mod up;
