//! Finding and reaching the receiver, so that it is known of every failure whether the request can have been sent.
//!
//! ureq tells what failed but not when. Every failure that happens while a connection is made (address, TCP, proxy, TLS)
//! is marked here; what is not marked happened after it, when bytes of the request may have gone out.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use ::http::Uri;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

/// A failure before any byte of a request was sent.
#[derive(Debug)]
pub(super) struct NotConnected {
    /// Host and port that could not be reached: the receiver's or the proxy's.
    pub(super) host: String,
    pub(super) error: Error,
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.error)
    }
}

impl std::error::Error for NotConnected {}

/// Scheme's port included when none is written; never a path, a query string or credentials.
pub(super) fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("?");
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn mark(uri: &Uri, error: Error) -> Error {
    match error {
        // A proxy's connection is made by a connector inside this one: the inner mark names the right host.
        Error::Other(inner) if inner.is::<NotConnected>() => Error::Other(inner),
        error => Error::Other(Box::new(NotConnected {
            host: host_of(uri),
            error,
        })),
    }
}

/// The default chain of connectors, its failures marked.
#[derive(Debug)]
pub(super) struct Marked(pub(super) DefaultConnector);

impl Connector<()> for Marked {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        self.0
            .connect(details, chained)
            .map_err(|error| mark(details.uri, error))
    }
}

/// Asks the system for addresses, at most as long as allowed.
///
/// The system's own call cannot be stopped: it is made on a thread that is left behind when its time is over and ends
/// with the call. Literal addresses need neither.
#[derive(Debug)]
pub(super) struct SystemResolver;

/// As many as [`ResolvedSocketAddrs`] takes.
const MAX_ADDRESSES: usize = 16;

/// Enough for what resolvers of the C library need; the default of the host's threads may be less or much more.
const STACK: usize = 256 * 1024;

impl SystemResolver {
    fn lookup(&self, uri: &Uri, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?.to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        });
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(&host).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let ask = move || {
            let found = (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>);
            // Nobody waits any more when the time is over.
            let _ = answer.send(found);
        };
        thread::Builder::new()
            .name(String::from("aship-resolve"))
            .stack_size(STACK)
            .spawn(ask)
            .map_err(Error::Io)?;
        match answered.recv_timeout(*timeout.after) {
            Ok(found) => found.map_err(|_| Error::HostNotFound),
            Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
            Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
        }
    }
}

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.lookup(uri, timeout).map_err(|error| mark(uri, error))?;
        let mut addresses = self.empty();
        for address in config
            .ip_family()
            .keep_wanted(found.into_iter())
            .take(MAX_ADDRESSES)
        {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(mark(uri, Error::HostNotFound));
        }
        Ok(addresses)
    }
}
