//! MQTT packets of all versions, as the broker reads, shows and writes them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cloud::read_any_packets(bytes));
