//! Plays Fluent Bit for one plugin: `auditship-host SETUP`, with commands on standard input and answers on standard
//! output, one JSON object a line (see `auditship_testkit::protocol`).
//!
//! Ends when its input ends, with ExitCtx for each instance, or by SIGALRM after the time that the setup allows.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use auditship_testkit::chunk;
use auditship_testkit::host::{Coroutine, Instance, Library, Plugin, surroundings};
use auditship_testkit::protocol::{Chunk, Command, Reply, Setup, Stanza, Streams};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let Some(setup) = std::env::args()
        .nth(1)
        .and_then(|text| serde_json::from_str(&text).ok())
    else {
        return ExitCode::from(2);
    };
    match Host::start(setup).and_then(Host::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_told) => ExitCode::FAILURE,
    }
}

/// Where answers go, from any thread.
#[derive(Clone)]
struct Answers(Arc<Mutex<File>>);

impl Answers {
    fn send(&self, reply: &Reply) {
        let Ok(mut line) = serde_json::to_vec(reply) else {
            return;
        };
        line.push(b'\n');
        if let Ok(mut file) = self.0.lock() {
            // The parent is gone: so is the reason to run, and the end of the input ends the program.
            let _nobody_listens = file.write_all(&line);
        }
    }
}

struct Job {
    id: u64,
    tag: String,
    chunk: Vec<u8>,
}

/// An instance with its workers.
struct Running {
    instance: Arc<Instance>,
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
}

struct Host {
    setup: Setup,
    commands: BufReader<File>,
    answers: Answers,
    plugin: Plugin,
    coroutine: Coroutine,
    running: BTreeMap<String, Running>,
    /// Descriptors that this process was started with.
    inherited: Vec<(i32, String, bool)>,
}

impl Host {
    fn start(setup: Setup) -> Result<Self, Failure> {
        surroundings::limit_life(setup.limit);
        let inherited = descriptors();
        let commands = BufReader::new(surroundings::duplicate(0)?);
        let answers = Answers(Arc::new(Mutex::new(surroundings::duplicate(1)?)));
        match &setup.streams {
            Streams::Inherit => {}
            Streams::Closed => (0..3).for_each(surroundings::close_stream),
            Streams::Captured(path) => {
                let file = File::create(path)?;
                surroundings::redirect_stream(1, &file)?;
                surroundings::redirect_stream(2, &file)?;
            }
        }
        let started = Self::register(&setup, false, &answers);
        if let Err(why) = &started {
            answers.send(&Reply::Failed { why: why.to_string() });
        }
        let plugin = started?;
        let coroutine = Coroutine::new(setup.stack)?;
        Ok(Self {
            setup,
            commands,
            answers,
            plugin,
            coroutine,
            running: BTreeMap::new(),
            inherited,
        })
    }

    /// Opens the library and registers the plugin; at a first start also becomes a daemon, if asked to.
    fn register(setup: &Setup, hot_reload: bool, answers: &Answers) -> Result<Plugin, Failure> {
        let before = descriptors();
        let plugin = Library::open(&setup.library)?.register(setup.version, hot_reload)?;
        let threads = fs::read_dir("/proc/self/task")?.count();
        let after = descriptors();
        if setup.daemon && !hot_reload {
            surroundings::daemonise()?;
            surroundings::limit_life(setup.limit);
            surroundings::set_umask(0);
            std::env::set_current_dir("/")?;
            surroundings::close_stream(2);
            surroundings::close_stream(1);
        }
        answers.send(&Reply::Registered {
            pid: std::process::id(),
            code: plugin.register_code(),
            name: plugin.name().to_owned(),
            is_output: plugin.is_output(),
            threads,
            new_fds: after
                .into_iter()
                .filter(|fd| !before.contains(fd))
                .map(|(_, target, _)| target)
                .collect(),
        });
        Ok(plugin)
    }

    fn run(mut self) -> Result<(), Failure> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.commands.read_line(&mut line)? == 0 {
                break;
            }
            let done = serde_json::from_str(&line)
                .map_err(Failure::from)
                .and_then(|command| self.carry_out(command));
            if let Err(why) = done {
                self.answers.send(&Reply::Failed { why: why.to_string() });
            }
        }
        for (name, running) in std::mem::take(&mut self.running) {
            self.exit(&name, running)?;
        }
        self.plugin.unload();
        Ok(())
    }

    fn carry_out(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Init(stanza) => self.init(&stanza),
            Command::Flush {
                id,
                instance,
                tag,
                chunk,
            } => {
                let job = Job {
                    id,
                    tag,
                    chunk: bytes(chunk)?,
                };
                let running = self.running.get(&instance).ok_or("no such instance")?;
                match &running.jobs {
                    Some(jobs) => jobs.send(job)?,
                    None => flush(&running.instance, &mut self.coroutine, &job, &self.answers),
                }
                Ok(())
            }
            Command::FlushNulls { instance } => {
                let running = self.running.get(&instance).ok_or("no such instance")?;
                let codes = running.instance.flush_nulls(&mut self.coroutine);
                self.answers.send(&Reply::Nulls { codes });
                Ok(())
            }
            Command::Exit { instance } => {
                let running = self.running.remove(&instance).ok_or("no such instance")?;
                self.exit(&instance, running)
            }
            Command::ExitAll => {
                let code = self.plugin.exit_all();
                let threads = threads_left()?;
                self.answers.send(&Reply::ExitAll { code, threads });
                Ok(())
            }
            Command::Reload { stanzas, library } => self.reload(&stanzas, library),
            Command::Process => {
                self.answers.send(&Reply::Process {
                    threads: threads()?,
                    fds: descriptors()
                        .into_iter()
                        .filter(|fd| fd.0 < 3 || !self.inherited.contains(fd))
                        .collect(),
                });
                Ok(())
            }
        }
    }

    fn init(&mut self, stanza: &Stanza) -> Result<(), Failure> {
        let watch = Watch::start();
        let (instance, code) = self.plugin.init(&stanza.properties)?;
        let millis = watch.elapsed().as_millis().try_into()?;
        let log = auditship_testkit::host::take_log();
        if code > 0 {
            let running = self.running(Arc::new(instance), stanza.workers)?;
            self.running.insert(stanza.instance.clone(), running);
        }
        self.answers.send(&Reply::Init {
            instance: stanza.instance.clone(),
            code,
            log,
            millis,
        });
        Ok(())
    }

    fn running(&self, instance: Arc<Instance>, workers: usize) -> Result<Running, Failure> {
        if workers == 0 {
            return Ok(Running {
                instance,
                jobs: None,
                workers: Vec::new(),
            });
        }
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let workers = (0..workers)
            .map(|_| {
                let (instance, queue, answers) =
                    (Arc::clone(&instance), Arc::clone(&queue), self.answers.clone());
                let mut coroutine = Coroutine::new(self.setup.stack)?;
                let work = move || {
                    while let Some(job) = next(&queue) {
                        flush(&instance, &mut coroutine, &job, &answers);
                    }
                };
                Ok(std::thread::Builder::new()
                    .name("flb-worker".into())
                    .spawn(work)?)
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Running {
            instance,
            jobs: Some(jobs),
            workers,
        })
    }

    fn exit(&self, name: &str, running: Running) -> Result<(), Failure> {
        let (code, millis) = end(running)?;
        self.answers.send(&Reply::Exit {
            instance: name.to_owned(),
            code,
            millis,
            threads: threads_left()?,
        });
        Ok(())
    }

    fn reload(&mut self, stanzas: &[Stanza], library: Option<std::path::PathBuf>) -> Result<(), Failure> {
        let watch = Watch::start();
        if let Some(library) = library {
            self.setup.library = library;
        }
        let new = Self::register(&self.setup, true, &self.answers)?;
        for (instance, running) in std::mem::take(&mut self.running) {
            let (code, millis) = end(running)?;
            // At once: waiting for abandoned threads to go would be measured as the plugin's time.
            let threads = threads()?.into_iter().map(|(name, _)| name).collect();
            self.answers.send(&Reply::Exit {
                instance,
                code,
                millis,
                threads,
            });
        }
        std::mem::replace(&mut self.plugin, new).unload();
        for stanza in stanzas {
            self.init(stanza)?;
        }
        let millis = watch.elapsed().as_millis().try_into()?;
        self.answers.send(&Reply::Reloaded { millis });
        Ok(())
    }
}

/// Ends the workers, as the host does before it calls ExitCtx, and then the instance: its answer, and how long it took.
fn end(mut running: Running) -> Result<(i32, u64), Failure> {
    running.jobs = None;
    for worker in running.workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    let watch = Watch::start();
    let code = running.instance.exit();
    Ok((code, watch.elapsed().as_millis().try_into()?))
}

fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().ok()?.recv().ok()
}

fn flush(instance: &Instance, coroutine: &mut Coroutine, job: &Job, answers: &Answers) {
    let watch = Watch::start();
    let (code, flushed) = instance.flush(coroutine, &job.chunk, job.tag.as_ref());
    let micros = watch.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
    answers.send(&Reply::Flush {
        id: job.id,
        code,
        micros,
        stack: flushed.stack,
    });
}

fn bytes(chunk: Chunk) -> Result<Vec<u8>, Failure> {
    Ok(match chunk {
        Chunk::Bytes(bytes) => bytes,
        Chunk::File(path) => fs::read(path)?,
        Chunk::Ndjson {
            lines,
            layout,
            seconds,
        } => chunk::from_ndjson(&lines, layout, seconds)
            .map_err(|(line, why)| format!("line {line}: {why}"))?,
    })
}

/// Names of the plugin's threads after an end. A thread that was joined may be listed a moment longer.
fn threads_left() -> Result<Vec<String>, Failure> {
    for _ in 0..25 {
        if threads()?.is_empty() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(threads()?.into_iter().map(|(name, _)| name).collect())
}

/// The plugin's threads: name and blocked signals.
fn threads() -> Result<Vec<(String, u64)>, Failure> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may end while it is looked at.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
                .unwrap_or_default()
                .to_owned()
        };
        let name = field("Name:");
        if name.starts_with("aship-") {
            found.push((name, u64::from_str_radix(&field("SigBlk:"), 16)?));
        }
    }
    found.sort();
    Ok(found)
}

/// Open descriptors: number, target, whether it is close-on-exec.
fn descriptors() -> Vec<(i32, String, bool)> {
    let listing = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let mut found: Vec<_> = listing
        .filter_map(|entry| {
            let number: i32 = entry.file_name().to_str()?.parse().ok()?;
            // The listing's own descriptor is gone again.
            let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
            let flags = u32::from_str_radix(flags.trim(), 8).ok()?;
            const CLOSE_ON_EXEC: u32 = 0o2_000_000;
            Some((number, target, flags & CLOSE_ON_EXEC != 0))
        })
        .filter(|(_, target, _)| !target.starts_with("/proc/"))
        .collect();
    found.sort();
    found
}

/// Measures how long a call takes.
struct Watch(std::time::Instant);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
