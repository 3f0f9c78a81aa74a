//! `auditship run` as a process, and what it says.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use crate::cli_support::command;
use crate::shipment::eventually;

/// The binary with these arguments, started, with pipes for its streams.
pub(crate) fn piped(arguments: &[&str]) -> Child {
    let mut command = command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("started")
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, signal).expect("sent");
}

/// A running daemon. It is killed when the test ends without [`Daemon::terminate`].
pub(crate) struct Daemon {
    child: Child,
    stderr: Arc<Mutex<String>>,
}

impl Daemon {
    pub(crate) fn start(config: &str) -> Self {
        let mut child = piped(&["run", "-c", config]);
        let stderr = Arc::<Mutex<String>>::default();
        let said = Arc::clone(&stderr);
        let pipe = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in pipe.lines() {
                let line = line.expect("text");
                said.lock().expect("held").push_str(&format!("{line}\n"));
            }
        });
        Self { child, stderr }
    }

    /// All that it has said.
    pub(crate) fn said(&self) -> String {
        self.stderr.lock().expect("held").clone()
    }

    /// Waits until it has said `what`.
    pub(crate) fn says(&self, what: &str) {
        eventually(what, || self.said().contains(what));
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        signal(&self.child, Signal::HUP);
    }

    /// SIGHUP, and waits until it has said `what` of it.
    pub(crate) fn reloads(&self, what: &str) {
        let before = self.said().len();
        self.hang_up();
        eventually(what, || self.said()[before..].contains(what));
    }

    /// Waits until it has ended by itself; how.
    pub(crate) fn ends(&mut self) -> i32 {
        let mut ended = None;
        eventually("it has ended", || {
            ended = self.child.try_wait().expect("asked");
            ended.is_some()
        });
        ended.and_then(|status| status.code()).expect("no signal")
    }

    /// SIGTERM; how it ended.
    pub(crate) fn terminate(mut self) -> i32 {
        signal(&self.child, Signal::TERM);
        self.child.wait().expect("ended").code().expect("ended by itself")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
