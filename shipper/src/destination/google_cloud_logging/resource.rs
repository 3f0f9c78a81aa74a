//! Whose records they are in the API's eyes: the monitored resource. Which VM this is can be asked of the metadata server; a
//! request made before that is known gets its resource when it is sent.
//!
//! # Invariants
//! 1. The VM is asked for once; until it is known nothing is sent.
//! 2. Encoding stays pure: an encoded request without a resource is complete but for it, the journal's digest is of it, and
//!    the resource, which is the same for the life of the VM, goes in front of everything else.
//!
//! The transport runs on the sending thread; of several, one asks.

use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, Request, Response};
use serde_json::{Map, Value, json};

use crate::credentials::CredentialError;
use crate::credentials::google::MetadataServer;
use crate::transport::{SendError, Transport};

/// A VM at Google.
pub(super) const VM: &str = "gce_instance";

/// What is known of the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// All of it.
    Known {
        kind: String,
        labels: Vec<(String, String)>,
    },
    /// It is the VM that this runs on.
    ThisVm,
}

/// In the extensions of a request that has no resource yet: the project of the VM's labels.
#[derive(Clone, Debug)]
pub(super) struct WithoutResource {
    pub(super) project: String,
}

/// More than the resource of a VM ever takes in a request.
pub(super) const VM_BYTES: u32 = 512;

/// As a request has it.
pub(super) fn json(kind: &str, labels: &[(String, String)]) -> Value {
    let labels: Map<String, Value> = labels
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({ "type": kind, "labels": labels })
}

/// Puts the VM's resource into requests that have none.
pub(super) struct ResourceTransport {
    inner: Arc<dyn Transport>,
    server: MetadataServer,
    vm: Mutex<Option<Vm>>,
}

#[derive(Clone)]
struct Vm {
    instance_id: String,
    zone: String,
}

impl ResourceTransport {
    pub(super) fn new(inner: Arc<dyn Transport>, server: MetadataServer) -> Self {
        Self {
            inner,
            server,
            vm: Mutex::new(None),
        }
    }

    fn vm(&self) -> Result<Vm, CredentialError> {
        let mut vm = self.vm.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vm) = &*vm {
            return Ok(vm.clone());
        }
        // `projects/123/zones/europe-west3-a`
        let zone = self.server.text("instance/zone")?;
        let found = Vm {
            instance_id: self.server.text("instance/id")?,
            zone: zone.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        *vm = Some(found.clone());
        Ok(found)
    }
}

impl Transport for ResourceTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let Some(WithoutResource { project }) = request.extensions().get() else {
            return self.inner.send_with(request, further);
        };
        let vm = self.vm().map_err(|error| SendError::NotSent {
            reason: format!("which VM this is cannot be found out: {error}; or set `instance_id` and `zone`"),
        })?;
        let labels = [
            (String::from("project_id"), project.clone()),
            (String::from("instance_id"), vm.instance_id),
            (String::from("zone"), vm.zone),
        ];
        let head = format!("{{\"resource\":{},", json(VM, &labels));
        let rest = request.body().strip_prefix(b"{").unwrap_or_default();
        let mut whole = Request::new([head.as_bytes(), rest].concat());
        *whole.method_mut() = request.method().clone();
        *whole.uri_mut() = request.uri().clone();
        *whole.headers_mut() = request.headers().clone();
        self.inner.send_with(&whole, further)
    }
}
