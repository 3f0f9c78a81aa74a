//! The way to a destination: requests out, responses in.
//!
//! # Out of scope
//! What the bytes mean ([`crate::destination`]); when to send again ([`crate::deliver`]).

pub mod authorized;
pub mod file;
pub mod http;
pub mod inquiring;
pub mod paced;
pub mod pause;
#[cfg(any(test, feature = "_sim"))]
pub mod scripted;

use std::fmt;

use ::http::{HeaderMap, Request, Response};

/// Sends one request and waits for its response, on the calling thread, inside its own time limits.
///
/// What is on the wire may be more than that: a transport may fetch credentials and sign at each sending (the body stays
/// as it is journalled), follow to another region, look at an object whose name is taken, or ask for an acknowledgement,
/// and tell what it found in the response's extensions, for [`crate::destination::Destination::decode`]. It holds no lock
/// of the lane; when it is abandoned in the middle, the batch counts as one that may be stored.
pub trait Transport: Send + Sync {
    /// Sends `request` with `further` headers, which are made anew for each sending. Any status is a response, not an
    /// error; redirects are not followed. What is marked as sensitive among `further` is masked where a response says it
    /// back.
    ///
    /// # Errors
    /// [`SendError`], which tells whether the receiver may have the request.
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError>;

    /// Sends `request` as it is: see [`Transport::send_with`].
    ///
    /// # Errors
    /// [`SendError`], which tells whether the receiver may have the request.
    fn send(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendError> {
        self.send_with(request, &HeaderMap::new())
    }

    /// Nothing more will be sent by way of this: whatever waits inside of a sending, for a better moment or for an
    /// acknowledgement, comes to an end now and says how far it got. Called from another thread, more than once maybe.
    fn interrupt(&self) {}
}

/// Put into a response's extensions when its body is not whole: larger than what is kept, or the connection broke in the
/// middle of it. Its status and headers are as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain mark")]
pub struct BodyCut;

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The receiver cannot have seen the request: name not found, connection refused, TLS not agreed.
    NotSent {
        /// What happened and what to do, with the host; no secret in it.
        reason: String,
    },
    /// The request, or a part of it, went out and no response came back: it may be stored.
    Unanswered {
        /// What happened and what to do, with the host; no secret in it.
        reason: String,
    },
    /// There is nothing to sign the request with: the receiver has not seen it. The destination is held.
    NoCredentials {
        /// Which credential cannot be had, and what to do; no secret in it.
        reason: String,
    },
    /// The receiver's certificate, or ours, is not accepted.
    Tls {
        /// What happened and what to do, with the host; no secret in it.
        reason: String,
    },
}

impl SendError {
    /// What happened, without the class.
    pub fn into_reason(self) -> String {
        match self {
            Self::NotSent { reason }
            | Self::Unanswered { reason }
            | Self::NoCredentials { reason }
            | Self::Tls { reason } => reason,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent { reason } => write!(f, "not sent: {reason}"),
            Self::Unanswered { reason } => write!(f, "sent, but no answer: {reason}"),
            Self::NoCredentials { reason } => write!(f, "no credentials: {reason}"),
            Self::Tls { reason } => write!(f, "TLS: {reason}"),
        }
    }
}

impl std::error::Error for SendError {}
