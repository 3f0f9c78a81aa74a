//! A counterpart: what it knows, and how it replies.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use auditship_testkit::receiver::{Received, Receiver, Reply};
use serde_json::Value;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running counterpart that knows `S`.
pub(crate) struct Fake<S> {
    receiver: Receiver,
    store: Arc<(Mutex<S>, Condvar)>,
}

impl<S: Send + 'static> Fake<S> {
    pub(crate) fn start(store: S, reply: fn(&mut S, &Received) -> Reply) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let store = Arc::new((Mutex::new(store), Condvar::new()));
        let shared = store.clone();
        let receiver = Receiver::answering(listener, None, move |request| {
            let reply = reply(&mut shared.0.lock().expect("held"), request);
            shared.1.notify_all();
            reply
        });
        Self { receiver, store }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.receiver.url(path)
    }

    /// Changes what it knows.
    pub(crate) fn change(&self, change: impl FnOnce(&mut S)) {
        change(&mut self.store.0.lock().expect("held"));
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        assert_eq!(self.receiver.problems(), [""; 0]);
        look(&self.store.0.lock().expect("held"))
    }

    /// Waits until it is so.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&S) -> bool) {
        let waited = self
            .store
            .1
            .wait_timeout_while(self.store.0.lock().expect("held"), PATIENCE, |store| {
                !is_so(store)
            });
        assert!(!waited.expect("held").1.timed_out(), "{what}");
    }
}

/// A reply with a JSON body.
pub(crate) fn json(status: u16, headers: &[(&str, String)], body: &Value) -> Reply {
    let mut all = vec![(String::from("Content-Type"), String::from("application/json"))];
    all.extend(
        headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    Reply::Full {
        status,
        headers: all,
        body: body.to_string().into_bytes(),
    }
}
