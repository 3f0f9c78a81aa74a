//! Google Cloud Logging: every request by Google's own types, and a whole run against a fake that answers partial errors.

#[path = "../cli_support/mod.rs"]
mod cli_support;
mod fake;
#[path = "../support/intake.rs"]
mod intake;
mod oracle;
#[path = "../support/python.rs"]
mod python;
mod requests;
mod run;
