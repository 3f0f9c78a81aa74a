//! The port to which a browser on this host brings the code (RFC 8252, 7.3).
//!
//! # Invariants
//! 1. It listens on 127.0.0.1 only, for one login, and takes what comes one at a time.
//! 2. A request is read up to [`LONGEST`] and for [`PATIENCE`]: nobody on this host can hold the login up for long. Browsers open
//!    connections that they then send nothing on.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// Where the browser is sent to.
pub(super) const PATH: &str = "/callback";

const LONGEST: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// Listens for one browser.
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

impl Loopback {
    /// Listens on `port`, or on any free one for 0.
    pub(super) fn listen(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where the server is to send the browser.
    pub(super) fn redirect_url(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Gives the query string of what comes back to `judge`, until that has its answer; the browser is told of it.
    pub(super) fn until<T>(
        &self,
        judge: impl Fn(&str) -> Option<Result<T, String>>,
    ) -> io::Result<Result<T, String>> {
        loop {
            let (mut browser, _) = self.listener.accept()?;
            // One that goes away, or says nothing, was not the one.
            let Ok(Some(query)) = query(&mut browser) else {
                let _gone = answer(&mut browser, "404 Not Found", "Nothing is here.");
                continue;
            };
            let told = match judge(&query) {
                Some(Ok(code)) => (
                    "200 OK",
                    "The code has arrived. You may close this page; the terminal says more.",
                    Some(Ok(code)),
                ),
                Some(Err(problem)) => (
                    "200 OK",
                    "The login was refused. The terminal says more.",
                    Some(Err(problem)),
                ),
                None => (
                    "400 Bad Request",
                    "This is not the answer to the login that runs in the terminal.",
                    None,
                ),
            };
            let _gone = answer(&mut browser, told.0, told.1);
            if let Some(done) = told.2 {
                return Ok(done);
            }
        }
    }
}

/// The query string of a `GET` of [`PATH`].
fn query(browser: &mut TcpStream) -> io::Result<Option<String>> {
    browser.set_read_timeout(Some(PATIENCE))?;
    browser.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match browser.read(&mut bytes)? {
            0 => return Ok(None),
            read => head.extend_from_slice(&bytes[..read]),
        }
        if head.len() > LONGEST {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    Ok(match (method, target.split_once('?')) {
        (Some("GET"), Some((PATH, query))) => Some(format!("?{query}")),
        _ => None,
    })
}

fn answer(browser: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    let page = format!("<!doctype html><title>auditship</title><p>{text}</p>\n");
    write!(
        browser,
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )?;
    browser.flush()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn ask(port: u16, request: &str) -> String {
        let mut browser = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        browser.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        browser.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn only_what_is_judged_to_be_it_ends_the_listening() {
        let loopback = Loopback::listen(0).unwrap();
        let port = loopback.port;
        assert_eq!(
            loopback.redirect_url(),
            format!("http://127.0.0.1:{port}/callback")
        );
        let done = thread::scope(|scope| {
            let listening = scope.spawn(|| {
                loopback
                    .until(|query| (query == "?code=x").then(|| Ok(query.to_owned())))
                    .unwrap()
            });
            for (request, status) in [
                ("GET /favicon.ico HTTP/1.1\r\n\r\n", "404"),
                ("POST /callback?code=x HTTP/1.1\r\n\r\n", "404"),
                ("GET /callback HTTP/1.1\r\n\r\n", "404"),
                ("GET /callback?code=y HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
                ("GET /callback?code=x HTTP/1.1\r\nHost: a\r\n\r\n", "200"),
            ] {
                let answer = ask(port, request);
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {status} ")),
                    "{request}: {answer}"
                );
            }
            listening.join().unwrap()
        });
        assert_eq!(done.as_deref(), Ok("?code=x"));
    }
}
