//! A local HTTP receiver that reads requests, throws them away and answers 200, with the header by which an answer of AWS is told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A receiver on loopback that lives as long as the process.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    body_bytes: AtomicU64,
}

impl Sink {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When loopback cannot be listened on.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&shared);
                // A connection that breaks is the sender's to notice.
                std::thread::spawn(move || serve(stream, &counts));
            }
        });
        Ok(Self { address, counts })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests that were answered so far.
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Bytes of their bodies, as sent.
    pub fn body_bytes(&self) -> u64 {
        self.counts.body_bytes.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, counts: &Counts) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
    let mut output = stream;
    let mut line = String::new();
    loop {
        let mut body = 0;
        // AWS answers JSON to what it is asked in JSON.
        let mut answer = "";
        loop {
            line.clear();
            if input.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    body = value.trim().parse().map_err(io::Error::other)?;
                }
                Some((name, _)) if name.eq_ignore_ascii_case("x-amz-target") => answer = "{}",
                _ => {}
            }
        }
        io::copy(&mut (&mut input).take(body), &mut io::sink())?;
        counts.requests.fetch_add(1, Ordering::Relaxed);
        counts.body_bytes.fetch_add(body, Ordering::Relaxed);
        let length = answer.len();
        let head = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: sink\r\nETag: \"sink\"\r\nContent-Length:";
        output.write_all(format!("{head} {length}\r\n\r\n{answer}").as_bytes())?;
    }
}
