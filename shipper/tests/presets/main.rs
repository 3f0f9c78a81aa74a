//! The presets for HTTP collectors, each before a counterpart on loopback that enforces the documented limits and answers
//! the documented errors. The counterparts are written from the services' documentation, not from what is sent to them.

mod bench;
mod hec;
mod hec_fake;
