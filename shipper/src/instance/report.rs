//! What the writer says of itself: its status each second, and what is worth a line in the log.

use crate::control::ControlError;
use crate::control::log::{Level, Log};
use crate::control::status::{self, DiskSpace, Fault, Head, Intake, WriterStatus};
use crate::ingest::Chunk;
use crate::spool::draft::Draft;
use crate::spool::storage::Storage;
use crate::spool::{AppendError, Maintenance, OpenReport, Writer};
use crate::time::Timestamp;

use super::Program;
use super::intake::Answer;

/// The writer's side of the status.
pub(super) struct Report {
    instance: String,
    program: status::Program,
    drops_oldest: bool,
    dropped_segments: u64,
    refusing: Option<(Timestamp, String)>,
    last_received: Option<Timestamp>,
    undecodable: Option<Fault>,
    last_error: Option<Fault>,
}

impl Report {
    pub(super) fn new(instance: String, program: &Program, drops_oldest: bool, since: Timestamp) -> Self {
        Self {
            instance,
            program: program.status(since),
            drops_oldest,
            dropped_segments: 0,
            refusing: None,
            last_received: None,
            undecodable: None,
            last_error: None,
        }
    }

    /// A draft was made of `chunk`.
    pub(super) fn decoded(&mut self, log: &Log, chunk: &Chunk<'_>, draft: &Draft) {
        let Some(region) = draft.quarantined.first() else {
            return;
        };
        let fields: &[(&str, &dyn std::fmt::Display)] = &[
            ("origin", &region.origin),
            ("reason", &region.reason),
            ("regions", &draft.tally.undecodable_regions),
            ("bytes", &draft.tally.undecodable_bytes),
        ];
        log.once_a_minute(
            "quarantined",
            Level::Error,
            "input could not be decoded, kept in quarantine",
            fields,
        );
        if draft.tally.received == 0 {
            self.undecodable = Some(Fault {
                class: "undecodable".to_owned(),
                at: chunk.received_at,
                message: format!("{}: {}", region.origin, region.reason),
                hint: "see `auditship quarantine list`, then `auditship quarantine retry` or `discard`"
                    .to_owned(),
            });
        }
    }

    /// A chunk got its answer.
    pub(super) fn answered(&mut self, log: &Log, answer: &Answer, now: Timestamp) {
        match answer {
            Answer::Accepted => {
                self.last_received = Some(now);
                if let Some((since, _)) = self.refusing.take() {
                    log.info(
                        "records are taken again",
                        &[("refused_since", &since.to_rfc3339())],
                    );
                }
            }
            Answer::Refused(error) => {
                log.once_a_minute(
                    "refused",
                    Level::Error,
                    "chunk refused, the host keeps it",
                    &[("error", error)],
                );
                let message = error.to_string();
                self.last_error = Some(Fault {
                    class: class_of(error).to_owned(),
                    at: now,
                    message: message.clone(),
                    hint: hint_of(error).to_owned(),
                });
                let since = self.refusing.take().map_or(now, |(since, _)| since);
                self.refusing = Some((since, message));
            }
        }
    }

    /// Someone has looked after what could not be decoded.
    pub(super) fn undecodable_seen(&mut self) {
        self.undecodable = None;
    }

    /// Writes the status file.
    pub(super) fn publish(
        &mut self,
        storage: &dyn Storage,
        writer: &Writer,
        maintenance: &Maintenance,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        if let Some(trouble) = &maintenance.trouble {
            self.last_error = Some(Fault {
                class: "io".to_owned(),
                at: now,
                message: trouble.to_string(),
                hint: String::new(),
            });
        }
        let intake = match &self.refusing {
            Some((since, reason)) => Intake::Refusing { since: *since, reason: reason.clone() },
            None if self.drops_oldest && maintenance.dropped_segments > self.dropped_segments => Intake::Dropping {
                since: now,
                reason: "the spool is full and on_full is drop_oldest: lagging destinations lose their oldest records"
                    .to_owned(),
            },
            None => Intake::Open,
        };
        self.dropped_segments = maintenance.dropped_segments;
        let head = writer.head();
        let snapshot = WriterStatus {
            at: now,
            program: self.program.clone(),
            instance: self.instance.clone(),
            spool: writer.spool_id(),
            epoch: head.epoch,
            head: Head {
                segment: head.segment,
                offset: head.offset,
                next_seq: head.next_seq,
            },
            totals: writer.totals(),
            space: DiskSpace {
                used: maintenance.used,
                undelivered: maintenance.undelivered,
                max: maintenance.limit,
            },
            intake,
            last_received: self.last_received,
            undecodable: self.undecodable.clone(),
            last_error: self.last_error.clone(),
        };
        status::publish(storage, &snapshot)
    }
}

fn class_of(error: &AppendError) -> &'static str {
    match error {
        AppendError::Full { .. } => "disk_full",
        AppendError::Io(failure) if failure.is_full() => "disk_full",
        AppendError::Io(_) => "io",
        _ => "refused",
    }
}

fn hint_of(error: &AppendError) -> &'static str {
    match class_of(error) {
        "disk_full" => {
            "make a destination deliver (`auditship status`), look after what is in quarantine (`auditship quarantine list`), raise max_bytes, or free the disk"
        }
        "io" => "look at the disk and at the kernel's log",
        _ => "",
    }
}

/// Says in the log what opening found.
pub(super) fn opened(log: &Log, report: &OpenReport) {
    log.info(
        "spool opened",
        &[("spool", &report.spool), ("epoch", &report.epoch)],
    );
    if let Some(evidence) = &report.copied {
        log.error(
            "this spool was copied, moved or restored; it goes on under a new epoch, and its destinations are held until \
             they are resumed",
            &[("reason", evidence)],
        );
    }
    if report.adopted > 0 {
        log.warn(
            "records behind the head were whole and are kept",
            &[("records", &report.adopted)],
        );
    }
    if let Some(path) = &report.torn {
        log.warn("a torn tail was cut off and kept", &[("path", path)]);
    }
    for what in &report.damaged {
        log.error(
            "the spool is damaged; the rest stays readable",
            &[("where", what)],
        );
    }
    if let Some(reason) = &report.meta_restored {
        log.error(
            "spool.meta was damaged and is written anew",
            &[("reason", reason)],
        );
    }
}
