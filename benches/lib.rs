//! Benchmarks: `cargo bench -p auditship-benches`. Each is a program of its own beside this file.
