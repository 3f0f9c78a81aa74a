//! A transport that answers from a list, for tests: every failure at every request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, Request, Response, StatusCode};

use super::{SendError, Transport};

/// What a [`ScriptedTransport`] does with one request.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "made by tests")]
pub enum Step {
    /// Records the request and answers.
    Answer(Response<Vec<u8>>),
    /// Fails without recording it: the receiver has not seen it.
    NotSent,
    /// Records it and fails: the receiver has it, nobody knows.
    Swallowed,
    /// Fails without recording it, and nobody can tell it from [`Step::Swallowed`].
    Lost,
    /// Fails in the handshake.
    Tls,
    /// Has nothing to sign with.
    NoCredentials,
}

impl Step {
    /// An answer with nothing but a status.
    pub fn status(status: StatusCode) -> Self {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = status;
        Self::Answer(response)
    }
}

/// Follows a script, then answers every request alike. Clones share script and record.
#[derive(Clone, Debug)]
pub struct ScriptedTransport {
    inner: Arc<Mutex<Script>>,
}

#[derive(Debug)]
struct Script {
    steps: VecDeque<Step>,
    then: Step,
    received: Vec<Request<Vec<u8>>>,
    attempts: u64,
}

impl ScriptedTransport {
    /// Takes `steps` one after another, and `then` for every request after them.
    pub fn new(steps: impl IntoIterator<Item = Step>, then: Step) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Script {
                steps: steps.into_iter().collect(),
                then,
                received: Vec::new(),
                attempts: 0,
            })),
        }
    }

    /// The requests that the receiver has seen, in order.
    pub fn received(&self) -> Vec<Request<Vec<u8>>> {
        self.script().received.clone()
    }

    /// How many requests were sent, seen or not.
    pub fn attempts(&self) -> u64 {
        self.script().attempts
    }

    /// Adds steps to the script.
    pub fn push(&self, steps: impl IntoIterator<Item = Step>) {
        self.script().steps.extend(steps);
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for ScriptedTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let mut script = self.script();
        script.attempts += 1;
        let step = script.steps.pop_front().unwrap_or_else(|| script.then.clone());
        if matches!(step, Step::Answer(_) | Step::Swallowed) {
            let mut request = request.clone();
            request.headers_mut().extend(further.clone());
            script.received.push(request);
        }
        let reason = String::from("as scripted");
        match step {
            Step::Answer(response) => Ok(response),
            Step::NotSent => Err(SendError::NotSent { reason }),
            Step::Swallowed | Step::Lost => Err(SendError::Unanswered { reason }),
            Step::Tls => Err(SendError::Tls { reason }),
            Step::NoCredentials => Err(SendError::NoCredentials { reason }),
        }
    }
}
