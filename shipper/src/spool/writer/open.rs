//! Opening a spool for writing: lock, identity, recovery, window.

use std::io;
use std::sync::Arc;

use super::files::{Files, copy_range};
use super::space::Space;
use super::{OpenReport, Room, Writer, WriterOptions};
use crate::random::Random;
use crate::spool::block::Position;
use crate::spool::count::Tally;
use crate::spool::cursor;
use crate::spool::error::{AppendError, IoFailure, SpoolError};
use crate::spool::extent;
use crate::spool::format::{Flags, MAX_HEADER, Meta, Previous, SegmentHeader};
use crate::spool::head::{self, Head, HeadFile};
use crate::spool::identity::{Epoch, SpoolId};
use crate::spool::keys::{self, Source};
use crate::spool::meta::{self, Author, Compared, Found, Provenance};
use crate::spool::quarantine::{self, Sort};
use crate::spool::recovery::{self, Adopted, Recovered};
use crate::spool::segment::{self, FOLDER, Listing};
use crate::spool::storage::{Access, Storage};
use crate::spool::window::{Restoring, Window};
use crate::time::{Clock, Timestamp};

/// How much of segments that lack an index is read for their keys, beside the last one: such segments are rare, and
/// opening may not take long.
const SCAN_BUDGET: u64 = 16 << 20;

/// The writer's lock.
pub(super) const LOCK: &str = "writer.lock";

impl Writer {
    /// Opens the spool in `storage` for writing, making it where there is none, and mends what a crash has left.
    ///
    /// # Errors
    /// Any [`SpoolError`]. Nothing that was durable is lost by any of them.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: WriterOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(Self, OpenReport), SpoolError> {
        let lock = storage
            .try_lock(LOCK)
            .map_err(|error| SpoolError::io("lock", LOCK, &error))?;
        let lock = lock.ok_or(SpoolError::Locked)?;
        let now = clock.wall();
        let epoch = Epoch(random.next_u64()?);
        let mut report = OpenReport {
            spool: SpoolId([0; 16]),
            epoch,
            created: false,
            adopted: 0,
            copied: None,
            meta_restored: None,
            torn: None,
            damaged: Vec::new(),
        };
        let spool = identify(&*storage, &options, now, &*random, &mut report)?;
        report.spool = spool;
        let published = head::read_head(&*storage)?;
        let settled = settled(&*storage, spool);
        let found = recovery::recover(&*storage, spool, epoch, published, settled)?;
        for name in &found.listing.temporary {
            // Nothing in a file without its final name ever counted.
            let _ = storage.remove(&format!("{FOLDER}/{name}"));
        }
        let mut files = Files::new(found.previous, found.next_number);
        for number in &found.void {
            files.remove(&*storage, segment::path(*number));
        }
        let head_file = HeadFile::open(&*storage, spool)?;
        let space = Space::new(&*storage, &options, &found.listing);
        let mut writer = Self {
            window: Window::new(options.window),
            storage,
            clock,
            random,
            options,
            _lock: lock,
            spool,
            head_file,
            unpublished: None,
            files,
            space,
            tip: found.trusted,
            synced: found.trusted,
            pending: false,
            notes: Vec::new(),
            buffer: Vec::new(),
            busy: false,
        };
        writer.take_over(found, &mut report)?;
        Ok((writer, report))
    }

    /// Turns what recovery found into the state of a writer.
    fn take_over(&mut self, mut found: Recovered, report: &mut OpenReport) -> Result<(), SpoolError> {
        self.restore_window(&mut found)?;
        if let Some(keys) = &found.keys
            && let (Source::Scanned { index_at: 0, .. }, Some(header)) = (&keys.source, &keys.header)
            && !keys.keys.is_empty()
        {
            self.keep(header, keys.keys.clone());
        }
        let mut may_cut = true;
        if let Some((position, len)) = found.torn {
            report.torn = self.quarantine_tail(position, len);
            may_cut = report.torn.is_some();
        }
        if let Some(adopted) = &found.adopted {
            report.adopted = found.tip.next_seq - found.trusted.next_seq;
            let len = self.adopt(adopted, &found.trusted)?;
            self.tip = found.tip;
            self.entered_segment(len);
        } else {
            self.tip.next_seq = found.tip.next_seq;
        }
        self.synced = self.tip;
        if may_cut && (found.torn.is_some() || found.adopted.is_some()) {
            self.cut(found.trusted.position());
        }
        self.head_file
            .publish(&self.synced)
            .map_err(|error| SpoolError::io("write", head::PATH, &error))?;
        self.storage
            .sync_dir("")
            .map_err(|error| SpoolError::io("sync", "the directory", &error))?;
        self.account_for_lost(found.tip.totals.spooled)?;
        report.damaged = found.damaged;
        self.notes.extend(report.damaged.iter().cloned());
        if let Some(evidence) = report.copied {
            self.notes.push(format!(
                "{evidence}: the spool was copied, moved or restored; its destinations are held until they are resumed"
            ));
        }
        self.notes.extend(report.meta_restored.clone());
        self.space.measure_again();
        self.space.measure(&*self.storage, self.clock.monotonic());
        self.space.set_reserve_aside(&*self.storage);
        // A full disk keeps the notes waiting; it does not keep the spool from opening.
        match self.sync() {
            Ok(_) | Err(AppendError::Full { .. } | AppendError::Io(_)) => Ok(()),
            Err(_) => Err(SpoolError::NoRandomness),
        }
    }

    /// Makes the segment of what is adopted. On a full disk everything that may go makes room for it but the last segment,
    /// whose blocks are what is adopted.
    fn adopt(&mut self, adopted: &Adopted, trusted: &Head) -> Result<u64, SpoolError> {
        let now = self.clock.wall();
        self.space.measure(&*self.storage, self.clock.monotonic());
        let mut floor = None;
        let mut has_reserve = true;
        loop {
            let made = self
                .files
                .create(&*self.storage, self.spool, trusted, now, Some(adopted));
            let failure = match made {
                Ok(len) => return Ok(len),
                Err(failure) if failure.is_full() => failure,
                Err(failure) => return Err(SpoolError::Io(failure)),
            };
            if std::mem::take(&mut has_reserve) {
                self.space.give_reserve_back(&*self.storage);
                continue;
            }
            let has_older = self.space.segments().count() > 1;
            let made_room = self.drop_tail() || has_older && self.drop_segment(&mut floor, now);
            if !made_room {
                let needed = adopted.to - adopted.from.offset;
                return Err(SpoolError::Full { needed, failure });
            }
        }
    }

    /// Counts records whose numbers are taken but whose blocks, and the counts in them, are gone: they were received and
    /// spooled. So the sums stay equal to the numbers, and a destination that has not had them counts them as damaged.
    fn account_for_lost(&mut self, spooled: u64) -> Result<(), SpoolError> {
        let lost = self.tip.next_seq.saturating_sub(spooled);
        if lost == 0 {
            return Ok(());
        }
        let tally = Tally {
            received: lost,
            spooled: lost,
            ..Tally::default()
        };
        let now = self.clock.wall();
        let written = self.write(now, Room::Exempt, |encoder| encoder.accounting(tally));
        written.map_err(|error| match error {
            AppendError::Io(failure) => SpoolError::Io(failure),
            AppendError::Full { .. } => SpoolError::Full {
                needed: MAX_HEADER as u64,
                failure: IoFailure::new("write", FOLDER, &io::ErrorKind::StorageFull.into()),
            },
            _ => SpoolError::NoRandomness,
        })
    }

    /// Fills the window from the newest record back.
    fn restore_window(&mut self, found: &mut Recovered) -> Result<(), SpoolError> {
        let mut at = found.trusted.segment;
        let mut header = found.keys.as_ref().and_then(|keys| keys.header.clone());
        if let Some(previous) = header.as_ref().and_then(|header| header.previous) {
            let first = found.tip.next_seq.saturating_sub(self.options.window as u64);
            keys::will_read(&*self.storage, self.spool, previous, first);
        }
        let mut window = Restoring::new(self.options.window, found.tip.next_seq);
        if let Some(adopted) = &found.adopted {
            window.older(&adopted.keys);
        }
        if let Some(last) = &found.keys {
            window.older(&last.keys);
        }
        let mut budget = SCAN_BUDGET;
        while !window.is_full()
            && budget > 0
            && let Some(previous) = self.previous_of(at, header, &found.listing)?
        {
            let Previous {
                number, len, index, ..
            } = previous;
            at = number;
            let Some(read) = keys::read(&*self.storage, self.spool, number, len, index)? else {
                // It is gone, having had no record or for want of room for its index. Older ones went before it, but
                // their indexes may be there.
                header = None;
                found.listing.segments.clear();
                continue;
            };
            if let Source::Scanned { cost, .. } = read.source {
                budget = budget.saturating_sub(cost);
            }
            header = read.header;
            window.older(&read.keys);
        }
        if budget == 0 {
            let known = window.len();
            found.damaged.push(format!(
                "segments lack their indexes: repetitions are told among {known} records only"
            ));
        }
        self.window = window.finish();
        Ok(())
    }

    /// What stands before segment `at`: as its header says, or, when that is damaged or gone, what is there.
    fn previous_of(
        &self,
        at: u64,
        header: Option<SegmentHeader>,
        listing: &Listing,
    ) -> Result<Option<Previous>, SpoolError> {
        if let Some(header) = header {
            return Ok(header.previous);
        }
        let newest_before =
            |files: &[(u64, u64)]| files.iter().rev().find(|(number, _)| *number < at).copied();
        let segment = newest_before(&listing.segments);
        let index = newest_before(&listing.indexes);
        let Some((number, len)) = index.max(segment) else {
            return Ok(None);
        };
        let opened = segment::open(&*self.storage, number, self.spool)?;
        let len = match opened {
            Some(opened) => {
                extent::of_segment(&*self.storage, &listing.segments, number, &opened, self.spool)?
            }
            None => len,
        };
        Ok(Some(Previous::new(number, len, 0)))
    }

    /// Copies what a crash has torn off to `quarantine/`. Where it was put, or nothing when it was empty or could not be
    /// copied (then it also stays where it is).
    fn quarantine_tail(&mut self, from: Position, to: u64) -> Option<String> {
        let path = Sort::Tail.path(from);
        let copied = self.copy_tail(from, to, &path);
        if copied
            .as_ref()
            .is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists)
        {
            let _ = self.storage.remove(&path);
            return None;
        }
        Some(path)
    }

    fn copy_tail(&self, from: Position, to: u64, path: &str) -> io::Result<()> {
        let source = self.storage.open(&segment::path(from.segment), Access::Read)?;
        let copy = self.storage.create_new(path)?;
        let mut at = 0;
        copy_range(&*source, from.offset, to, |bytes| {
            copy.write_at(at, bytes)?;
            at += bytes.len() as u64;
            Ok(())
        })?;
        copy.sync_data()?;
        self.storage.sync_dir(quarantine::FOLDER)
    }

    /// Gives back the room of what is void behind `end`. Not needed for safety, so not synced either.
    fn cut(&mut self, end: Position) {
        let path = segment::path(end.segment);
        if let Ok(file) = self.storage.open(&path, Access::ReadWrite)
            && end.offset > 0
            && file.set_len(end.offset).is_ok()
        {
            self.space.set(end.segment, end.offset);
        }
    }
}

/// The spool's identity: read, mended, or made.
fn identify(
    storage: &dyn Storage,
    options: &WriterOptions,
    now: Timestamp,
    random: &dyn Random,
    report: &mut OpenReport,
) -> Result<SpoolId, SpoolError> {
    let machine = meta::machine_of(&options.machine_id);
    let mut provenance = Provenance::default();
    let mut meta = Meta {
        flags: Flags::default(),
        spool: SpoolId([0; 16]),
        machine,
        created: now,
        id: options.id.clone(),
        home: None,
    };
    match meta::find(storage)? {
        Found::Intact(found) => {
            if found.id != options.id {
                return Err(SpoolError::OtherId {
                    found: found.id,
                    wanted: options.id.clone(),
                });
            }
            match found.flags.unknown_read_compat() {
                0 => {}
                flags => return Err(SpoolError::ReadOnly { flags }),
            }
            let spool = found.spool;
            let Compared { provenance, news } = meta::compare(storage, &found, machine)?;
            report.copied = news;
            if news.is_some() || found.home.is_none() {
                meta::write(storage, Author::Writer, Meta { machine, ..found }, provenance)?;
            }
            return Ok(spool);
        }
        Found::Damaged { spool, reason } => {
            meta.spool = spool;
            provenance = meta::remembered(storage, spool);
            report.meta_restored = Some(reason);
        }
        Found::Nothing => {
            random.fill(&mut meta.spool.0)?;
            report.created = true;
        }
    }
    for folder in [FOLDER, quarantine::FOLDER, cursor::FOLDER] {
        storage
            .create_dir(folder)
            .map_err(|error| SpoolError::io("create", folder, &error))?;
    }
    if report.created {
        HeadFile::open(storage, meta.spool)?;
    }
    storage
        .sync_dir("")
        .map_err(|error| SpoolError::io("sync", "the directory", &error))?;
    let spool = meta.spool;
    meta::write(storage, Author::Writer, meta, provenance)?;
    Ok(spool)
}

/// Every record below was before some head: the highest number that a cursor has committed, or has in a batch. (A batch is
/// made of what was read; what is settled in it must never be said of other records.)
fn settled(storage: &dyn Storage, spool: SpoolId) -> u64 {
    let cursors = cursor::peek_all(storage).unwrap_or_default().into_iter();
    let ours = cursors
        .filter_map(|(_, peek)| peek.ok())
        .filter(|peek| peek.spool == spool);
    ours.map(|peek| peek.state.end()).max().unwrap_or(0)
}
