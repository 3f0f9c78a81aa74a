//! A piece of network that can lose answers: what is sent through it arrives.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) struct Wire {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    loses: AtomicBool,
    lost: AtomicU64,
}

impl Wire {
    /// To `to`, as `http://127.0.0.1:80`. Its threads end with the process.
    pub(crate) fn to(url: &str) -> Self {
        let to = url
            .trim_start_matches("http://")
            .parse::<SocketAddr>()
            .expect("an address");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let far = TcpStream::connect(to).expect("the server listens");
                    carry(near, far, &state);
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every answer is lost, and its connection with it.
    pub(crate) fn lose_answers(&self) {
        self.state.loses.store(true, Ordering::SeqCst);
    }

    pub(crate) fn pass_answers(&self) {
        self.state.loses.store(false, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::SeqCst)
    }
}

fn carry(near: TcpStream, far: TcpStream, state: &State) {
    let (mut from_near, mut to_far) = (
        near.try_clone().expect("a socket"),
        far.try_clone().expect("a socket"),
    );
    std::thread::spawn(move || {
        let _broken = std::io::copy(&mut from_near, &mut to_far);
        let _gone = to_far.shutdown(Shutdown::Write);
    });
    let (mut from_far, mut to_near) = (far, near);
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from_far.read(&mut buffer) {
        if state.loses.load(Ordering::SeqCst) {
            state.lost.fetch_add(1, Ordering::SeqCst);
            break;
        }
        if to_near.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _gone = (
        to_near.shutdown(Shutdown::Both),
        from_far.shutdown(Shutdown::Both),
    );
}
