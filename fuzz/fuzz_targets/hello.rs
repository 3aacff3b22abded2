//! What a TLS client says in the clear, as the front of the broker reads it: records, ClientHello, and the
//! certificates of TLS 1.2 and before, which the listener for old devices takes from there.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cloud::read_any_hello(bytes));
