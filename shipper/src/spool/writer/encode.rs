//! From a draft to the bytes of its blocks. Pure but for the salt.

use crate::random::Random;
use crate::seal;
use crate::spool::block::source_byte;
use crate::spool::count::Tally;
use crate::spool::draft::{Draft, Quarantined, TableEntry};
use crate::spool::error::{AppendError, IoFailure};
use crate::spool::format::{
    BlockHeader, Cipher, Codec, Extension, Flags, HashAlgorithm, IndexEntry, Kind, MAX_PAYLOAD, MAX_RECORDS,
    Sections, compress, encode_table,
};
use crate::spool::head::Head;
use crate::spool::identity::{ContentHash, SpoolId};
use crate::time::Timestamp;

/// The most bytes of a reason or an origin that a header keeps.
const MAX_TEXT: usize = 1024;

/// Blocks one after another, and the tip behind them.
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// What was encoded.
    pub(super) blocks: Vec<IndexEntry>,
    /// Moves with each block.
    pub(super) tip: Head,
    spool: SpoolId,
    codec: Codec,
    now: Timestamp,
    random: &'a dyn Random,
}

/// What differs from block to block.
struct Content<'a> {
    kind: Kind,
    codec: Codec,
    table: &'a [TableEntry],
    payload: &'a [u8],
    /// What the Merkle leaves are made of.
    contents: &'a [ContentHash],
    tally: Tally,
    extensions: Vec<Extension>,
}

impl<'a> Encoder<'a> {
    /// An encoder that puts its blocks into `out` (emptied), to stand at `tip`.
    pub(super) fn new(
        out: &'a mut Vec<u8>,
        tip: Head,
        spool: SpoolId,
        codec: Codec,
        now: Timestamp,
        random: &'a dyn Random,
    ) -> Self {
        out.clear();
        Self {
            out,
            blocks: Vec::new(),
            tip,
            spool,
            codec,
            now,
            random,
        }
    }

    /// The blocks of one hand-off: its records, or its counts alone, and each quarantined region.
    ///
    /// Each block carries the counts of what it holds, so that the sums are right whichever of them a crash leaves.
    pub(super) fn draft(&mut self, draft: &Draft) -> Result<(), AppendError> {
        check(draft)?;
        let mut tally = draft.tally;
        tally.undecodable_regions = 0;
        tally.undecodable_bytes = 0;
        if draft.table.is_empty() {
            if !tally.is_zero() {
                self.accounting(tally)?;
            }
        } else {
            self.block(&Content {
                kind: Kind::Records,
                codec: self.codec,
                table: &draft.table,
                payload: &draft.payload,
                contents: &draft.contents,
                tally,
                extensions: Vec::new(),
            })?;
        }
        draft
            .quarantined
            .iter()
            .try_for_each(|region| self.quarantine(region))
    }

    fn quarantine(&mut self, region: &Quarantined) -> Result<(), AppendError> {
        let tally = Tally {
            undecodable_regions: 1,
            undecodable_bytes: region.bytes.len() as u64,
            ..Tally::default()
        };
        self.block(&Content {
            kind: Kind::Quarantine,
            codec: self.codec,
            table: &[],
            payload: &region.bytes,
            contents: &[*blake3::hash(&region.bytes).as_bytes()],
            tally,
            extensions: vec![
                Extension::new(Extension::SOURCE, &[source_byte(region.source)]),
                Extension::new(Extension::REASON, clip(&region.reason)),
                Extension::new(Extension::ORIGIN, clip(&region.origin)),
            ],
        })
    }

    /// A block with nothing but counts.
    pub(super) fn accounting(&mut self, tally: Tally) -> Result<(), AppendError> {
        self.block(&Content {
            kind: Kind::Accounting,
            codec: Codec::None,
            table: &[],
            payload: &[],
            contents: &[],
            tally,
            extensions: Vec::new(),
        })
    }

    /// A note, or an index: bytes as they are, without records or counts.
    pub(super) fn plain(&mut self, kind: Kind, payload: &[u8]) -> Result<(), AppendError> {
        self.block(&Content {
            kind,
            codec: Codec::None,
            table: &[],
            payload,
            contents: &[*blake3::hash(payload).as_bytes()],
            tally: Tally::default(),
            extensions: Vec::new(),
        })
    }

    fn block(&mut self, content: &Content<'_>) -> Result<(), AppendError> {
        let plain_len = content.payload.len() as u64;
        if plain_len > MAX_PAYLOAD {
            return Err(AppendError::RecordTooLarge {
                len: plain_len,
                limit: MAX_PAYLOAD,
            });
        }
        let mut salt = [0; 32];
        let mut secrets: &[u8] = &[];
        if !content.contents.is_empty() {
            self.random.fill(&mut salt)?;
            secrets = &salt;
        }
        let mut table = Vec::new();
        encode_table(content.table, &mut table);
        let mut compressed = Vec::new();
        let stored = match content.codec {
            Codec::None => content.payload,
            codec => {
                compress(codec, content.payload, &mut compressed)
                    .map_err(|error| AppendError::Io(IoFailure::new("compress", "a payload", &error)))?;
                &compressed
            }
        };
        let times = content.table.iter().map(|entry| entry.time);
        let header = BlockHeader {
            flags: Flags::default(),
            kind: content.kind,
            codec: content.codec,
            hash: HashAlgorithm::Blake3,
            cipher: Cipher::None,
            spool: self.spool,
            epoch: self.tip.epoch,
            first_seq: self.tip.next_seq,
            // `check` has kept it below MAX_RECORDS.
            count: u32::try_from(content.table.len()).unwrap_or(u32::MAX),
            tally: content.tally,
            earliest: times.clone().min().unwrap_or(self.now),
            latest: times.max().unwrap_or(self.now),
            ingest_time: self.now,
            table_len: u32::try_from(table.len()).unwrap_or(u32::MAX),
            secrets_len: u32::try_from(secrets.len()).unwrap_or(u32::MAX),
            stored_len: stored.len() as u64,
            plain_len,
            root: seal::merkle_root(content.contents.iter().map(|content| seal::leaf(&salt, content))),
            prev: self.tip.chain,
            extensions: content.extensions.clone(),
        };
        let start = self.out.len();
        header.encode(self.out);
        self.tip.chain = seal::chain(&self.out[start..]);
        Sections {
            table: &table,
            payload: stored,
            secrets,
        }
        .encode(self.out);
        self.blocks.push(IndexEntry {
            offset: self.tip.offset,
            first_seq: header.first_seq,
            count: header.count,
            kind: header.kind,
            earliest: header.earliest,
            latest: header.latest,
            ingest_time: header.ingest_time,
        });
        self.tip.offset += (self.out.len() - start) as u64;
        self.tip.next_seq = header.end_seq();
        self.tip.totals.add(&header.tally);
        Ok(())
    }
}

/// Whether the draft's parts agree.
fn check(draft: &Draft) -> Result<(), AppendError> {
    let lens = draft.table.iter().map(|entry| u64::from(entry.len));
    let reason = if lens.sum::<u64>() != draft.payload.len() as u64 {
        "the table's lengths are not those of the payload"
    } else if draft.contents.len() != draft.table.len() {
        "the table and the content hashes differ in number"
    } else if draft.tally.spooled != draft.table.len() as u64 {
        "the tally's `spooled` is not the number of records"
    } else if draft.table.len() > MAX_RECORDS as usize {
        "more records than a block may have"
    } else {
        return Ok(());
    };
    Err(AppendError::BadDraft { reason })
}

/// At most [`MAX_TEXT`] bytes of `text`, cut between characters.
fn clip(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)]
}
