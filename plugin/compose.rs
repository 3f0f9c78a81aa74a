//! From a stanza to a running instance: the properties become a configuration, and the product's own parts the
//! [`Intake`] of an instance thread.

use std::sync::{Mutex, PoisonError};

use crate::host::StartKind;
use crate::instance::Instance;
use crate::properties::Properties;

/// Every instance that was started, for hosts that end them all at once.
static INSTANCES: Mutex<Vec<&'static Instance>> = Mutex::new(Vec::new());

/// Starts the instance of one stanza.
///
/// # Errors
/// What is wrong, where, and what to do, for the host's log.
pub(crate) fn start(properties: &Properties, _kind: StartKind) -> Result<&'static Instance, String> {
    let _id = properties.value("id");
    properties.check()?;
    Err("the spool is not part of this build".to_owned())
}

/// Stops every instance that still runs.
pub(crate) fn stop_all() {
    let instances = std::mem::take(&mut *INSTANCES.lock().unwrap_or_else(PoisonError::into_inner));
    for instance in instances {
        instance.stop();
    }
}
