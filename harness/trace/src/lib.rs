//! The ordered record of everything that happened.
