//! The scenario engine: its language, its expectations, and what runs them.

pub mod language;
