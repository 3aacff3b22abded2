//! The tests of the native board's TLS, which this one must pass too.

extern crate tls_mbedtls as native;

#[path = "../../native/tests/tls.rs"]
mod tls;
