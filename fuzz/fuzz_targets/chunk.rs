//! Any bytes as a chunk: decode, encode, ingest.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| auditship_fuzz::chunk(data));
