//! Undecodable input outlives its segment: see [`crate::spool::quarantine`].
//!
//! # Why each step is crash-safe
//! Each block is put under its name whole and synced; the folder is synced once; only then may the segment go. A crash
//! anywhere leaves the segment, and carrying it again writes the same files again.

use std::io;

use super::Writer;
use crate::spool::block::Position;
use crate::spool::error::{AppendError, IoFailure, SpoolError};
use crate::spool::extent;
use crate::spool::format::Kind;
use crate::spool::quarantine::{self, FOLDER, Sort};
use crate::spool::scan::{Found, Scan};
use crate::spool::segment::{self, Listing};
use crate::spool::storage::write_whole;

impl Writer {
    /// Somebody has looked after the quarantine block at `place`, and what came of it is durable: it need not be kept any
    /// longer. Gives the room of one that was carried back.
    ///
    /// # Errors
    /// That the folder cannot be written; the block is then kept.
    pub fn settle_quarantined(&mut self, place: Position) -> Result<(), IoFailure> {
        let (carried, done) = (Sort::Block.path(place), Sort::Done.path(place));
        let failed =
            |action: &'static str, path: &str, error: &io::Error| IoFailure::new(action, path, error);
        if self.space.segments().any(|number| number == place.segment) {
            match self.storage.create_new(&done) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed("create", &done, &error));
                }
                Ok(_) | Err(_) => {}
            }
        }
        match self.storage.remove(&carried) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &carried, &error));
            }
            Ok(()) | Err(_) => {}
        }
        self.storage
            .sync_dir(FOLDER)
            .map_err(|error| failed("sync", FOLDER, &error))?;
        self.space.measure_again();
        Ok(())
    }

    /// Writes a note that must be possible when the spool is full: about what gives room back. Otherwise as
    /// [`Writer::note`].
    ///
    /// # Errors
    /// As for [`Writer::append`], when the disk has no room either.
    pub fn notice(&mut self, text: &str) -> Result<(), AppendError> {
        self.guarded(|writer| {
            writer.window.forget_entered();
            let now = writer.clock.wall();
            writer.write(now, super::Room::Exempt, |encoder| {
                encoder.plain(Kind::Note, text.as_bytes())
            })
        })
    }

    /// Carries the quarantine blocks of segment `number` that nobody has looked after. The segment may go then.
    pub(super) fn carry(&mut self, number: u64) -> Result<(), IoFailure> {
        let header = self.header_of(number);
        let next = self.space.segments().find(|other| *other > number);
        let next = next.and_then(|next| self.header_of(next));
        let previous = next
            .as_ref()
            .and_then(|next| next.previous)
            .filter(|previous| previous.number == number);
        if let (Some(header), Some(next), Some(_)) = (&header, &next, previous)
            && header.totals.undecodable_regions == next.totals.undecodable_regions
        {
            return Ok(());
        }
        let path = segment::path(number);
        let in_words = |error: SpoolError| match error {
            SpoolError::Io(failure) => failure,
            other => IoFailure::new("read", &path, &io::Error::other(other.to_string())),
        };
        let Some(opened) = segment::open(&*self.storage, number, self.spool).map_err(in_words)? else {
            return Ok(());
        };
        let end = match previous {
            Some(previous) => previous.len,
            None => {
                let numbers: Vec<_> = Listing::read(&*self.storage).map_err(in_words)?.segments;
                extent::of_segment(&*self.storage, &numbers, number, &opened, self.spool).map_err(in_words)?
            }
        };
        let listed =
            quarantine::list(&*self.storage).map_err(|error| IoFailure::new("list", FOLDER, &error))?;
        let mut carried = 0;
        let mut scan = Scan::new(opened.file, number, self.spool, end);
        let mut offset = opened.start;
        while offset < end {
            let Some(found) = block_at(&mut scan, offset).map_err(in_words)? else {
                break;
            };
            offset = found.end();
            let place = Position {
                segment: number,
                offset: found.offset,
            };
            let is_done = |sort| move |file: &quarantine::Listed| file.sort == sort && file.place == place;
            if found.header.kind != Kind::Quarantine || listed.iter().any(is_done(Sort::Done)) {
                continue;
            }
            let bytes = scan
                .exactly(found.offset, found.end() - found.offset)
                .map_err(in_words)?;
            let path = Sort::Block.path(place);
            write_whole(&*self.storage, &path, &bytes).map_err(|error| {
                // What was written of it would only take room.
                let _ = self.storage.remove(&format!("{path}.tmp"));
                IoFailure::new("write", &path, &error)
            })?;
            carried += bytes.len() as u64;
        }
        if carried > 0 {
            self.storage
                .sync_dir(FOLDER)
                .map_err(|error| IoFailure::new("sync", FOLDER, &error))?;
            self.space.carried(carried);
        }
        Ok(())
    }
}

/// The next block at or behind `offset`.
fn block_at(scan: &mut Scan, offset: u64) -> Result<Option<Found>, SpoolError> {
    match scan.header_at(offset)? {
        Ok(found) => Ok(Some(found)),
        Err(_) => scan.resync(offset + 1),
    }
}
