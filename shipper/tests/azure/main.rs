//! The destinations at Azure: `azure_blob` against Azurite, which checks keys, signatures, tokens and conditions itself (where it
//! is not installed, each scenario says on standard error that it was skipped), `azure_monitor` against a fake that enforces
//! what is documented.

#[path = "../support/batch.rs"]
mod batch;
mod blob;
#[path = "../cli_support/mod.rs"]
mod cli_support;
mod entra;
mod ingestion;
mod monitor;
#[path = "../support/shipment.rs"]
mod shipment;
mod shipping;
mod store;
#[path = "../s3/wire.rs"]
mod wire;

use std::io::Write as _;
use std::sync::OnceLock;

use auditship_testkit::servers::Absent;
use auditship_testkit::servers::azurite::Azurite;

/// The one Azurite of this run, or none: then the scenario has been called skipped.
fn azurite(scenario: &str) -> Option<&'static Azurite> {
    static AZURITE: OnceLock<Result<Azurite, Absent>> = OnceLock::new();
    installed(scenario, AZURITE.get_or_init(Azurite::start))
}

fn installed<T>(scenario: &str, server: &'static Result<T, Absent>) -> Option<&'static T> {
    match server {
        Ok(server) => Some(server),
        Err(Absent(why)) => {
            // Around the capture of the test harness, so that it is seen.
            let _unheard = writeln!(std::io::stderr(), "skipped: {scenario} ({why})");
            None
        }
    }
}
