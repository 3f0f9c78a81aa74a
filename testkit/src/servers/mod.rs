//! Real object stores on loopback, as tests need them: started on free ports, stopped by process id.
//!
//! # In scope
//! [`swift`] (OpenStack Swift with `s3api`: signatures with region and service, clocks, checksums, creating only),
//! [`radosgw`] (Ceph's gateway: creating only under a race, Object Lock that locks) and [`azurite`] (Microsoft's emulator of
//! Blob Storage: shared keys, shared access signatures, tokens, creating only).
//!
//! # Out of scope
//! Installing them: `scripts/test-deps.sh`. Where one is not installed a test says so by its name ([`Absent`]).
//!
//! # Invariants
//! 1. No server outlives the process that started it, however that ends: the kernel kills it with the thread that started
//!    it, which lives as long as the process.
//! 2. A server that is installed and does not start is a failure, not a reason to skip.

pub mod azurite;
pub mod radosgw;
pub mod swift;

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// A server is not installed: what lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a plain reason")]
pub struct Absent(pub String);

/// A user of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain facts for tests")]
pub struct User {
    /// The access key id.
    pub key: &'static str,
    /// The secret access key.
    pub secret: &'static str,
}

/// The processes of one server and its directory, which go with it.
#[derive(Debug)]
struct Processes {
    directory: PathBuf,
    running: Vec<(String, Child)>,
}

impl Processes {
    /// An empty directory for the server `name` below the build's own, which has file systems with extended attributes
    /// where `/tmp` may have none. Those of processes that are gone are removed.
    fn in_directory(name: &str) -> Self {
        let above = crate::artefacts::target_directory()
            .unwrap_or_else(|why| panic!("{why}"))
            .join("servers");
        made(&above);
        for entry in fs::read_dir(&above).into_iter().flatten().flatten() {
            let owner = entry
                .file_name()
                .to_string_lossy()
                .rsplit_once('-')
                .map(|(_, pid)| pid.to_owned());
            let is_number = |pid: &String| pid.bytes().all(|byte| byte.is_ascii_digit());
            if owner
                .filter(is_number)
                .is_some_and(|pid| !Path::new("/proc").join(pid).exists())
            {
                let _in_use = fs::remove_dir_all(entry.path());
            }
        }
        let directory = above.join(format!("{name}-{}", std::process::id()));
        let _none = fs::remove_dir_all(&directory);
        made(&directory);
        Self {
            directory,
            running: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }

    /// Runs a program to its end; gives its standard output.
    fn run(&self, command: &mut Command) -> String {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts a program that stays; what it says goes into `name.log`.
    fn start(&mut self, name: &str, program: &Path, arguments: &[String]) {
        let log = self.path(&format!("{name}.log"));
        let log = File::create(&log).unwrap_or_else(|why| panic!("{}: {why}", log.display()));
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap_or_else(|why| panic!("{why}")))
            .stdout(log);
        let child = spawn(command).unwrap_or_else(|why| panic!("{}: {why}", program.display()));
        self.running.push((name.to_owned(), child));
    }

    /// Waits until `is_ready`, or panics with the logs when a program ends or nothing comes of it.
    #[expect(
        clippy::disallowed_methods,
        reason = "another process gives no event to wait for"
    )]
    fn await_ready(&mut self, what: &str, mut is_ready: impl FnMut() -> bool) {
        for _ in 0..600 {
            if is_ready() {
                return;
            }
            for (name, child) in &mut self.running {
                if let Ok(Some(status)) = child.try_wait() {
                    let said =
                        fs::read_to_string(self.directory.join(format!("{name}.log"))).unwrap_or_default();
                    panic!("{name} ended with {status}: {said}");
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let logs = self.running.iter().map(|(name, _)| {
            let said = fs::read_to_string(self.directory.join(format!("{name}.log"))).unwrap_or_default();
            format!("{name}: {said}")
        });
        panic!("{what} is not ready: {}", logs.collect::<Vec<_>>().join("\n"));
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _gone = child.kill();
            let _status = child.wait();
        }
        let _in_use = fs::remove_dir_all(&self.directory);
    }
}

fn made(directory: &Path) {
    fs::create_dir_all(directory).unwrap_or_else(|why| panic!("{}: {why}", directory.display()));
}

/// A program to start, and where the started one is to be sent.
type Start = (Command, Sender<io::Result<Child>>);

/// Starts a program from a thread that never ends: it is killed when that thread does.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Sender<Start>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (send, receive) = channel::<Start>();
        std::thread::spawn(move || {
            for (mut command, reply) in receive {
                let _not_awaited = reply.send(command.spawn());
            }
        });
        send
    });
    let (send, receive) = channel();
    let lost = || io::Error::other("the thread that starts servers is gone");
    starter.send((command, send)).map_err(|_| lost())?;
    receive.recv().map_err(|_| lost())?
}

/// Ports that nothing listens on now, all different.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|why| panic!("no free port: {why}"))
    });
    listeners.map(|listener| listener.local_addr().map_or(0, |address| address.port()))
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The program `name` on the path.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
