//! The file `spool.meta`: whose spool this is.

use super::fields::{Frame, open_frame};
use super::{Flags, FormatError};
use crate::spool::identity::SpoolId;
use crate::time::Timestamp;

/// What a spool is told about itself when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this is the format")]
pub struct Meta {
    /// Feature flags of the whole spool.
    pub flags: Flags,
    /// The spool's identity.
    pub spool: SpoolId,
    /// BLAKE3 of the machine id: tells a copy on another machine without keeping the id itself.
    pub machine: [u8; 32],
    /// When the spool was made.
    pub created: Timestamp,
    /// The instance's `Id`.
    pub id: String,
}

const OF: &str = "spool.meta";

impl Meta {
    /// What the file begins with.
    pub const MAGIC: [u8; 8] = *b"\x89ASMET\r\n";
    /// The most bytes that an `Id` may have.
    pub const MAX_ID: usize = 256;

    /// Adds the file's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut frame = Frame::begin(out, Self::MAGIC, self.flags);
        frame
            .put(&self.spool.0)
            .put(&self.machine)
            .put(&self.created.0.to_le_bytes())
            .put(self.id.as_bytes());
        frame.end();
    }

    /// The content of the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (flags, mut take, len) = open_frame(bytes, Self::MAGIC, OF)?;
        if len != bytes.len() {
            return Err(FormatError::Length { of: OF });
        }
        Ok(Self {
            flags,
            spool: SpoolId(take.array()?),
            machine: take.array()?,
            created: Timestamp(take.i64()?),
            id: String::from_utf8(take.0.to_vec()).map_err(|_| FormatError::Value { of: "id" })?,
        })
    }
}
