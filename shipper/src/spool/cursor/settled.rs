//! What became of each record of an entry: four bits a record, in memory as on disk. Pure.
//!
//! Six dispositions need three bits; four keep every record inside one byte, leave ten values for later, and cost
//! 4 KiB more than three in the largest entry.

use std::ops::Range;

/// What became of one record for one destination. The numbers are the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "this is the format; deliver must treat all of them"
)]
pub enum Disposition {
    /// Nothing is known yet: it has to be sent, or sent again.
    #[default]
    Pending = 0,
    /// Excluded for this destination by its filter.
    Filtered = 1,
    /// The destination said that it has it.
    Delivered = 2,
    /// The destination said that it will never take it; its dead letter is durable.
    DeadLettered = 3,
    /// The spool can no longer read it.
    Damaged = 4,
    /// The spool gave it up to make room (`on_full = "drop_oldest"`).
    Dropped = 5,
}

impl Disposition {
    /// All of them, at the index that is their number.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Filtered,
        Self::Delivered,
        Self::DeadLettered,
        Self::Damaged,
        Self::Dropped,
    ];

    fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// The dispositions of an entry's records, by their place in the entry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Settled {
    len: u32,
    /// Record `2n` in the low half of byte `n`, record `2n + 1` in the high half; an unused last half is 0.
    halves: Vec<u8>,
}

impl Settled {
    /// The most records of one entry.
    pub const MAX_LEN: u32 = crate::destination::Limits::MAX_RECORDS;

    /// `len` records, all pending; no more than [`Settled::MAX_LEN`] of them.
    pub fn pending(len: u32) -> Self {
        let len = len.min(Self::MAX_LEN);
        Self {
            len,
            halves: vec![0; Self::bytes_for(len)],
        }
    }

    /// How many records.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is no record at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What became of record `index`; `None` past the end.
    pub fn disposition(&self, index: u32) -> Option<Disposition> {
        (index < self.len).then(|| {
            let byte = self.halves[index as usize / 2];
            let number = if index.is_multiple_of(2) {
                byte & 0xf
            } else {
                byte >> 4
            };
            // Only numbers of dispositions get in: by `settle`, and by `from_bytes`, which looks at each.
            Disposition::of_number(number).unwrap_or_default()
        })
    }

    /// Says what became of record `index`, and returns what was said before; `None`, and nothing done, past the end.
    pub fn settle(&mut self, index: u32, disposition: Disposition) -> Option<Disposition> {
        let before = self.disposition(index)?;
        let byte = &mut self.halves[index as usize / 2];
        let number = disposition as u8;
        *byte = if index.is_multiple_of(2) {
            *byte & 0xf0 | number
        } else {
            *byte & 0x0f | number << 4
        };
        Some(before)
    }

    /// Says `disposition` of every record of `range` that is pending; returns how many those were.
    pub fn settle_pending(&mut self, range: Range<u32>, disposition: Disposition) -> u32 {
        let mut settled = 0;
        for index in range.start..range.end.min(self.len) {
            if self.disposition(index) == Some(Disposition::Pending) {
                self.settle(index, disposition);
                settled += 1;
            }
        }
        settled
    }

    /// Every record's disposition, in order.
    pub fn iter(&self) -> impl Iterator<Item = Disposition> + '_ {
        (0..self.len).filter_map(|index| self.disposition(index))
    }

    /// The places in `range` that are pending, in order.
    pub fn pending_in(&self, range: Range<u32>) -> impl Iterator<Item = u32> + '_ {
        (range.start..range.end.min(self.len))
            .filter(|&index| self.disposition(index) == Some(Disposition::Pending))
    }

    /// How many records have each disposition, at the index that is its number. The sum is the length.
    pub fn tally(&self) -> [u64; 6] {
        let mut tally = [0; 6];
        for disposition in self.iter() {
            tally[disposition as usize] += 1;
        }
        tally
    }

    /// Whether no record is pending.
    pub fn is_complete(&self) -> bool {
        self.pending_in(0..self.len).next().is_none()
    }

    /// How many bytes the dispositions of `len` records take.
    pub(super) fn bytes_for(len: u32) -> usize {
        (len as usize).div_ceil(2)
    }

    /// The form on disk.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.halves
    }

    /// The reverse of [`Settled::as_bytes`]; `None` when the bytes are not exactly the form of `len` records.
    pub(super) fn from_bytes(len: u32, bytes: &[u8]) -> Option<Self> {
        if len > Self::MAX_LEN || bytes.len() != Self::bytes_for(len) {
            return None;
        }
        let known = |half: u8| Disposition::of_number(half).is_some();
        let unused_is_zero = len.is_multiple_of(2) || bytes.last().is_some_and(|last| last >> 4 == 0);
        let all_known = bytes.iter().all(|&byte| known(byte & 0xf) && known(byte >> 4));
        (unused_is_zero && all_known).then(|| Self {
            len,
            halves: bytes.to_vec(),
        })
    }
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tally = self.tally();
        let counted = Disposition::ALL.iter().zip(tally).filter(|(_, count)| *count > 0);
        f.debug_map().entries(counted).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_numbers_of_the_format_are_the_indices() {
        for (number, disposition) in Disposition::ALL.into_iter().enumerate() {
            assert_eq!(disposition as usize, number);
        }
    }

    #[test]
    fn nothing_is_said_past_the_end() {
        let mut settled = Settled::pending(3);
        assert_eq!(settled.settle(3, Disposition::Delivered), None);
        assert_eq!(settled.as_bytes(), [0, 0]);
        assert_eq!(settled.settle_pending(1..9, Disposition::Damaged), 2);
        assert_eq!(settled.as_bytes(), [0x40, 0x04]);
    }

    #[test]
    fn bytes_that_no_map_has_are_refused() {
        assert_eq!(Settled::from_bytes(3, &[0, 0x10]), None, "the unused half");
        assert_eq!(Settled::from_bytes(4, &[0, 0x60]), None, "a seventh disposition");
        assert_eq!(Settled::from_bytes(4, &[0]), None, "too short");
        assert_eq!(Settled::from_bytes(4, &[0; 3]), None, "too long");
        assert_eq!(
            Settled::from_bytes(Settled::MAX_LEN + 1, &[0; 16_385]),
            None,
            "too many"
        );
        assert!(Settled::from_bytes(Settled::MAX_LEN, &[0x55; 16_384]).is_some());
    }

    proptest! {
        #[test]
        fn is_a_vector_of_dispositions(
            len in 0_u32..70,
            changes in prop::collection::vec((0_u32..80, 0_usize..6), 0..200),
        ) {
            let mut settled = Settled::pending(len);
            let mut model = vec![Disposition::Pending; len as usize];
            for (index, number) in changes {
                let disposition = Disposition::ALL[number];
                let before = model.get_mut(index as usize).map(|place| std::mem::replace(place, disposition));
                prop_assert_eq!(settled.settle(index, disposition), before);
            }
            prop_assert_eq!(settled.iter().collect::<Vec<_>>(), model.clone());
            prop_assert_eq!(settled.tally().iter().sum::<u64>(), u64::from(len));
            prop_assert_eq!(settled.is_complete(), !model.contains(&Disposition::Pending));
            prop_assert_eq!(Settled::from_bytes(len, settled.as_bytes()), Some(settled));
        }
    }
}
