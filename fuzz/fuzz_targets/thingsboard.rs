//! Payloads and topics of ThingsBoard's device API, as the stand-in reads them from any device.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cloud::thingsboard::read_anything(bytes));
