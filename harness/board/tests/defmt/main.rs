//! Images and the logs that they send, sound ones and others.

mod elf;
mod images;
mod streams;
mod suites;
