//! Virtual hardware: air, access points and the native board.
