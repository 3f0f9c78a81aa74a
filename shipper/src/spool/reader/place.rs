//! Where a reader goes when it has no place yet, or has come to the end of a segment.

use super::{At, ReadStep, Reader};
use crate::spool::block::Position;
use crate::spool::error::SpoolError;
use crate::spool::extent;
use crate::spool::head::Head;
use crate::spool::scan::Scan;
use crate::spool::segment::{self, Listing, Successor};

/// What to do at the end of what is known of a segment.
pub(super) enum Leave {
    /// Nothing more is published.
    Stay,
    /// More is published in this segment: up to this offset.
    Longer(u64),
    /// This segment is next.
    Go(u64),
    /// The segments have been cut away under the reader.
    Lost,
}

impl Reader {
    /// Finds the segment of the next number.
    pub(super) fn locate(&mut self) -> Result<Option<ReadStep>, SpoolError> {
        let Some(head) = self.refresh()? else {
            return Ok(Some(ReadStep::AtHead));
        };
        if self.next_seq > head.next_seq {
            return Ok(Some(ReadStep::AtHead));
        }
        let mut numbers = Listing::read(&*self.storage)?.segments;
        numbers.retain(|(number, _)| *number <= head.segment);
        let Some(&(oldest, _)) = numbers.first() else {
            return Ok(Some(match self.next_seq < head.next_seq {
                true => self.trim(head.next_seq),
                false => ReadStep::AtHead,
            }));
        };
        if self.next_seq == head.next_seq && self.next_seq > 0 {
            self.at = self.enter(head.segment, &head)?;
            if let Some(at) = &mut self.at {
                at.offset = head.offset.max(at.offset);
                return Ok(None);
            }
        }
        let number = match self.search(&numbers)? {
            // The very beginning is the first segment, also when it holds no records.
            _ if self.next_seq == 0 => oldest,
            Some(number) => number,
            None => oldest,
        };
        if number == oldest
            && let Some(opened) = segment::open(&*self.storage, oldest, self.spool)?
            && let Ok(header) = opened.header
            && header.first_seq > self.next_seq
        {
            return Ok(Some(self.trim(header.first_seq)));
        }
        // None when the segment has been removed meanwhile: then the next call lists again.
        self.at = self.enter(number, &head)?;
        Ok(None)
    }

    fn trim(&mut self, available_from: u64) -> ReadStep {
        self.next_seq = available_from;
        self.seeking = true;
        ReadStep::Trimmed { available_from }
    }

    /// The last segment that begins at or before the next number; damaged headers are stepped over.
    fn search(&self, numbers: &[(u64, u64)]) -> Result<Option<u64>, SpoolError> {
        let (mut low, mut high) = (0, numbers.len());
        let mut best = None;
        while low < high {
            let middle = low.midpoint(high);
            let mut readable = None;
            for probe in (low..=middle).rev() {
                let number = numbers[probe].0;
                if let Some(opened) = segment::open(&*self.storage, number, self.spool)?
                    && let Ok(header) = opened.header
                {
                    readable = Some((probe, number, header.first_seq));
                    break;
                }
            }
            match readable {
                Some((probe, _, first_seq)) if first_seq > self.next_seq => high = probe,
                Some((_, number, _)) => {
                    best = Some(number);
                    low = middle + 1;
                }
                None => low = middle + 1,
            }
        }
        Ok(best)
    }

    /// Opens segment `number`, or what stands in its place. `None` when it is gone.
    pub(super) fn enter(&mut self, number: u64, head: &Head) -> Result<Option<At>, SpoolError> {
        let mut number = number;
        loop {
            let Some(opened) = segment::open(&*self.storage, number, self.spool)? else {
                return Ok(None);
            };
            let end = if number == head.segment {
                head.offset
            } else {
                let numbers = Listing::read(&*self.storage)?.segments;
                match segment::successor(&*self.storage, &numbers, number, self.spool)? {
                    Successor::Next { end, .. } => end,
                    Successor::Void { instead } => {
                        number = instead;
                        continue;
                    }
                    Successor::Unreadable { .. } | Successor::Missing => {
                        extent::of_segment(&*self.storage, &numbers, number, &opened, self.spool)?
                    }
                }
            };
            if let Err(flaw) = &opened.header {
                let position = Position {
                    segment: number,
                    offset: 0,
                };
                self.damage.get_or_insert((position, flaw.to_string()));
            }
            return Ok(Some(At {
                scan: Scan::new(opened.file, number, self.spool, end),
                offset: opened.start,
            }));
        }
    }

    /// Where segment `number` ends although its successor does not say so; `None` when it is gone.
    fn extent(&self, number: u64, numbers: &[(u64, u64)]) -> Result<Option<u64>, SpoolError> {
        let opened = segment::open(&*self.storage, number, self.spool)?;
        opened
            .map(|opened| extent::of_segment(&*self.storage, numbers, number, &opened, self.spool))
            .transpose()
    }

    /// What comes after the end of `at`.
    pub(super) fn leave(&self, at: &At, head: &Head) -> Result<Leave, SpoolError> {
        let number = at.scan.number();
        if number >= head.segment {
            let more = number == head.segment && head.offset > at.scan.end();
            return Ok(if more {
                Leave::Longer(head.offset)
            } else {
                Leave::Stay
            });
        }
        let numbers = Listing::read(&*self.storage)?.segments;
        Ok(
            match segment::successor(&*self.storage, &numbers, number, self.spool)? {
                Successor::Next { end, .. } if end > at.scan.end() => Leave::Longer(end),
                Successor::Next { number, .. } => Leave::Go(number),
                Successor::Unreadable { number: next } => match self.extent(number, &numbers)? {
                    Some(end) if end > at.scan.end() => Leave::Longer(end),
                    Some(_) | None => Leave::Go(next),
                },
                Successor::Void { instead } => Leave::Go(instead),
                Successor::Missing if numbers.first().is_none_or(|(oldest, _)| *oldest > number) => {
                    Leave::Lost
                }
                Successor::Missing => match numbers.iter().find(|(other, _)| *other > number) {
                    Some((next, _)) if *next <= head.segment => Leave::Go(*next),
                    Some(_) | None => Leave::Stay,
                },
            },
        )
    }
}
