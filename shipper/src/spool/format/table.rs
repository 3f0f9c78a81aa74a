//! The record table: one fixed entry a record.

use super::FormatError;
use super::fields::Take;
use crate::spool::draft::TableEntry;
use crate::spool::identity::Key;
use crate::time::Timestamp;

/// Adds the entries' bytes to `out`.
pub fn encode_table(entries: &[TableEntry], out: &mut Vec<u8>) {
    out.reserve(entries.len() * TableEntry::LEN);
    for entry in entries {
        let mut bytes = [0; TableEntry::LEN];
        bytes[..4].copy_from_slice(&entry.len.to_le_bytes());
        bytes[4..6].copy_from_slice(&entry.added.to_le_bytes());
        bytes[6..8].copy_from_slice(&entry.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&entry.time.0.to_le_bytes());
        bytes[16..32].copy_from_slice(&entry.key.0);
        bytes[32..36].copy_from_slice(&entry.categories.to_le_bytes());
        bytes[36..].copy_from_slice(&entry.id_hash.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
}

/// The entries in `bytes`.
///
/// # Errors
/// [`FormatError::Length`] when `bytes` is no whole number of entries.
pub fn decode_table(bytes: &[u8]) -> Result<Vec<TableEntry>, FormatError> {
    if !bytes.len().is_multiple_of(TableEntry::LEN) {
        return Err(FormatError::Length { of: "record table" });
    }
    bytes.chunks_exact(TableEntry::LEN).map(decode_entry).collect()
}

fn decode_entry(bytes: &[u8]) -> Result<TableEntry, FormatError> {
    let mut take = Take(bytes);
    Ok(TableEntry {
        len: take.u32()?,
        added: take.u16()?,
        flags: take.u16()?,
        time: Timestamp(take.i64()?),
        key: Key(take.array()?),
        categories: take.u32()?,
        id_hash: take.u64()?,
    })
}
