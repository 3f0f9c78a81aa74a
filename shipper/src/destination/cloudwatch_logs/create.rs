//! A transport that makes the log stream, and where it may the log group, when a put finds them missing.
//!
//! # In scope
//! Put, and only if that says that something is missing: `CreateLogStream`; if the group is missing too and
//! `auto_create_group` is set, `CreateLogGroup`, `PutRetentionPolicy`, `CreateLogStream`; then the same put once more. At
//! most six requests inside one sending. A missing *stream* of a group that exists is always made, as Fluent Bit's own
//! output does: groups are what people name, give rights to and pay for; a stream is one sender's place in it.
//!
//! # Out of scope
//! What an answer means for the batch: it is [`super::decode`]'s, which finds in the extensions of a response to which
//! operation it is the answer ([`Asked`]).
//!
//! # Invariants
//! 1. The put is sent again only after an answer that says that it was not stored.
//! 2. What exists already is as good as made: several hosts may begin at once.
//! 3. A group that exists is left as it is. The retention of a group that was made here is set before anything is stored
//!    in it; a process that dies between the two leaves a group that keeps events for ever.
//!
//! Runs on the sending thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::Config;
use super::encode::operation;
use crate::destination::aws::error_code;
use crate::transport::{SendError, Transport};

/// Put into the extensions of a put of records. Without it nothing is made: a check only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CreateWhatIsMissing;

/// Put into a response's extensions when it is not simply the answer to the put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is the answer to this one.
    Instead(Operation),
    /// It is the answer to the put, sent again after everything had been made.
    Again,
}

/// An operation that makes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateLogGroup,
    PutRetentionPolicy,
    CreateLogStream,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateLogGroup => "CreateLogGroup",
            Self::PutRetentionPolicy => "PutRetentionPolicy",
            Self::CreateLogStream => "CreateLogStream",
        }
    }
}

/// Makes what is missing. See the module.
pub(super) struct Creating {
    inner: Arc<dyn Transport>,
    config: Config,
    /// A group was made here that has no retention yet.
    retention_is_owed: AtomicBool,
}

/// What came of an operation that makes something.
enum Made {
    /// It is there now.
    Now,
    /// It was there.
    Before,
    /// What it belongs to is missing.
    NoGroup(Response<Vec<u8>>),
}

/// Why a sending ends without the put: what is to be given back for it.
type End = Box<Result<Response<Vec<u8>>, SendError>>;

impl Creating {
    pub(super) fn new(inner: Arc<dyn Transport>, config: Config) -> Self {
        Self {
            inner,
            config,
            retention_is_owed: AtomicBool::new(false),
        }
    }

    /// Makes the stream, and the group before it where that is wanted.
    fn create(&self) -> Result<(), End> {
        if self.retention_is_owed.load(Ordering::Relaxed) {
            self.set_retention()?;
        }
        let Made::NoGroup(response) = self.make(Operation::CreateLogStream)? else {
            return Ok(());
        };
        if self.config.creation.is_none() {
            return Err(Box::new(Ok(response)));
        }
        if let Made::Now = self.make(Operation::CreateLogGroup)? {
            self.set_retention()?;
        }
        match self.make(Operation::CreateLogStream)? {
            Made::Now | Made::Before => Ok(()),
            // It is not to be seen everywhere yet, or somebody has deleted it.
            Made::NoGroup(response) => Err(Box::new(Ok(marked(response, Asked::Again)))),
        }
    }

    fn set_retention(&self) -> Result<(), End> {
        let creation = self.config.creation.as_ref();
        if creation.is_none_or(|creation| creation.retention_days.is_none()) {
            return Ok(());
        }
        self.retention_is_owed.store(true, Ordering::Relaxed);
        let made = self.make(Operation::PutRetentionPolicy)?;
        self.retention_is_owed.store(false, Ordering::Relaxed);
        match made {
            Made::Now | Made::Before => Ok(()),
            Made::NoGroup(response) => Err(Box::new(Ok(marked(response, Asked::Again)))),
        }
    }

    fn make(&self, what: Operation) -> Result<Made, End> {
        let request = operation(self.config.endpoint.uri(), what.name(), body(&self.config, what));
        let response = self
            .inner
            .send(&request)
            .map_err(|error| Box::new(Err(unsent(what, error))))?;
        if response.status().is_success() {
            return Ok(Made::Now);
        }
        match error_code(&response).as_str() {
            "ResourceAlreadyExistsException" => Ok(Made::Before),
            "ResourceNotFoundException" => Ok(Made::NoGroup(marked(response, Asked::Instead(what)))),
            _ => Err(Box::new(Ok(marked(response, Asked::Instead(what))))),
        }
    }
}

impl Transport for Creating {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let response = self.inner.send_with(request, further)?;
        if request.extensions().get() != Some(&CreateWhatIsMissing)
            || response.status().is_success()
            || error_code(&response) != "ResourceNotFoundException"
        {
            return Ok(response);
        }
        match self.create() {
            Ok(()) => {
                let response = self.inner.send_with(request, further)?;
                Ok(marked(response, Asked::Again))
            }
            Err(end) => *end,
        }
    }
}

fn marked(mut response: Response<Vec<u8>>, asked: Asked) -> Response<Vec<u8>> {
    response.extensions_mut().insert(asked);
    response
}

/// Whatever became of the operation: the put itself is known not to be stored.
fn unsent(what: Operation, error: SendError) -> SendError {
    match error {
        SendError::NotSent { reason } | SendError::Unanswered { reason } => SendError::NotSent {
            reason: format!("{}: {reason}", what.name()),
        },
        error => error,
    }
}

fn body(config: &Config, what: Operation) -> Vec<u8> {
    let mut body = json!({ "logGroupName": config.group });
    let mut set = |key: &str, value: Value| body[key] = value;
    match (what, &config.creation) {
        (Operation::CreateLogStream, _) => set("logStreamName", json!(config.stream)),
        (Operation::PutRetentionPolicy, Some(creation)) => {
            set("retentionInDays", json!(creation.retention_days));
        }
        (Operation::CreateLogGroup, Some(creation)) => {
            // The other classes lack features that audit teams use, or keep events for a day.
            set("logGroupClass", json!("STANDARD"));
            if let Some(key) = &creation.kms_key_id {
                set("kmsKeyId", json!(key));
            }
            if !creation.tags.is_empty() {
                set("tags", json!(creation.tags));
            }
            if creation.deletion_protection {
                set("deletionProtectionEnabled", json!(true));
            }
        }
        (_, None) => {}
    }
    body.to_string().into_bytes()
}
