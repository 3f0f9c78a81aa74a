//! Any bytes as a segment: decode, read, open for writing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| auditship_fuzz::block(data));
