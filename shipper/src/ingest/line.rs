//! What auditship adds to a record's JSON to make it a line of the payload. Pure.

use crate::record::Meta;
use crate::spool::identity::RecordId;
use crate::time::Timestamp;

/// The end of a line, of which only the number changes from record to record.
#[derive(Debug, Default)]
pub(super) struct Suffix {
    of: Option<RecordId>,
    text: String,
}

impl Suffix {
    /// Prepares for records of this spool and epoch.
    pub(super) fn stand_for(&mut self, id: RecordId) {
        let id = RecordId { seq: 0, ..id };
        if self.of != Some(id) {
            self.text = format!(
                r#""auditship":{{"spool":"{}","epoch":"{}","seq":"#,
                id.spool, id.epoch
            );
            self.of = Some(id);
        }
    }

    /// Makes a line of the object that `payload` ends with, and says how many bytes stand between it and its brace.
    pub(super) fn append(&self, payload: &mut Vec<u8>, meta: &Meta, time: Timestamp, seq: u64) -> u16 {
        payload.pop(); // the object's brace
        let start = payload.len();
        if meta.members > 0 {
            payload.push(b',');
        }
        if !meta.has_timestamp {
            payload.extend_from_slice(b"\"@timestamp\":\"");
            payload.extend_from_slice(time.to_rfc3339().as_bytes());
            payload.extend_from_slice(b"\",");
        }
        payload.extend_from_slice(self.text.as_bytes());
        payload.extend_from_slice(itoa::Buffer::new().format(seq).as_bytes());
        payload.push(b'}');
        // Less than 200 bytes: names, 48 hexadecimal digits, a time and a number.
        let added = u16::try_from(payload.len() - start).unwrap_or(u16::MAX);
        payload.extend_from_slice(b"}\n");
        added
    }
}
