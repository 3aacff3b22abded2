//! The one protocol between a virtual radio and the air.
