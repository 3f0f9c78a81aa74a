//! The one blocking HTTP client: HTTP/1.1 by ureq, TLS by rustls.
//!
//! # In scope
//! Connections and their reuse, TLS with the system's authorities or our own, client certificates, proxies, time limits,
//! secrets in headers, bounded responses.
//!
//! # Out of scope
//! Retries, redirects (never followed), cookies, decompression, HTTP/2. What a status means.
//!
//! # Invariants
//! 1. Whether a failed request can have been sent is told by *when* it failed; in doubt it can ([`SendError::Unanswered`]).
//! 2. A response is a response whatever its status; its body is kept up to [`MAX_BODY`], and one that is not whole
//!    carries [`BodyCut`].
//! 3. A secret that was sent does not come back: it is masked in the response's body before anyone reads it. Errors name
//!    host and port, nothing else of a URL.
//! 4. A guest's manners: no global state, no signal handler, no output, every descriptor at 3 or above and closed on
//!    exec. Not in our hands: what the C library opens while it looks a name up, on a thread named `aship-resolve`
//!    that may outlive the request.
//!
//! Runs on the calling (sending) thread; may be called from several at a time.

mod connect;
mod descriptors;
mod failure;
mod options;
mod proxy;
mod tls;

use std::fmt;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use rustls::crypto::CryptoProvider;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

pub use options::{Identity, Options, SecretHeader, SecretParameter, Timeouts};
pub use proxy::{Proxy, ProxyError};
pub use tls::TlsFileError;

use super::{BodyCut, SendError, Transport};
use crate::destination::Limits;
use crate::stamp::Stamp;
use connect::{Marked, SystemResolver};
use descriptors::LowDescriptors;
use options::{FilledHeader, FilledParameter, HeaderError};

/// How many bytes of a response's body are kept.
pub const MAX_BODY: usize = 1024 * 1024;

/// How many further bytes are read and thrown away to keep the connection; beyond them it is closed.
const MAX_DRAIN: u64 = 1024 * 1024;

/// Shorter than the 5 seconds after which common servers close an idle connection: a request on its way to a connection
/// that is being closed cannot be told from one that was received.
const MAX_IDLE: Duration = Duration::from_secs(4);

const USER_AGENT: &str = concat!("auditship/", env!("CARGO_PKG_VERSION"));

/// Sends requests over HTTP/1.1.
pub struct HttpTransport {
    options: Options,
    provider: Arc<CryptoProvider>,
    client: Mutex<Client>,
    /// The last connection was cut while a request went out. The next one asks first (`Expect: 100-continue`), so that
    /// a receiver that refuses a request without reading it is heard.
    ask_first: AtomicBool,
}

/// A client and the files it was made of.
struct Client {
    agent: Agent,
    stamps: Vec<Stamp>,
    /// Why the files as they are now cannot be used; the client is then still the one of before.
    problem: Option<TlsFileError>,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl HttpTransport {
    /// A client. Reads the files that `options` name, connects to nothing.
    ///
    /// # Errors
    /// [`TlsFileError`] when a certificate or key cannot be read or does not fit.
    pub fn new(options: Options) -> Result<Self, TlsFileError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let stamps = tls::stamps(&options);
        let agent = agent(&options, &provider)?;
        Ok(Self {
            options,
            provider,
            client: Mutex::new(Client {
                agent,
                stamps,
                problem: None,
            }),
            ask_first: AtomicBool::new(false),
        })
    }

    /// The client, made anew when a file has changed. Files that do not fit each other (one is replaced before the
    /// other) leave the client as it is until they do.
    fn client(&self) -> (Agent, Option<TlsFileError>) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        // Stamped before they are read: a change in between shows at the next request.
        let stamps = tls::stamps(&self.options);
        if stamps != client.stamps {
            client.stamps = stamps;
            match agent(&self.options, &self.provider) {
                Ok(agent) => {
                    client.agent = agent;
                    client.problem = None;
                }
                Err(problem) => client.problem = Some(problem),
            }
        }
        (client.agent.clone(), client.problem.clone())
    }

    fn headers(&self, host: &str) -> Result<Vec<FilledHeader>, SendError> {
        let fill = |header: &SecretHeader| {
            header.fill().map_err(|error| SendError::NoCredentials {
                reason: match error {
                    HeaderError::Secret(error) => format!("{host}: no {}: {error}", header.name()),
                    HeaderError::Control(name) => {
                        format!("{host}: the secret for {name} has a line end or control character in it: remove it")
                    }
                },
            })
        };
        self.options.headers.iter().map(fill).collect()
    }

    fn parameters(&self, host: &str) -> Result<Vec<FilledParameter>, SendError> {
        let fill = |parameter: &SecretParameter| {
            parameter.fill().map_err(|error| SendError::NoCredentials {
                reason: format!("{host}: no parameter `{}`: {error}", parameter.name),
            })
        };
        self.options.parameters.iter().map(fill).collect()
    }
}

fn agent(options: &Options, provider: &Arc<CryptoProvider>) -> Result<Agent, TlsFileError> {
    let timeouts = &options.timeouts;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .proxy(options.proxy.as_ref().map(|proxy| proxy.inner.clone()))
        .tls_config(tls::load(options, provider)?)
        .max_idle_age(MAX_IDLE)
        .max_idle_connections_per_host(Limits::MAX_IN_FLIGHT.into())
        .timeout_resolve(Some(timeouts.connect))
        .timeout_connect(Some(timeouts.connect))
        .timeout_send_request(Some(timeouts.send))
        .timeout_send_body(Some(timeouts.send))
        .timeout_recv_response(Some(timeouts.response))
        .timeout_recv_body(Some(timeouts.response))
        .timeout_global(Some(timeouts.total))
        .build();
    Ok(Agent::with_parts(
        config,
        Marked(DefaultConnector::new()),
        SystemResolver,
    ))
}

impl Transport for HttpTransport {
    fn send_with(
        &self,
        request: &Request<Vec<u8>>,
        further: &HeaderMap,
    ) -> Result<Response<Vec<u8>>, SendError> {
        let _above_stdio = LowDescriptors::occupy();
        let host = connect::host_of(request.uri());
        let mut filled = self.headers(&host)?;
        filled.extend(
            further
                .iter()
                .map(|(name, value)| FilledHeader::further(name, value)),
        );
        let parameters = self.parameters(&host)?;
        let uri = with_parameters(request.uri(), &parameters).ok_or_else(|| SendError::NotSent {
            reason: format!("{host}: the URL with its secret parameters is too long"),
        })?;
        let (agent, problem) = self.client();
        let response = run(
            &agent,
            uri,
            request,
            &filled,
            self.ask_first.load(Ordering::Relaxed),
        );
        let response = match response {
            Ok(response) => {
                self.ask_first.store(false, Ordering::Relaxed);
                response
            }
            Err(error) => {
                if failure::is_cut(&error) {
                    self.ask_first.store(true, Ordering::Relaxed);
                }
                return Err(match (failure::send_error(&host, &error), problem) {
                    (SendError::Tls { reason }, Some(problem)) => SendError::Tls {
                        reason: format!("{reason}; and the changed files are not used: {problem}"),
                    },
                    (error, _) => error,
                });
            }
        };
        let mut response = keep(response);
        let in_headers = filled.iter().flat_map(|header| &header.masks);
        let in_url = parameters.iter().flat_map(|parameter| &parameter.masks);
        for secret in in_headers.chain(in_url) {
            secret.mask(response.body_mut());
        }
        Ok(response)
    }
}

/// `uri` with `parameters` at the end of its query string. The result is sent and never shown. `None` when it is no URL,
/// which only its length can make of it.
fn with_parameters(uri: &Uri, parameters: &[FilledParameter]) -> Option<Uri> {
    if parameters.is_empty() {
        return Some(uri.clone());
    }
    let own = uri.query().filter(|query| !query.is_empty());
    let pairs = parameters.iter().map(|parameter| parameter.pair.value());
    let query = own.into_iter().chain(pairs).collect::<Vec<_>>().join("&");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}", uri.path()).parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn run(
    agent: &Agent,
    uri: Uri,
    request: &Request<Vec<u8>>,
    filled: &[FilledHeader],
    ask_first: bool,
) -> Result<Response<Body>, ureq::Error> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = uri;
    *head.headers_mut() = request.headers().clone();
    for header in filled {
        head.headers_mut()
            .append(header.name.clone(), header.value.clone());
    }
    if request.body().is_empty() && !matches!(request.method().as_str(), "POST" | "PUT" | "PATCH") {
        return agent.run(head);
    }
    if ask_first {
        head.headers_mut()
            .insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    }
    // A slice has a length: it is sent with Content-Length.
    agent.run(head.map(|()| request.body().as_slice()))
}

/// Reads the body as far as it is kept.
fn keep(response: Response<Body>) -> Response<Vec<u8>> {
    let (parts, body) = response.into_parts();
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let mut kept = Vec::new();
    let read = reader.by_ref().take(MAX_BODY as u64).read_to_end(&mut kept);
    let rest = match read {
        Ok(_) => std::io::copy(&mut reader.take(MAX_DRAIN), &mut std::io::sink()),
        Err(error) => Err(error),
    };
    let mut response = Response::from_parts(parts, kept);
    if !matches!(rest, Ok(0)) {
        response.extensions_mut().insert(BodyCut);
    }
    response
}
