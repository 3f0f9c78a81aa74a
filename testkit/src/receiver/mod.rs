//! A strict HTTP/1.1 receiver on loopback, over TCP or TLS, that keeps what it gets and answers as told.
//!
//! # In scope
//! What a destination's request must be: framing, one `Host`, one `Content-Length`, a body that decompresses to its end;
//! answers by script, hangs, cuts in every place; client certificates.
//!
//! # Out of scope
//! Meaning of the records: tests read [`Received::plain`].
//!
//! # Invariants
//! 1. A request is kept before it is answered: what was answered with success is in [`Receiver::requests`].
//! 2. Whatever is not as it must be is answered 400, not kept as received, and told by [`Receiver::problems`].
//! 3. One thread accepts, one serves each connection; all end when the receiver is dropped, hanging ones too.

pub mod authority;
mod connection;
mod exchange;
pub mod proxy;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;

/// What is done with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "made by tests")]
pub enum Reply {
    /// A status without a body.
    Status(u16),
    /// Everything written out.
    Full {
        /// The status.
        status: u16,
        /// Headers beside `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Keeps the request and never answers.
    Hang,
    /// Keeps the request, waits, then answers.
    After(Duration, Box<Reply>),
    /// Keeps the request, and answers as soon as [`Receiver::release`] was called.
    Held(Box<Reply>),
    /// Keeps the request and closes without an answer.
    Close,
    /// Reads the head only, keeps nothing, answers, and closes while the body is on its way. Answers before the body is
    /// sent when the request asks with `Expect: 100-continue`.
    Early(u16),
    /// Keeps the request, announces a longer body than it sends, and closes.
    Cut(u16),
    /// Keeps the request and answers with these bytes, which need not be HTTP, then closes.
    Raw(Vec<u8>),
}

impl Reply {
    /// A status with a body of text.
    pub fn text(status: u16, body: &str) -> Self {
        Self::Full {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The method.
    pub method: String,
    /// The target as in the request line.
    pub target: String,
    /// Names in small letters, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// The body decompressed.
    pub plain: Vec<u8>,
    /// Which connection it came by, from 0.
    pub connection: u64,
    /// Whether the client showed a certificate.
    pub client_certificate: bool,
}

impl Received {
    /// The value of the header `name` (in small letters).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The batch's name.
    pub fn key(&self) -> Option<&str> {
        self.header("idempotency-key")
    }
}

/// Makes a reply of a request.
type Answer = dyn Fn(&Received) -> Reply + Send + Sync;

#[derive(Default)]
pub(crate) struct State {
    script: VecDeque<Reply>,
    then: Option<Reply>,
    /// Asked in place of `then`, when the request has been kept.
    answer: Option<Arc<Answer>>,
    received: Vec<Received>,
    problems: Vec<String>,
    /// The sockets of living connections, by number.
    open: BTreeMap<u64, TcpStream>,
    /// The other end of the connection that was accepted last.
    last_peer: Option<SocketAddr>,
    connections: u64,
    released: bool,
    stopped: bool,
}

#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running receiver; it stops when dropped.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1, takes `script` one after another, and `then` for every request after them.
    ///
    /// # Panics
    /// When loopback cannot be listened on.
    pub fn start(script: impl IntoIterator<Item = Reply>, then: Reply) -> Self {
        Self::listen(script, then, None)
    }

    /// The same over TLS.
    ///
    /// # Panics
    /// When loopback cannot be listened on.
    pub fn start_tls(script: impl IntoIterator<Item = Reply>, then: Reply, tls: Arc<ServerConfig>) -> Self {
        Self::listen(script, then, Some(tls))
    }

    /// Takes from `listener` and replies to every request what `answer` makes of it.
    ///
    /// # Panics
    /// When `listener` has no address.
    pub fn answering(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            answer: Some(Arc::new(answer)),
            ..State::default()
        };
        Self::serve(listener, state, tls)
    }

    fn listen(script: impl IntoIterator<Item = Reply>, then: Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback can be listened on");
        let state = State {
            script: script.into_iter().collect(),
            then: Some(then),
            ..State::default()
        };
        Self::serve(listener, state, tls)
    }

    fn serve(listener: TcpListener, state: State, tls: Option<Arc<ServerConfig>>) -> Self {
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        *shared.state() = state;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let accepting = std::thread::spawn({
            let shared = shared.clone();
            move || connection::accept(&listener, &shared, tls.as_ref())
        });
        Self {
            address,
            scheme,
            shared,
            accepting: Some(accepting),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of `path` (which begins with a slash), with the host `localhost`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    /// Adds to the script.
    pub fn push(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.state().script.extend(replies);
    }

    /// From now on, what is done when the script is at its end.
    pub fn then(&self, reply: Reply) {
        self.shared.state().then = Some(reply);
    }

    /// From now on nothing is held back: see [`Reply::Held`].
    pub fn release(&self) {
        self.shared.state().released = true;
        self.shared.changed.notify_all();
    }

    /// The requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// The requests since this was asked last; they are kept no longer.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.state().received)
    }

    /// The requests, as soon as there are `count` of them; those that there are when `within` is over.
    pub fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        let fewer = |state: &mut State| state.received.len() < count;
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), within, fewer);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.received.clone()
    }

    /// What was wrong with requests that were refused, and with handshakes.
    pub fn problems(&self) -> Vec<String> {
        self.shared.state().problems.clone()
    }

    /// Waits until every connection has ended: of a sender that was killed, everything that it sent is among
    /// [`Receiver::requests`] then. Whether that was so before `within` was over.
    ///
    /// A connection of the dead may still wait to be accepted. They are accepted in the order in which they were made: when
    /// one that is made here has been, none of them waits any more.
    pub fn wait_until_quiet(&self, within: Duration) -> bool {
        let last = TcpStream::connect(self.address).and_then(|last| last.local_addr());
        let is_loud =
            |state: &State| !state.open.is_empty() || state.last_peer != last.as_ref().ok().copied();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), within, |state| is_loud(state))
            .unwrap_or_else(PoisonError::into_inner);
        !is_loud(&state)
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.state().connections
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.stopped = true;
            for stream in std::mem::take(&mut state.open).into_values() {
                // Closed by the other side already, or not any more afterwards.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
