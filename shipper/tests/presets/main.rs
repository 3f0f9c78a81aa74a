//! The presets for HTTP collectors, each before a counterpart on loopback that enforces the documented limits and answers
//! the documented errors. The counterparts are written from the services' documentation, not from what is sent to them.

#[path = "../support/bench.rs"]
mod bench;
mod binary;
#[path = "../cli_support/mod.rs"]
mod cli_support;
mod datadog;
mod datadog_fake;
mod elastic;
mod elastic_fake;
mod fake;
mod hec;
mod hec_fake;
mod sumo;
mod sumo_fake;

use auditship::config::Environment;

use bench::Bench;

/// A destination of this type with these keys, on a host called web-1.
fn preset(kind: &str, keys: &str) -> Bench {
    Bench::new(kind, keys, Environment::empty().with_hostname("web-1"))
}
