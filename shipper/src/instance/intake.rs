//! Chunks in, acknowledgements out: decode, append and one sync for all that wait.
//!
//! # Invariants
//! 1. A chunk is accepted as a whole or refused as a whole: of a refused one nothing is in the spool. So one that needs
//!    several drafts begins with nothing else pending, and is discarded together when one of its drafts is refused.
//! 2. [`Answer::Accepted`] is set only after the sync that covers the chunk.
//! 3. Nothing here waits for anything but the disk.
//!
//! Runs on the instance thread.

use std::sync::Arc;

use super::quarantine;
use super::report::Report;
use super::{Outside, Program};
use crate::control::commands::{self, BlockPlace, Command, Outcome};
use crate::control::log::{Level, Log};
use crate::control::{self, Role};
use crate::ingest::{self, Chunk, Ingest};
use crate::record::Position;
use crate::spool::draft::{Draft, SourceFormat};
use crate::spool::storage::Storage;
use crate::spool::{self, AppendError, IoFailure, SpoolError, Writer, WriterOptions};
use crate::time::{Clock, Monotonic};

/// What a chunk is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a host must treat both")]
pub enum Answer {
    /// Everything of it is durable, excluded, a duplicate or in quarantine: forget it.
    Accepted,
    /// Nothing of it is in the spool: keep it and hand it over again.
    Refused(AppendError),
}

/// How often the spool is looked after, and the status written.
const HOUSEKEEPING: std::time::Duration = std::time::Duration::from_secs(1);

/// The writing half of an instance.
pub struct Intake {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    writer: Writer,
    ingest: Ingest,
    draft: Draft,
    log: Log,
    report: Report,
    last_housekeeping: Option<Monotonic>,
}

impl Intake {
    /// Opens the spool in `storage` for writing.
    ///
    /// # Errors
    /// Any [`SpoolError`].
    pub fn open(
        storage: Arc<dyn Storage>,
        options: WriterOptions,
        settings: &ingest::Settings,
        outside: &Outside,
        program: &Program,
    ) -> Result<Self, SpoolError> {
        let instance = options.id.clone();
        let drops = options.on_full == spool::OnFull::DropOldest;
        let (writer, opened) = Writer::open(
            Arc::clone(&storage),
            options,
            Arc::clone(&outside.clock),
            Arc::clone(&outside.random),
        )?;
        let log = Log::new(Arc::clone(&storage), Arc::clone(&outside.clock));
        super::report::opened(&log, &opened);
        if let Err(error) = control::prepare(&*storage) {
            // Without these folders the spool takes records all the same; only commands cannot be given.
            log.error("control folders missing", &[("error", &error)]);
        }
        let report = Report::new(instance, program, drops, outside.clock.wall());
        Ok(Self {
            storage,
            clock: Arc::clone(&outside.clock),
            writer,
            ingest: Ingest::new(settings),
            draft: Draft::default(),
            log,
            report,
            last_housekeeping: None,
        })
    }

    /// The log of this instance, for other parts of the process.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The spool's writer, to look at.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Makes `chunks` durable with one sync, and answers each. The second result tells whether the head moved.
    pub fn accept(&mut self, chunks: &[Chunk<'_>]) -> (Vec<Answer>, bool) {
        self.accept_from(chunks, Position::default())
    }

    /// As [`Intake::accept`], where each chunk begins at `from`: whoever reads a file in pieces carries the line on.
    pub fn accept_from(&mut self, chunks: &[Chunk<'_>], from: Position) -> (Vec<Answer>, bool) {
        let before = self.writer.head().next_seq;
        let mut answers: Vec<Answer> = Vec::with_capacity(chunks.len());
        // The first chunk that waits for the next sync.
        let mut unsynced = 0;
        for chunk in chunks {
            let answer = match self.append(chunk, from, &mut answers, &mut unsynced) {
                Ok(()) => Answer::Accepted,
                Err(error) => Answer::Refused(error),
            };
            answers.push(answer);
        }
        self.sync(&mut answers, &mut unsynced);
        for answer in &answers {
            self.report.answered(&self.log, answer, self.clock.wall());
        }
        (answers, self.writer.head().next_seq != before)
    }

    /// Appends all drafts of `chunk`. `Ok` means durable after the next sync.
    fn append(
        &mut self,
        chunk: &Chunk<'_>,
        from: Position,
        answers: &mut [Answer],
        unsynced: &mut usize,
    ) -> Result<(), AppendError> {
        let mut more = self.decode(chunk, from);
        if more.is_none() {
            return self.append_draft(chunk);
        }
        // Whatever waits is made durable first, so that discarding this chunk discards nothing else.
        self.sync(answers, unsynced);
        let result = loop {
            if let Err(error) = self.append_draft(chunk) {
                break Err(error);
            }
            match more {
                Some(position) => more = self.decode(chunk, position),
                None => break self.writer.sync().map(drop),
            }
        };
        if result.is_err() {
            self.writer.discard();
        }
        *unsynced = answers.len() + 1;
        result
    }

    fn decode(&mut self, chunk: &Chunk<'_>, from: Position) -> Option<Position> {
        let next = self.writer.next();
        self.ingest
            .chunk(chunk, from, next, self.writer.window(), &mut self.draft)
    }

    fn append_draft(&mut self, chunk: &Chunk<'_>) -> Result<(), AppendError> {
        self.report.decoded(&self.log, chunk, &self.draft);
        self.writer.append(&self.draft, chunk.received_at)
    }

    /// Syncs what waits; when that fails, the chunks that waited are refused.
    fn sync(&mut self, answers: &mut [Answer], unsynced: &mut usize) {
        if let Err(error) = self.writer.sync() {
            for answer in answers.iter_mut().skip(*unsynced) {
                if *answer == Answer::Accepted {
                    *answer = Answer::Refused(error.clone());
                }
            }
        }
        *unsynced = answers.len();
    }

    /// Housekeeping, about once a second whatever the pace of the calls: maintenance of the spool, status, commands.
    pub fn tick(&mut self) {
        let now = self.clock.monotonic();
        if self
            .last_housekeeping
            .is_some_and(|last| now.since(last) < HOUSEKEEPING)
        {
            return;
        }
        self.last_housekeeping = Some(now);
        self.obey();
        self.publish();
    }

    /// Looks after the spool and writes the status.
    pub(super) fn publish(&mut self) {
        let wall = self.clock.wall();
        let maintenance = self.writer.maintain(wall);
        if let Err(error) = self
            .report
            .publish(&*self.storage, &self.writer, &maintenance, wall)
        {
            self.log
                .once_a_minute("status", Level::Warn, "status not written", &[("error", &error)]);
        }
    }

    /// Does what was asked of the writer.
    fn obey(&mut self) {
        let now = self.clock.wall();
        let due = match commands::due(&*self.storage, Role::Writer, now) {
            Ok(due) => due,
            Err(error) => {
                self.log
                    .once_a_minute("commands", Level::Warn, "commands not read", &[("error", &error)]);
                return;
            }
        };
        for due in due {
            let outcome = match &due.command {
                Command::QuarantineRetry { which } => quarantine::retry(self, which),
                Command::QuarantineDiscard { which } => quarantine::discard(self, which),
                Command::Reclaim => self.reclaim(),
                Command::Note { text } => self.say(text),
                _ => Outcome::Refused {
                    message: "this version of the writer does not know that command".to_owned(),
                },
            };
            self.log
                .info("command done", &[("number", &due.ticket.number), ("by", &due.by)]);
            if let Err(error) = commands::answer(&*self.storage, &due.ticket, now, outcome) {
                self.log.warn("command not answered", &[("error", &error)]);
            }
        }
    }

    fn say(&mut self, text: &str) -> Outcome {
        match self.notice(text) {
            Ok(()) => Outcome::Done {
                message: "noted".to_owned(),
            },
            Err(error) => Outcome::Refused {
                message: error.to_string(),
            },
        }
    }

    fn reclaim(&mut self) -> Outcome {
        let removed = self.writer.reclaim(self.clock.wall());
        Outcome::Done {
            message: format!("removed {removed} delivered segments"),
        }
    }

    /// Says something in the spool that must be possible when it is full, durably.
    pub(super) fn notice(&mut self, text: &str) -> Result<(), AppendError> {
        self.writer.notice(text)?;
        self.writer.sync().map(drop)
    }

    /// The quarantine block at `place` need not be kept any longer.
    pub(super) fn settle_quarantined(&mut self, place: BlockPlace) -> Result<(), IoFailure> {
        self.writer.settle_quarantined(spool::Position {
            segment: place.segment,
            offset: place.offset,
        })
    }

    /// Where the spool is.
    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Spools what can be decoded of `bytes`, looking for further events behind each damage, with one sync and a note of
    /// how many records there were. What cannot be decoded is left where it is, and not counted again.
    pub(super) fn ingest_again(
        &mut self,
        source: SourceFormat,
        bytes: &[u8],
        origin: &str,
        note: impl FnOnce(u64) -> String,
    ) -> Result<u64, AppendError> {
        let mut records = 0_u64;
        let mut start = Some(0);
        let result = loop {
            let Some(from) = start else { break Ok(()) };
            let chunk = Chunk {
                source,
                bytes: &bytes[from..],
                origin,
                received_at: self.clock.wall(),
            };
            let (appended, damage) = self.append_decodable(&chunk);
            match appended {
                Ok(received) => records = records.saturating_add(received),
                Err(error) => break Err(error),
            }
            start = damage.and_then(|at| {
                quarantine::next_start(source, bytes, from.saturating_add(at).saturating_add(1))
            });
        };
        let result = result.and_then(|()| match records {
            0 => Ok(()),
            _ => self.writer.note(&note(records)),
        });
        match result.and_then(|()| self.writer.sync()) {
            Ok(_) => Ok(records),
            Err(error) => {
                self.writer.discard();
                Err(error)
            }
        }
    }

    /// Appends what can be decoded of `chunk`: how many records that were, and where the damage that ended it begins.
    fn append_decodable(&mut self, chunk: &Chunk<'_>) -> (Result<u64, AppendError>, Option<usize>) {
        let mut records = 0_u64;
        let mut damage = None;
        let mut more = Some(Position::default());
        while let Some(position) = more {
            more = self.decode(chunk, position);
            let tally = &mut self.draft.tally;
            records = records.saturating_add(tally.received);
            (tally.undecodable_regions, tally.undecodable_bytes) = (0, 0);
            // A region that reaches the end of the chunk is one behind which nothing was looked at.
            damage = self
                .draft
                .quarantined
                .last()
                .map(|region| chunk.bytes.len().saturating_sub(region.bytes.len()));
            self.draft.quarantined.clear();
            if let Err(error) = self.writer.append(&self.draft, chunk.received_at) {
                return (Err(error), None);
            }
        }
        (Ok(records), damage)
    }

    /// Someone has looked after what could not be decoded.
    pub(super) fn undecodable_seen(&mut self) {
        self.report.undecodable_seen();
    }
}
