//! The way to whoever gives credentials: any number of hosts, each by its own proxy or none.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response, Uri};

use crate::config::Environment;
use crate::destination::connection::RawConnection;
use crate::transport::http::{HttpTransport, Options, Timeouts};
use crate::transport::{SendError, Transport};

/// Sends to hosts that are known only when a credential is fetched, with the connection keys of the destination.
pub struct Web {
    connection: RawConnection,
    environment: Environment,
    /// By scheme, host and port. A credential has two or three.
    clients: Mutex<Vec<(String, Arc<HttpTransport>)>>,
}

impl Web {
    /// Reaches hosts as `connection` says, and `environment` where that leaves the proxy open.
    pub fn new(connection: RawConnection, environment: Environment) -> Self {
        Self {
            connection,
            environment,
            clients: Mutex::new(Vec::new()),
        }
    }

    fn client(&self, uri: &Uri) -> Result<Arc<HttpTransport>, SendError> {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let place = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == place) {
            return Ok(client.clone());
        }
        let not_sent = |problem: &dyn std::fmt::Display| SendError::NotSent {
            reason: format!("{authority}: {problem}"),
        };
        let options = self
            .connection
            .clone()
            .validate(uri, &self.environment)
            .map_err(|error| not_sent(&error))?;
        let client = Arc::new(HttpTransport::new(options).map_err(|error| not_sent(&error))?);
        clients.push((place, client.clone()));
        Ok(client)
    }
}

impl Transport for Web {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        self.client(request.uri())?.send_with(request, further)
    }
}

/// The way to a metadata service: one hop away, never through a proxy, and not waited for longer than `connect` where there
/// is none.
///
/// # Errors
/// What [`HttpTransport::new`] gives; without files to read it gives none that is known.
pub fn metadata_transport(connect: Duration) -> Result<HttpTransport, SendError> {
    HttpTransport::new(Options {
        timeouts: Timeouts {
            connect,
            send: Duration::from_secs(3),
            response: Duration::from_secs(10),
            total: Duration::from_secs(15),
        },
        ..Options::default()
    })
    .map_err(|error| SendError::NotSent {
        reason: error.to_string(),
    })
}

/// Whether the host is an address that never leaves this machine or its hypervisor.
pub(super) fn is_metadata(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_loopback(),
        // EC2's own: fd00:ec2::254 and fd00:ec2::23.
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2],
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use auditship_testkit::receiver::{Receiver, Reply};

    use super::*;

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).unwrap()
    }

    #[test]
    fn each_host_has_a_client_of_its_own() {
        let receivers = [(); 2].map(|()| Receiver::start([], Reply::Status(204)));
        let web = Web::new(RawConnection::default(), Environment::empty());
        for receiver in receivers.iter().cycle().take(4) {
            assert_eq!(web.send(&get(&receiver.url("/token"))).unwrap().status(), 204);
        }
        assert_eq!(web.clients.lock().unwrap().len(), 2);
        for receiver in &receivers {
            assert_eq!((receiver.requests().len(), receiver.connections()), (2, 1));
        }
    }

    #[test]
    fn the_proxy_is_chosen_by_the_host() {
        let receiver = Receiver::start([], Reply::Status(204));
        let environment =
            Environment::from([("https_proxy", "socks5://p:1"), ("http_proxy", "socks5://p:1")]);
        let web = Web::new(RawConnection::default(), environment);
        assert_eq!(web.send(&get(&receiver.url("/"))).unwrap().status(), 204);
        let error = web.send(&get("https://tokens.example/")).unwrap_err();
        let SendError::NotSent { reason } = error else {
            panic!("{error:?}")
        };
        assert!(
            reason.starts_with("tokens.example: ") && reason.contains("SOCKS"),
            "{reason}"
        );
    }

    #[test]
    fn metadata_services_are_told_by_their_addresses() {
        for (uri, metadata) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.2/v2/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]/", true),
            ("https://sts.amazonaws.com/", false),
            ("http://10.0.0.1/", false),
            ("http://[fd00:ec3::1]/", false),
        ] {
            assert_eq!(is_metadata(&Uri::from_static(uri)), metadata, "{uri}");
        }
    }
}
