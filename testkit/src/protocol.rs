//! What a test and the program `auditship-host` say to each other: one JSON object a line, both ways.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::chunk::Layout;
use crate::host::{FlushCode, HostVersion};

/// How the host's process is set up, given as the program's only argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "both ends are in this crate")]
pub struct Setup {
    /// The plugin.
    pub library: PathBuf,
    /// Which host is played.
    pub version: HostVersion,
    /// Bytes of a flush's stack.
    pub stack: usize,
    /// What becomes of the standard streams, before the library is opened.
    pub streams: Streams,
    /// Seconds after which the process ends by itself, whatever hangs.
    pub limit: u32,
    /// With `Daemon On`: after Register the host forks, goes to `/` with umask 0 and closes its standard streams.
    pub daemon: bool,
}

/// What becomes of descriptors 0, 1 and 2.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are in this crate")]
pub enum Streams {
    /// They stay.
    Inherit,
    /// They are closed.
    Closed,
    /// 1 and 2 are this file.
    Captured(PathBuf),
}

/// A stanza.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "both ends are in this crate")]
pub struct Stanza {
    /// By what name commands mean the instance.
    pub instance: String,
    /// Threads that flush into it; 0: the host's main thread does, and everything else waits.
    pub workers: usize,
    /// The plugin's properties.
    pub properties: Vec<(String, String)>,
}

/// Parent to host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are in this crate")]
pub enum Command {
    /// Init for a stanza. Answer: [`Reply::Init`].
    Init(Stanza),
    /// FlushCtx. Answer: [`Reply::Flush`], when it comes.
    Flush {
        /// Chosen by the parent, repeated in the answer.
        id: u64,
        /// Which instance.
        instance: String,
        /// The chunk's tag.
        tag: String,
        /// The chunk.
        chunk: Chunk,
    },
    /// A flush with null for its arguments, on the main thread. Answer: [`Reply::Nulls`].
    FlushNulls {
        /// Which instance.
        instance: String,
    },
    /// Waits for the workers of the instance to finish what they have, then ExitCtx. Answer: [`Reply::Exit`].
    Exit {
        /// Which instance.
        instance: String,
    },
    /// FLBPluginExit, as a host without ExitCtx calls it; the instances stay known. Answer: [`Reply::ExitAll`].
    ExitAll,
    /// A hot reload in the host's order: open, PreRegister(1) and Register while the old instances run; Exit, unregister
    /// and close the old; Init for the new. Answers: [`Reply::Exit`] and [`Reply::Init`] for each, then
    /// [`Reply::Reloaded`].
    Reload {
        /// The new stanzas.
        stanzas: Vec<Stanza>,
        /// Another library, as after an upgrade.
        library: Option<PathBuf>,
    },
    /// What the process has open, beside what it was started with. Answer: [`Reply::Process`].
    Process,
}

/// A chunk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are in this crate")]
pub enum Chunk {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The content of this file.
    File(PathBuf),
    /// These lines of JSON.
    Ndjson {
        /// The lines.
        lines: String,
        /// How each becomes msgpack.
        layout: Layout,
        /// Their time.
        seconds: u32,
    },
}

/// Host to parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "both ends are in this crate")]
pub enum Reply {
    /// The library is opened and registered; comes first, unasked.
    Registered {
        /// The process that plays the host (another one than was started, with `daemon`).
        pid: u32,
        /// What Register returned.
        code: i32,
        /// The plugin's name.
        name: String,
        /// Whether its definition is that of an output.
        is_output: bool,
        /// Threads of the process, the main one included, right after Register.
        threads: usize,
        /// Open descriptors that were not open before the library was.
        new_fds: Vec<String>,
    },
    /// After [`Command::Init`].
    Init {
        /// Which instance.
        instance: String,
        /// What Init returned.
        code: i32,
        /// What the plugin wrote to the host's log.
        log: Vec<String>,
        /// How long it took.
        millis: u64,
    },
    /// After [`Command::Flush`].
    Flush {
        /// Which.
        id: u64,
        /// What the host reads in the returned value.
        code: FlushCode,
        /// How long it took.
        micros: u64,
        /// Bytes of the coroutine's stack that were used.
        stack: usize,
    },
    /// After [`Command::FlushNulls`].
    Nulls {
        /// Without a context, and without chunk and tag.
        codes: [FlushCode; 2],
    },
    /// After [`Command::Exit`].
    Exit {
        /// Which instance.
        instance: String,
        /// What ExitCtx returned.
        code: i32,
        /// How long it took.
        millis: u64,
        /// Names of the plugin's threads that are still there: half a second later, in a reload at once.
        threads: Vec<String>,
    },
    /// After [`Command::ExitAll`].
    ExitAll {
        /// What FLBPluginExit returned.
        code: i32,
        /// Names of the plugin's threads that are still there.
        threads: Vec<String>,
    },
    /// After [`Command::Reload`].
    Reloaded {
        /// From the first call to the last.
        millis: u64,
    },
    /// After [`Command::Process`].
    Process {
        /// The plugin's threads: name, and the mask of blocked signals.
        threads: Vec<(String, u64)>,
        /// Open descriptors: number, target, whether it is close-on-exec.
        fds: Vec<(i32, String, bool)>,
    },
    /// The command could not be carried out.
    Failed {
        /// Why.
        why: String,
    },
}
