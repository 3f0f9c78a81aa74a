//! The presets for HTTP collectors, each before a counterpart on loopback that enforces the documented limits and answers
//! the documented errors. The counterparts are written from the services' documentation, not from what is sent to them.

mod bench;
mod datadog;
mod datadog_fake;
mod elastic;
mod elastic_fake;
mod fake;
mod hec;
mod hec_fake;
mod sumo;
mod sumo_fake;
