//! A running `auditship-host`, as a test holds it.
//!
//! The process is bounded: it ends when this is dropped (by SIGKILL), when the test's process ends (its input does),
//! and after [`Setup::limit`] seconds whatever happens.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::artefacts::Artefact;
use crate::host::{FlushCode, HostVersion};
use crate::protocol::{Chunk, Command, Reply, Setup, Stanza, Streams};

/// How long an answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct HostProcess {
    child: Child,
    commands: Option<ChildStdin>,
    replies: Receiver<Reply>,
    /// Answers that came while another one was awaited.
    early: VecDeque<Reply>,
    /// The process that plays the host.
    pid: u32,
    registered: Reply,
    next_id: u64,
}

/// A flush that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain facts for tests")]
pub struct Flushed {
    /// What the host was told.
    pub code: FlushCode,
    /// How long the flush took.
    pub micros: u64,
    /// Bytes of stack it used.
    pub stack: usize,
}

/// The usual setup for `library`: the newest host with a stack as on most builds, standard streams as they are.
pub fn setup(library: &Path) -> Setup {
    Setup {
        library: library.to_owned(),
        version: HostVersion::V5_1,
        stack: 24 << 10,
        streams: Streams::Inherit,
        limit: 120,
        daemon: false,
    }
}

/// A stanza without workers.
pub fn stanza(instance: &str, properties: &[(&str, &str)]) -> Stanza {
    Stanza {
        instance: instance.to_owned(),
        workers: 0,
        properties: properties
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

impl HostProcess {
    /// Starts a host; the plugin is registered when this returns.
    ///
    /// # Panics
    /// When it does not start: a test cannot go on without it.
    pub fn start(setup: &Setup) -> Self {
        Self::start_by(Process::new(Artefact::Host.path()), setup)
    }

    /// Starts a host by `program`, which is `auditship-host` itself, or one that runs it, with its path as the last
    /// argument so far. Environment and the like can be set on it before.
    ///
    /// # Panics
    /// As [`HostProcess::start`].
    pub fn start_by(mut program: Process, setup: &Setup) -> Self {
        let setup = serde_json::to_string(setup).unwrap_or_else(|why| panic!("a setup is JSON: {why}"));
        let mut child = program
            .arg(setup)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{program:?}: {why}"));
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("both were piped");
        };
        let (send, replies) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                // A line that a kill cut short is no answer.
                let Ok(reply) = serde_json::from_str(&line) else {
                    continue;
                };
                if send.send(reply).is_err() {
                    return;
                }
            }
        });
        let mut host = Self {
            pid: child.id(),
            child,
            commands: Some(commands),
            replies,
            early: VecDeque::new(),
            registered: Reply::Failed { why: String::new() },
            next_id: 0,
        };
        let first = host.reply(|reply| matches!(reply, Reply::Registered { .. } | Reply::Failed { .. }));
        match &first {
            Reply::Registered { pid, .. } => host.pid = *pid,
            other => panic!("not registered: {other:?}"),
        }
        host.registered = first;
        host
    }

    /// The process that plays the host.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The [`Reply::Registered`] with which it began.
    pub fn registered(&self) -> &Reply {
        &self.registered
    }

    /// Sends a command. One to a host that is gone is lost, as a real host's would be.
    ///
    /// # Panics
    /// After [`HostProcess::finish`].
    pub fn send(&mut self, command: &Command) {
        let mut line = serde_json::to_vec(command).unwrap_or_else(|why| panic!("a command is JSON: {why}"));
        line.push(b'\n');
        let Some(commands) = &mut self.commands else {
            panic!("its input is closed")
        };
        let _gone = commands.write_all(&line);
    }

    /// The next answer, if one comes before `patience` ends and the host lives.
    pub fn try_reply(&mut self, patience: Duration) -> Option<Reply> {
        if let Some(reply) = self.early.pop_front() {
            return Some(reply);
        }
        self.replies.recv_timeout(patience).ok()
    }

    /// The next answer for which `wanted` holds; others are kept for later.
    ///
    /// # Panics
    /// When none comes in a minute, or the host has ended.
    pub fn reply(&mut self, wanted: impl Fn(&Reply) -> bool) -> Reply {
        if let Some(at) = self.early.iter().position(&wanted)
            && let Some(reply) = self.early.remove(at)
        {
            return reply;
        }
        loop {
            match self.replies.recv_timeout(PATIENCE) {
                Ok(reply) if wanted(&reply) => return reply,
                Ok(reply) => self.early.push_back(reply),
                Err(why) => panic!(
                    "no answer: {why}; kept: {:?}; {:?}",
                    self.early,
                    self.child.try_wait()
                ),
            }
        }
    }

    /// Init; gives its code and what the plugin wrote to the host's log.
    ///
    /// # Panics
    /// As [`HostProcess::reply`].
    pub fn init(&mut self, stanza: &Stanza) -> (i32, Vec<String>) {
        self.send(&Command::Init(stanza.clone()));
        match self.reply(|reply| matches!(reply, Reply::Init { .. } | Reply::Failed { .. })) {
            Reply::Init { code, log, .. } => (code, log),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a flush, whose answer [`HostProcess::answer`] awaits.
    ///
    /// # Panics
    /// After [`HostProcess::finish`].
    pub fn send_flush(&mut self, instance: &str, tag: &str, chunk: Chunk) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let (instance, tag) = (instance.to_owned(), tag.to_owned());
        self.send(&Command::Flush {
            id,
            instance,
            tag,
            chunk,
        });
        id
    }

    /// The answer of a flush.
    ///
    /// # Panics
    /// As [`HostProcess::reply`].
    pub fn answer(&mut self, flush: u64) -> Flushed {
        match self.reply(|reply| match reply {
            Reply::Flush { id, .. } => *id == flush,
            Reply::Failed { .. } => true,
            _ => false,
        }) {
            Reply::Flush {
                code, micros, stack, ..
            } => Flushed { code, micros, stack },
            other => panic!("{other:?}"),
        }
    }

    /// Flushes and waits.
    ///
    /// # Panics
    /// As [`HostProcess::reply`].
    pub fn flush(&mut self, instance: &str, tag: &str, chunk: Chunk) -> Flushed {
        let flush = self.send_flush(instance, tag, chunk);
        self.answer(flush)
    }

    /// ExitCtx: milliseconds, and the plugin's threads that are left.
    ///
    /// # Panics
    /// As [`HostProcess::reply`].
    pub fn exit(&mut self, instance: &str) -> (u64, Vec<String>) {
        self.send(&Command::Exit {
            instance: instance.to_owned(),
        });
        match self.reply(|reply| matches!(reply, Reply::Exit { .. } | Reply::Failed { .. })) {
            Reply::Exit {
                code: 1,
                millis,
                threads,
                ..
            } => (millis, threads),
            other => panic!("{other:?}"),
        }
    }

    /// A hot reload with the same library: milliseconds, and each new stanza's Init.
    ///
    /// # Panics
    /// As [`HostProcess::reply`].
    pub fn reload(&mut self, stanzas: &[Stanza]) -> (u64, Vec<Reply>) {
        self.send(&Command::Reload {
            stanzas: stanzas.to_vec(),
            library: None,
        });
        let inits = stanzas
            .iter()
            .map(|_| self.reply(|reply| matches!(reply, Reply::Init { .. } | Reply::Failed { .. })))
            .collect();
        match self.reply(|reply| matches!(reply, Reply::Reloaded { .. } | Reply::Failed { .. })) {
            Reply::Reloaded { millis } => (millis, inits),
            other => panic!("{other:?}"),
        }
    }

    /// The plugin's threads with their signal masks, and the open descriptors.
    ///
    /// # Panics
    /// As [`HostProcess::reply`].
    #[expect(clippy::type_complexity, reason = "as in the reply")]
    pub fn process(&mut self) -> (Vec<(String, u64)>, Vec<(i32, String, bool)>) {
        self.send(&Command::Process);
        match self.reply(|reply| matches!(reply, Reply::Process { .. })) {
            Reply::Process { threads, fds } => (threads, fds),
            other => panic!("{other:?}"),
        }
    }

    /// Ends the host in order, as at SIGTERM: true if it ended well. (Of a daemon only the first process is seen.)
    ///
    /// # Panics
    /// When it does not end.
    pub fn finish(mut self) -> bool {
        self.commands = None;
        // The answers end when the last process that holds the other end does.
        while let Ok(_exit) = self.replies.recv_timeout(PATIENCE) {}
        self.pid = self.child.id();
        self.child.wait().is_ok_and(|status| status.success())
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) {
        if self.pid != self.child.id() {
            // A daemon, which is no child of ours. Its number is not in use by another: it lives until it is killed here
            // or `finish` has seen its end.
            crate::host::surroundings::signal(self.pid, libc::SIGKILL);
            self.pid = self.child.id();
        }
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
