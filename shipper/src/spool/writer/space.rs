//! Room: what the spool uses, what it may use, and what goes when there is none.
//!
//! # Order
//! Torn tails go first, then segments that every cursor has passed, oldest first; then `on_full` decides. What no cursor
//! has passed is never removed but by `drop_oldest`; without any cursor nothing counts as delivered, and a cursor that
//! cannot be read counts as one that has passed nothing. Undecodable input is carried to `quarantine/` before its segment
//! goes (`carry`) and counts as room until somebody looks after it; when it cannot be carried, the segment stays.
//!
//! # Why each step is crash-safe
//! A segment's keys are kept (in an `.idx` file) before the segment goes, while they are in the window. A cursor's file is
//! synced before what it says is believed. The last segment never goes: before it would, a new one is made and published.
//! A removal that a crash undoes is done again.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use super::{OnFull, Writer, WriterOptions};
use crate::spool::block::Position;
use crate::spool::cursor;
use crate::spool::error::{AppendError, FullCause, IoFailure};
use crate::spool::extent;
use crate::spool::format::SegmentHeader;
use crate::spool::keys::{self, Keys};
use crate::spool::quarantine::{self, Listed, Sort};
use crate::spool::segment::{self, FOLDER, Listing};
use crate::spool::storage::{EntryKind, Storage};
use crate::time::{Monotonic, Timestamp};

use super::options::Maintenance;

/// Bytes that are set aside, and given back when the disk is full, so that it can be said.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: u64 = 1 << 20;
/// How often everything that this writer does not write itself is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(30);
/// One part in so many of the limit is the most that kept indexes may take.
const INDEX_SHARE: u64 = 8;
/// The longest that a segment stays open, so that `retain` means something on a quiet host.
const MAX_SEGMENT_AGE: Duration = Duration::from_hours(24);

/// The books.
pub(super) struct Space {
    limit: u64,
    /// Oldest first.
    segments: VecDeque<(u64, u64)>,
    /// Bytes of each kept index, and the number after its segment's last record, when known.
    indexes: BTreeMap<u64, u64>,
    /// Everything else, when it was measured.
    other: u64,
    /// Torn tails, oldest first.
    tails: Vec<(Position, u64)>,
    /// Bytes of quarantine blocks that have outlived their segments.
    carried: u64,
    measured: Option<Monotonic>,
    reserve: u64,
    /// Every cursor has durably passed the records below.
    durable_floor: u64,
    pub(super) is_full: bool,
    report: Maintenance,
}

impl Space {
    pub(super) fn new(storage: &dyn Storage, options: &WriterOptions, listing: &Listing) -> Self {
        let limit = options.max_bytes.unwrap_or_else(|| {
            let tenth = storage.space().map_or(u64::MAX, |space| space.total / 10);
            WriterOptions::DEFAULT_MAX_BYTES.min(tenth)
        });
        Self {
            limit,
            segments: listing.segments.iter().copied().collect(),
            indexes: listing.indexes.iter().copied().collect(),
            other: 0,
            tails: Vec::new(),
            carried: 0,
            measured: None,
            reserve: 0,
            durable_floor: 0,
            is_full: false,
            report: Maintenance::default(),
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> u64 {
        let segments: u64 = self.segments.iter().map(|(_, bytes)| bytes).sum();
        let indexes: u64 = self.indexes.values().sum();
        let tails: u64 = self.tails.iter().map(|(_, bytes)| bytes).sum();
        segments + indexes + tails + self.carried + self.other + self.reserve
    }

    /// `number` has `bytes` more.
    pub(super) fn grow(&mut self, number: u64, bytes: u64) {
        match self.segments.iter_mut().rev().find(|(other, _)| *other == number) {
            Some((_, sum)) => *sum += bytes,
            None => self.segments.push_back((number, bytes)),
        }
    }

    /// `number` has `bytes`.
    pub(super) fn set(&mut self, number: u64, bytes: u64) {
        if let Some((_, sum)) = self.segments.iter_mut().rev().find(|(other, _)| *other == number) {
            *sum = bytes;
        }
    }

    pub(super) fn forget(&mut self, number: u64) {
        self.segments.retain(|(other, _)| *other != number);
    }

    pub(super) fn set_index(&mut self, number: u64, bytes: u64) {
        self.indexes.insert(number, bytes);
    }

    /// Measures what others write: dead letters, cursors, logs; and torn tails.
    pub(super) fn measure(&mut self, storage: &dyn Storage, now: Monotonic) {
        let fresh = self.measured.is_some_and(|at| now.since(at) < MEASURE_EVERY);
        if fresh {
            return;
        }
        self.measured = Some(now);
        self.measure_quarantine(storage);
        self.other = 0;
        for entry in storage.list("").unwrap_or_default() {
            self.other += match entry.kind {
                EntryKind::File if entry.name == RESERVE => 0,
                EntryKind::File => entry.len,
                EntryKind::Folder if entry.name == FOLDER || entry.name == quarantine::FOLDER => 0,
                EntryKind::Folder => folder_size(storage, &entry.name, 3),
            };
        }
    }

    fn measure_quarantine(&mut self, storage: &dyn Storage) {
        let listed = quarantine::list(storage).unwrap_or_default();
        self.tails.clear();
        self.carried = 0;
        for Listed { sort, place, len } in listed {
            match sort {
                Sort::Tail => self.tails.push((place, len)),
                Sort::Block => self.carried += len,
                // Of a segment that is gone it says nothing any more.
                Sort::Done if self.segments().all(|number| number != place.segment) => {
                    let _ = storage.remove(&sort.path(place));
                }
                Sort::Done => {}
            }
        }
    }

    /// The numbers of the segments, oldest first.
    pub(super) fn segments(&self) -> impl Iterator<Item = u64> {
        self.segments.iter().map(|(number, _)| *number)
    }

    /// `bytes` of quarantine blocks outlive their segment.
    pub(super) fn carried(&mut self, bytes: u64) {
        self.carried += bytes;
    }

    /// What others write has changed.
    pub(super) fn measure_again(&mut self) {
        self.measured = None;
    }

    /// Sets bytes aside, when there are plenty.
    pub(super) fn set_reserve_aside(&mut self, storage: &dyn Storage) {
        let wanted = RESERVE_BYTES.min(self.limit / 64);
        let available = storage.space().map_or(0, |space| space.available);
        if self.reserve > 0 || wanted == 0 || available < 4 * wanted {
            return;
        }
        let made = match storage.create_new(RESERVE) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            created => created.and_then(|file| file.allocate(wanted)),
        };
        match made {
            Ok(()) => self.reserve = wanted,
            Err(_) => {
                let _ = storage.remove(RESERVE);
            }
        }
    }

    pub(super) fn give_reserve_back(&mut self, storage: &dyn Storage) {
        if storage.remove(RESERVE).is_ok() {
            self.reserve = 0;
        }
    }
}

fn folder_size(storage: &dyn Storage, path: &str, depth: u8) -> u64 {
    let entries = storage.list(path).unwrap_or_default().into_iter();
    entries
        .map(|entry| match entry.kind {
            EntryKind::File => entry.len,
            EntryKind::Folder if depth > 0 => {
                folder_size(storage, &format!("{path}/{}", entry.name), depth - 1)
            }
            EntryKind::Folder => 0,
        })
        .sum()
}

/// Why a segment may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Expired,
    Reclaimed,
    Dropped,
}

impl Writer {
    /// Looks after the spool: expires what was delivered long ago, forgets keys that have left the window, tries again what
    /// failed to be published, and says how the spool stands. To be called about once a second, between syncs; reads
    /// cursors, lists folders at most every half minute.
    pub fn maintain(&mut self, now: Timestamp) -> Maintenance {
        let monotonic = self.clock.monotonic();
        self.space.measure(&*self.storage, monotonic);
        self.files.remove_left_over(&*self.storage);
        if !self.pending {
            if !self.notes.is_empty() || self.unpublished.is_some() {
                // A failure is void like any other; the notes wait on.
                let _ = self.sync();
            }
            self.expire(now);
        }
        if !self.space.is_full {
            self.space.set_reserve_aside(&*self.storage);
        }
        self.forget_indexes();
        let mut report = self.space.report.clone();
        let removal = self.space.report.trouble.take();
        report.used = self.space.used();
        report.undelivered = self.undelivered();
        report.limit = self.space.limit;
        report.is_full = self.space.is_full;
        report.trouble = self.unpublished.clone().or(removal);
        report
    }

    /// Removes every segment that all destinations have settled, whatever `retain` says; how many.
    pub fn reclaim(&mut self, now: Timestamp) -> u64 {
        let mut floor = None;
        let before = self.space.report.reclaimed_segments;
        if self.synced == self.tip {
            self.seal();
        }
        while self.oldest_is_settled(&mut floor) && self.drop_segment(&mut floor, now) {}
        self.space.report.reclaimed_segments - before
    }

    fn oldest_is_settled(&mut self, floor: &mut Option<u64>) -> bool {
        let Some(oldest) = self.oldest() else {
            return false;
        };
        let floor = *floor.get_or_insert_with(|| self.floor());
        self.end_of(oldest) <= floor
    }

    /// The oldest segment that counts, when nothing void is in front of it: what tells that must not go first.
    fn oldest(&mut self) -> Option<u64> {
        if !self.files.remove_left_over(&*self.storage) {
            return None;
        }
        loop {
            let &(oldest, _) = self.space.segments.front()?;
            let next = self.space.segments.get(1).map(|(next, _)| *next);
            let header = next.and_then(|next| self.header_of(next));
            if header.is_none_or(|header| segment::first_void(&header) > oldest) {
                return Some(oldest);
            }
            if !self.files.remove(&*self.storage, segment::path(oldest)) {
                return None;
            }
            self.space.forget(oldest);
        }
    }

    /// Bytes of the segments at and after the place of the cursor that is furthest behind. All of them without a cursor.
    fn undelivered(&self) -> u64 {
        let places = cursor::peek_all(&*self.storage).unwrap_or_default();
        let places = places.iter().map(|(_, peek)| match peek {
            Ok(peek) if peek.spool == self.spool => (peek.state.at.segment, peek.state.at.offset),
            Ok(_) | Err(_) => (0, 0),
        });
        let (segment, offset) = places.min().unwrap_or_default();
        let after = self
            .space
            .segments
            .iter()
            .filter(|(number, _)| *number >= segment);
        after.map(|(_, bytes)| bytes).sum::<u64>().saturating_sub(offset)
    }

    /// Makes sure that `bytes` more are within the limit.
    pub(super) fn make_room(&mut self, bytes: u64, now: Timestamp) -> Result<(), AppendError> {
        let mut floor = None;
        while self.space.used().saturating_add(bytes) > self.space.limit {
            if self.drop_tail() || self.drop_segment(&mut floor, now) {
                continue;
            }
            return Err(self.full(FullCause::Limit));
        }
        Ok(())
    }

    /// Gives room on the disk back, `bytes` of it if that can be. Whether there was anything to give.
    pub(super) fn free_disk(&mut self, bytes: u64, now: Timestamp) -> bool {
        let before = self.space.used();
        let mut floor = None;
        while before - self.space.used().min(before) < bytes {
            if !self.drop_tail() && !self.drop_segment(&mut floor, now) {
                break;
            }
        }
        self.space.used() < before
    }

    /// What a failed write means for the caller.
    pub(super) fn refuse(&mut self, failure: IoFailure, _now: Timestamp) -> AppendError {
        if !failure.is_full() {
            return AppendError::Io(failure);
        }
        if !self.space.is_full {
            self.space.give_reserve_back(&*self.storage);
        }
        self.full(FullCause::Disk)
    }

    fn full(&mut self, cause: FullCause) -> AppendError {
        let (used, limit) = (self.space.used(), self.space.limit);
        let error = AppendError::Full { used, limit, cause };
        if !std::mem::replace(&mut self.space.is_full, true) {
            self.notes.push(error.to_string());
        }
        error
    }

    pub(super) fn drop_tail(&mut self) -> bool {
        if self.space.tails.is_empty() {
            return false;
        }
        let (place, _) = self.space.tails.remove(0);
        let _ = self.storage.remove(&Sort::Tail.path(place));
        true
    }

    /// Removes the oldest segment if it may go. `floor` keeps what the cursors said from one call to the next.
    pub(super) fn drop_segment(&mut self, floor: &mut Option<u64>, now: Timestamp) -> bool {
        let Some(oldest) = self.oldest() else {
            return false;
        };
        let floor = *floor.get_or_insert_with(|| self.floor());
        let end = self.end_of(oldest);
        let reason = match self.options.on_full {
            _ if end <= floor => Reason::Reclaimed,
            OnFull::DropOldest => Reason::Dropped,
            OnFull::Refuse => return false,
        };
        if self.space.segments.len() == 1 && !self.leave_last(now) {
            return false;
        }
        self.carry_or(oldest, reason) && self.remove(oldest, end, reason)
    }

    /// Carries what was undecodable in segment `number` to `quarantine/`. Whether the segment may go: when that fails it
    /// stays, but for `drop_oldest`, to which new records are worth more than old ones that nobody could read.
    fn carry_or(&mut self, number: u64, reason: Reason) -> bool {
        let mut carried = self.carry(number);
        if carried.as_ref().is_err_and(IoFailure::is_full) {
            while self.drop_tail() {}
            self.space.give_reserve_back(&*self.storage);
            carried = self.carry(number);
        }
        let Err(failure) = carried else { return true };
        if reason == Reason::Dropped
            || reason == Reason::Reclaimed && self.options.on_full == OnFull::DropOldest
        {
            self.notes.push(format!(
                "the spool was full: undecodable input in segment {number:016x} was removed, as it could not be carried to \
                 {}: {failure}",
                quarantine::FOLDER
            ));
            return true;
        }
        self.space.report.trouble = Some(failure);
        false
    }

    /// Begins a new segment, so that the last one may go. Only when nothing in it is unsynced.
    fn leave_last(&mut self, now: Timestamp) -> bool {
        if self.pending || self.synced.offset <= SegmentHeader::LEN as u64 {
            return false;
        }
        if let Some(current) = self.files.close(self.synced.offset, 0) {
            self.keep_index(&current);
        }
        let mut made = self.ensure_segment(now);
        if made.as_ref().is_err_and(IoFailure::is_full) {
            self.space.give_reserve_back(&*self.storage);
            made = self.ensure_segment(now);
        }
        if made.is_err() {
            return false;
        }
        self.synced = self.tip;
        self.publish();
        self.unpublished.is_none()
    }

    /// Removes what was delivered and is older than `retain`.
    fn expire(&mut self, now: Timestamp) {
        let age =
            |since: Timestamp| Duration::from_nanos(now.0.saturating_sub(since.0).try_into().unwrap_or(0));
        let created = self.files.current.as_ref().map(|current| current.header.created);
        let longest = MAX_SEGMENT_AGE.min(self.options.retain);
        if created.is_some_and(|created| age(created) > longest) && self.synced == self.tip {
            self.seal();
        }
        let mut floor = None;
        while let Some(oldest) = self.oldest() {
            // The next segment was made after the last block of this one was written.
            let Some(&(next, _)) = self.space.segments.get(1) else {
                return;
            };
            let Some(header) = self.header_of(next) else {
                return;
            };
            if age(header.created) <= self.options.retain {
                return;
            }
            let end = self.end_of(oldest);
            if end > *floor.get_or_insert_with(|| self.floor())
                || !self.carry_or(oldest, Reason::Expired)
                || !self.remove(oldest, end, Reason::Expired)
            {
                return;
            }
        }
    }

    /// The first record that some destination has not settled, as far as that is durable.
    fn floor(&mut self) -> u64 {
        let seen = self.lowest(cursor::peek_all(&*self.storage));
        // What was durable once stays so; syncing cursors is for news only.
        if seen > self.space.durable_floor {
            self.space.durable_floor = self.lowest(cursor::peek_all_durable(&*self.storage));
        }
        seen.min(self.space.durable_floor)
    }

    fn lowest(&self, cursors: Result<Vec<cursor::Peeked>, cursor::CursorError>) -> u64 {
        let Ok(cursors) = cursors else { return 0 };
        let committed = cursors.iter().map(|(_, peek)| match peek {
            Ok(peek) if peek.spool == self.spool => peek.state.committed,
            Ok(_) | Err(_) => 0,
        });
        committed.min().unwrap_or(0)
    }

    /// The number after the last record of segment `number`.
    fn end_of(&self, number: u64) -> u64 {
        let later = self.space.segments.iter().filter(|(other, _)| *other > number);
        let mut headers = later.filter_map(|(later, _)| self.header_of(*later));
        headers
            .next()
            .map_or(self.tip.next_seq, |header| header.first_seq)
    }

    pub(super) fn header_of(&self, number: u64) -> Option<SegmentHeader> {
        let current = self.files.current.as_ref().map(|current| &current.header);
        if let Some(header) = current.filter(|header| header.number == number) {
            return Some(header.clone());
        }
        segment::open(&*self.storage, number, self.spool)
            .ok()??
            .header
            .ok()
    }

    /// Removes segment `number`, whose records end before `end`; its keys stay while they are in the window.
    fn remove(&mut self, number: u64, end: u64, reason: Reason) -> bool {
        let first = self.header_of(number).map_or(0, |header| header.first_seq);
        let in_window = self.tip.next_seq.saturating_sub(end) < self.options.window as u64 && first < end;
        let keys = match in_window && !self.space.indexes.contains_key(&number) {
            true => self.keys_of(number),
            false => None,
        };
        if let Some((header, keys)) = &keys {
            self.keep(header, keys.clone());
        }
        let path = segment::path(number);
        match self.storage.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.space.report.trouble = Some(IoFailure::new("remove", &path, &error));
                return false;
            }
            Ok(()) | Err(_) => {}
        }
        self.space.forget(number);
        if let Some((header, keys)) = keys
            && !self.space.indexes.contains_key(&number)
        {
            // On a full disk the index finds room only now. A crash between the two forgets these keys.
            self.keep(&header, keys);
        }
        self.bound_indexes();
        match reason {
            Reason::Expired => self.space.report.expired_segments += 1,
            Reason::Reclaimed => self.space.report.reclaimed_segments += 1,
            Reason::Dropped => {
                self.space.report.dropped_segments += 1;
                self.notes.push(format!(
                    "the spool was full: records {first} to {} were removed before every destination had them",
                    end.saturating_sub(1)
                ));
            }
        }
        true
    }

    fn keys_of(&self, number: u64) -> Option<(SegmentHeader, Keys)> {
        let next = self
            .space
            .segments
            .iter()
            .find(|(other, _)| *other > number)
            .map(|(next, _)| *next);
        let previous = next
            .and_then(|next| self.header_of(next))
            .and_then(|header| header.previous);
        let (end, index_at) = match previous.filter(|previous| previous.number == number) {
            Some(previous) => (previous.len, previous.index),
            None => (self.extent(number)?, 0),
        };
        let read = keys::read(&*self.storage, self.spool, number, end, index_at).ok()??;
        Some((read.header?, read.keys))
    }

    /// Where segment `number` ends although no header says so.
    fn extent(&self, number: u64) -> Option<u64> {
        let opened = segment::open(&*self.storage, number, self.spool).ok()??;
        let numbers: Vec<_> = self.space.segments.iter().copied().collect();
        extent::of_segment(&*self.storage, &numbers, number, &opened, self.spool).ok()
    }

    /// Removes the oldest kept indexes when they take more than their share: a small spool is not to be full of keys.
    fn bound_indexes(&mut self) {
        while self.space.indexes.values().sum::<u64>() > self.space.limit / INDEX_SHARE {
            let Some((&number, _)) = self.space.indexes.first_key_value() else {
                return;
            };
            if self.storage.remove(&segment::index_path(number)).is_err() {
                return;
            }
            self.space.indexes.remove(&number);
        }
    }

    /// Removes kept indexes whose keys have left the window.
    fn forget_indexes(&mut self) {
        while let Some((&number, _)) = self.space.indexes.first_key_value() {
            let end = self.end_of(number);
            let in_window = self.tip.next_seq.saturating_sub(end) < self.options.window as u64;
            if in_window || self.storage.remove(&segment::index_path(number)).is_err() {
                return;
            }
            self.space.indexes.remove(&number);
        }
    }
}
