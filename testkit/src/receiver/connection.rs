//! Threads and sockets of the receiver.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::exchange::{Problem, read_body, read_head, write_response};
use super::{Received, Reply, Shared};

/// A byte stream of either kind.
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn has_client_certificate(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls
                .conn
                .peer_certificates()
                .is_some_and(|chain| !chain.is_empty()),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

pub(super) fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>) {
    let mut serving = Vec::new();
    for accepted in listener.incoming() {
        let Ok(socket) = accepted else { continue };
        let number = {
            let mut state = shared.state();
            if state.stopped {
                break;
            }
            let number = state.connections;
            state.connections += 1;
            state.last_peer = socket.peer_addr().ok();
            state
                .open
                .extend(socket.try_clone().map(|socket| (number, socket)));
            number
        };
        let (shared, tls) = (shared.clone(), tls.cloned());
        serving.push(std::thread::spawn(move || {
            let served = serve(socket, number, &shared, tls);
            let mut state = shared.state();
            // The last handle: now the socket is closed, and what came unread is answered with a reset.
            state.open.remove(&number);
            state
                .problems
                .extend(served.err().map(|problem| problem.to_string()));
            drop(state);
            shared.changed.notify_all();
        }));
    }
    for thread in serving {
        let _ = thread.join();
    }
}

fn serve(
    socket: TcpStream,
    number: u64,
    shared: &Shared,
    tls: Option<Arc<ServerConfig>>,
) -> Result<(), Problem> {
    let mut stream = match tls {
        None => Stream::Plain(socket),
        Some(config) => {
            let connection =
                ServerConnection::new(config).map_err(|error| Problem::new(error.to_string()))?;
            let mut tls = StreamOwned::new(connection, socket);
            while tls.conn.is_handshaking() {
                let done = tls.conn.complete_io(&mut tls.sock);
                done.map_err(|error| Problem::new(format!("handshake: {error}")))?;
            }
            Stream::Tls(Box::new(tls))
        }
    };
    let mut pending = Vec::new();
    loop {
        match exchange(&mut stream, &mut pending, number, shared) {
            Ok(Next::Request) => {}
            Ok(Next::Close) => return Ok(()),
            Err(problem) => {
                // Nobody may be there to read it.
                let _ = write_response(&mut stream, 400, &[], problem.to_string().as_bytes());
                return Err(problem);
            }
        }
    }
}

/// What comes after an exchange.
enum Next {
    Request,
    Close,
}

fn exchange(
    stream: &mut Stream,
    pending: &mut Vec<u8>,
    number: u64,
    shared: &Shared,
) -> Result<Next, Problem> {
    let Some(head) = read_head(stream, pending)? else {
        return Ok(Next::Close);
    };
    let (reply, answer_by) = {
        let mut state = shared.state();
        let next = state.script.pop_front();
        let by = state.answer.clone().filter(|_| next.is_none());
        (next.or_else(|| state.then.clone()).unwrap_or(Reply::Close), by)
    };
    if let (Reply::Early(status), None) = (&reply, &answer_by) {
        let status = *status;
        let _ = write_response(
            stream,
            status,
            &[(String::from("connection"), String::from("close"))],
            b"",
        );
        return Ok(Next::Close);
    }
    if head
        .header("expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    {
        let sent = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        sent.and_then(|()| stream.flush())
            .map_err(|error| Problem::new(error.to_string()))?;
    }
    let (body, plain) = read_body(stream, pending, &head)?;
    let close = head
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let received = Received {
        method: head.method,
        target: head.target,
        headers: head.headers,
        body,
        plain,
        connection: number,
        client_certificate: stream.has_client_certificate(),
    };
    let reply = answer_by.map_or(reply, |by| by(&received));
    shared.state().received.push(received);
    shared.changed.notify_all();
    let next = answer(stream, reply, shared).unwrap_or(Next::Close);
    Ok(if close { Next::Close } else { next })
}

/// Fails only when the other side is gone.
fn answer(stream: &mut Stream, reply: Reply, shared: &Shared) -> io::Result<Next> {
    match reply {
        Reply::Status(status) => write_response(stream, status, &[], b"")?,
        Reply::Full {
            status,
            headers,
            body,
        } => write_response(stream, status, &headers, &body)?,
        Reply::After(delay, reply) => {
            wait(shared, Some(delay));
            return answer(stream, *reply, shared);
        }
        Reply::Held(reply) => {
            let held = |state: &mut super::State| !state.stopped && !state.released;
            let waited = shared.changed.wait_while(shared.state(), held);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            return answer(stream, *reply, shared);
        }
        Reply::Hang => {
            wait(shared, None);
            return Ok(Next::Close);
        }
        Reply::Close | Reply::Early(_) => return Ok(Next::Close),
        Reply::Cut(status) => {
            write!(
                stream,
                "HTTP/1.1 {status} Cut\r\ncontent-length: 1000\r\n\r\nonly this much"
            )?;
            stream.flush()?;
            return Ok(Next::Close);
        }
        Reply::Raw(bytes) => {
            stream.write_all(&bytes)?;
            stream.flush()?;
            return Ok(Next::Close);
        }
    }
    Ok(Next::Request)
}

/// Until the receiver stops, at most `delay`.
fn wait(shared: &Shared, delay: Option<Duration>) {
    let running = |state: &mut super::State| !state.stopped;
    match delay {
        Some(delay) => {
            let waited = shared.changed.wait_timeout_while(shared.state(), delay, running);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
        None => {
            let waited = shared.changed.wait_while(shared.state(), running);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
