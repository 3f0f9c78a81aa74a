//! `auditship ship`: a file or a pipe of NDJSON, through a spool, to one destination.
//!
//! # How it can be interrupted
//! Records are durable in the spool before they are sent, and the spool stays when something ends this process: the same
//! command goes on where it was. Where a file had not been read to its end, its place is in the spool too
//! ([`resume`]); it is written after the records up to it are durable, so nothing is left out, and records without an id
//! that were read in between come twice.
//!
//! Threads: this one, which reads nothing that could block it; one that reads the input; the shipper's.

mod input;
mod progress;
mod resume;
mod sums;
mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use clap::Args;

use self::input::{Input, Lines};
use self::progress::Progress;
use self::sums::Sums;
use super::exclusion::ExclusionFlags;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::outside;
use crate::config::quantity::Age;
use crate::config::{Config, Environment};
use crate::control::status::Activity;
use crate::control::{Role, commands};
use crate::deliver::Drained;
use crate::ingest::Chunk;
use crate::instance::{Answer, Instance, open_directory};
use crate::spool::AppendError;
use crate::spool::draft::SourceFormat;
use crate::spool::storage::Storage;
use crate::time::{Clock, Monotonic, SystemClock};

/// How long anything is waited for before signals, housekeeping and the display get their turn.
const TURN: Duration = Duration::from_millis(100);
/// How long requests on their way may take when we end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ship NDJSON from a file or standard input to a directory or a URL, through a durable spool.
///
/// Ends with 0 only when every record is delivered. Ended before that, by a signal, a crash or --wait, the same command
/// goes on where it was: records wait in the spool. Records with an event id are recognised when they come again. Lines
/// that are not JSON are named, put into quarantine, and end it with 1; the others go on.
#[derive(Args, Debug)]
pub(super) struct Ship {
    /// The file with one JSON object a line; `-`, the default, is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Where records go: a directory, the URL of an HTTP endpoint, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX
    #[arg(long, value_name = "DIR|URL")]
    to: String,
    /// A further key of the destination, as in a [[destination]] table: `--with token=env:TOKEN`
    #[arg(long, value_name = "KEY=VALUE", value_parser = target::key_value)]
    with: Vec<(String, String)>,
    /// The directory of the spool; by default one for each destination, below $XDG_STATE_HOME/auditship
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Give up when nothing could be delivered for so long; what is left stays in the spool
    #[arg(long, value_name = "AGE", default_value = "5m")]
    wait: Age,
    /// Print the sums as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    exclusion: ExclusionFlags,
}

/// Why shipping came to its end.
enum End {
    Delivered,
    /// By a signal; what stood in the way then, if anything did.
    Interrupted(Option<String>),
    /// Nothing could be delivered for too long, or not without somebody's help: why.
    Stuck(String),
}

impl Ship {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let mut config = target::config(&self.to, &self.with, self.spool.as_deref(), environment)?;
        config.exclusion = self.exclusion.after(config.exclusion);
        target::make_room(&config.spool.path)?;
        let interrupted = outside::interruption()?;
        let storage =
            open_directory(&config.spool.path).map_err(|error| Failure::Spool(error.to_string()))?;
        target::check_alone(&*storage, &config)?;
        let instance = Instance::start_in(
            Arc::clone(&storage),
            &config,
            &outside::of("auditship ship", environment),
        )
        .map_err(|error| Failure::Spool(error.to_string()))?;
        let input = Input::open(&self.file, &*storage)?;
        let mut shipping = Shipping {
            before: Sums::of(&instance),
            progress: Progress::of(input.size()),
            clock: SystemClock::new(),
            wait: self.wait.0,
            moved: None,
            instance,
            storage,
            interrupted,
        };
        let end = shipping.all_of(input)?;
        let Shipping {
            instance,
            before,
            progress,
            ..
        } = shipping;
        progress.clear();
        let sums = Sums::of(&instance).since(&before);
        let refused = sums::destination(&instance).map_or(0, |status| status.dead_letters.count);
        instance.stop(PATIENCE);
        self.conclude(end, &sums, refused, &config, output)
    }

    fn conclude(
        &self,
        end: End,
        sums: &Sums,
        refused: u64,
        config: &Config,
        output: &mut Output<'_>,
    ) -> Result<Exit, Failure> {
        let spool = config.spool.path.display();
        if self.json {
            output.json_line(&sums.json(&config.spool.path))?;
        } else {
            output.line(sums)?;
        }
        let left = counted(sums.pending, "record waits", "records wait");
        let is_whole = matches!(end, End::Delivered) && sums.is_all_delivered() && refused == 0;
        match end {
            End::Delivered => {}
            End::Interrupted(trouble) => {
                let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
                super::message(format_args!(
                    "interrupted{trouble}; {left} in {spool}: ship again"
                ));
            }
            End::Stuck(why) => super::message(format_args!("{why}; {left} in {spool}: ship again")),
        }
        if sums.undecodable_regions > 0 {
            let pieces = counted(sums.undecodable_regions, "piece", "pieces");
            super::message(format_args!(
                "{pieces} of the input could not be read: `auditship quarantine list --spool {spool}`"
            ));
        }
        // Those of earlier runs too: they are not where they were to go.
        if refused > 0 {
            let refused = counted(refused, "record was", "records were");
            super::message(format_args!(
                "{refused} refused: `auditship dead-letter list --spool {spool}`"
            ));
        }
        Ok(if is_whole { Exit::Done } else { Exit::Unsound })
    }
}

/// Why nothing moves just now, if the destination says so.
fn trouble(instance: &Instance) -> Option<String> {
    match sums::destination(instance)?.activity {
        Activity::Held { reason, .. } | Activity::BackingOff { reason, .. } => Some(reason),
        Activity::Active | Activity::Paused | Activity::Stopped => None,
    }
}

fn counted(number: u64, one: &str, several: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {several}"),
    }
}

/// When the destination settled something last.
#[derive(Clone, Copy)]
struct Moved {
    settled: u64,
    at: Monotonic,
}

struct Shipping {
    storage: Arc<dyn Storage>,
    instance: Instance,
    before: Sums,
    progress: Progress,
    clock: SystemClock,
    wait: Duration,
    moved: Option<Moved>,
    interrupted: Arc<AtomicBool>,
}

impl Shipping {
    fn all_of(&mut self, input: Input) -> Result<End, Failure> {
        let mut reading = input.start()?;
        loop {
            match reading.receiver.recv_timeout(TURN) {
                Ok(Ok(piece)) => {
                    if let Some(end) = self.accept(&piece)? {
                        return Ok(end);
                    }
                    reading.place.accepted(&piece, &*self.storage);
                    self.progress.read(piece.bytes.len() as u64);
                }
                Ok(Err(error)) => return Err(Failure::Spool(format!("{}: {error}", reading.origin))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Some(end) = self.turn(Phase::Reading) {
                return Ok(end);
            }
        }
        reading.place.finished(&*self.storage);
        loop {
            if self.drained() {
                return Ok(End::Delivered);
            }
            if let Some(end) = self.turn(Phase::Draining) {
                return Ok(end);
            }
        }
    }

    /// Makes a piece durable. While the spool is full it waits for the destination to make room.
    fn accept(&mut self, piece: &Lines) -> Result<Option<End>, Failure> {
        loop {
            let chunk = Chunk {
                source: SourceFormat::Ndjson,
                bytes: &piece.bytes,
                origin: &piece.origin,
                received_at: self.clock.wall(),
            };
            match self.instance.accept_lines(&chunk, piece.first_line) {
                Answer::Accepted => return Ok(None),
                Answer::Refused(full @ AppendError::Full { .. }) => {
                    self.drained();
                    match self.turn(Phase::Draining) {
                        Some(End::Stuck(why)) => {
                            let why = format!("{why}; the rest of the input was not read: {full}");
                            return Ok(Some(End::Stuck(why)));
                        }
                        Some(end) => return Ok(Some(end)),
                        None => {}
                    }
                }
                Answer::Refused(error) => return Err(Failure::Spool(error.to_string())),
            }
        }
    }

    /// Waits a turn for everything to be delivered, and says whether it is. What was left in the spool to be done (dead
    /// letters to be sent again) belongs to everything.
    fn drained(&self) -> bool {
        let due = commands::due(&*self.storage, Role::Shipper, self.clock.wall());
        if due.is_ok_and(|due| !due.is_empty()) {
            outside::pause(TURN);
            return false;
        }
        let drained = self.instance.shipper().map(|shipper| shipper.drain(TURN));
        drained == Some(Drained::Everything)
    }

    /// Housekeeping, signals, display. An end when there is a reason for one.
    fn turn(&mut self, phase: Phase) -> Option<End> {
        self.instance.tick();
        let sums = Sums::of(&self.instance).since(&self.before);
        self.progress.show(&sums);
        if self.interrupted.load(Ordering::SeqCst) {
            return Some(End::Interrupted(trouble(&self.instance)));
        }
        let (now, settled) = (self.clock.monotonic(), sums.settled());
        // While the input is silent nothing need move.
        let waits = phase == Phase::Draining || sums.pending > 0;
        let moved = match self.moved {
            Some(moved) if waits && moved.settled == settled => moved,
            _ => Moved { settled, at: now },
        };
        self.moved = Some(moved);
        let is_over = now.since(moved.at) >= self.wait;
        let status = sums::destination(&self.instance)?;
        // One that cannot be used at all has no target.
        let target = Some(&status.target).filter(|target| !target.is_empty());
        let target = target.unwrap_or(&status.id);
        match status.activity {
            // What an earlier run was refused for may be right by now, and is asked first.
            Activity::Held { reason, .. } if status.last_error.is_some() || is_over => {
                Some(End::Stuck(format!("{target} is held: {reason}")))
            }
            Activity::Paused => Some(End::Stuck(format!("{target} is paused: resume it"))),
            Activity::BackingOff { reason, .. } if is_over => Some(End::Stuck(reason)),
            // While the input lasts a batch may wait for more of it.
            _ if is_over && phase == Phase::Draining => {
                Some(End::Stuck("nothing could be delivered".to_owned()))
            }
            _ => None,
        }
    }
}

/// Whether more input may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    Draining,
}
