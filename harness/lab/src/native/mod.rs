//! The board that runs the firmware as a host process.
