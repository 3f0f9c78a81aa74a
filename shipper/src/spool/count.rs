//! The sums of what came in and what became of it: every record received is counted exactly once. Pure.

/// What one hand-off did, as records (the last two: regions and bytes of input that could not be decoded).
///
/// Every block carries the deltas of its hand-off; the sums over all blocks are the spool's totals.
/// Invariant: `received = excluded + duplicate + spooled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tally {
    /// Records that could be decoded.
    pub received: u64,
    /// Records of which every category is excluded.
    pub excluded: u64,
    /// Records whose key was in the window.
    pub duplicate: u64,
    /// Records that were written.
    pub spooled: u64,
    /// Written records that had an id of the window with other content (also counted in `spooled`).
    pub id_conflict: u64,
    /// Written records of which some text was not UTF-8 and was replaced (also counted in `spooled`).
    pub repaired: u64,
    /// Regions of input that could not be decoded and went to quarantine.
    pub undecodable_regions: u64,
    /// The bytes of those regions.
    pub undecodable_bytes: u64,
}

impl Tally {
    /// How many bytes the fixed form has.
    pub const LEN: usize = 64;

    /// Whether `received = excluded + duplicate + spooled`.
    pub fn balances(&self) -> bool {
        self.received
            == self
                .excluded
                .saturating_add(self.duplicate)
                .saturating_add(self.spooled)
    }

    /// Whether nothing at all is counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another hand-off, saturating.
    pub fn add(&mut self, other: &Self) {
        let sums = self.fields().into_iter().zip(other.fields());
        let mut fields = [0; 8];
        for (sum, (mine, theirs)) in fields.iter_mut().zip(sums) {
            *sum = mine.saturating_add(theirs);
        }
        *self = Self::of_fields(fields);
    }

    /// The eight counts as little-endian u64, in the order of the fields.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        for (place, field) in bytes.chunks_exact_mut(8).zip(self.fields()) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// The reverse of [`Tally::to_bytes`].
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut fields = [0; 8];
        for (field, place) in fields.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(place);
            *field = u64::from_le_bytes(eight);
        }
        Self::of_fields(fields)
    }

    fn fields(&self) -> [u64; 8] {
        [
            self.received,
            self.excluded,
            self.duplicate,
            self.spooled,
            self.id_conflict,
            self.repaired,
            self.undecodable_regions,
            self.undecodable_bytes,
        ]
    }

    fn of_fields(fields: [u64; 8]) -> Self {
        let [
            received,
            excluded,
            duplicate,
            spooled,
            id_conflict,
            repaired,
            undecodable_regions,
            undecodable_bytes,
        ] = fields;
        Self {
            received,
            excluded,
            duplicate,
            spooled,
            id_conflict,
            repaired,
            undecodable_regions,
            undecodable_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_and_sums_saturate() {
        let tally = Tally::of_fields([6, 1, 2, 3, 4, 5, 6, u64::MAX]);
        assert_eq!(Tally::from_bytes(&tally.to_bytes()), tally);
        assert!(tally.balances());
        let mut twice = tally;
        twice.add(&tally);
        assert_eq!(twice, Tally::of_fields([12, 2, 4, 6, 8, 10, 12, u64::MAX]));
        assert!(
            !Tally {
                received: 1,
                ..Tally::default()
            }
            .balances()
        );
    }
}
