//! The file `spool.meta`: whose spool this is, and what tells it from a copy.

use std::fmt;

use super::fields::{Frame, open_frame};
use super::{Flags, FormatError};
use crate::spool::identity::SpoolId;
use crate::spool::storage::FileIdentity;
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
    /// Which file it was written as; none when an older version wrote it.
    pub home: Option<Home>,
}

/// What the file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "this is the format")]
pub struct Home {
    /// Feature flags.
    pub flags: Flags,
    /// What told the file from every other when it was written.
    pub file: FileIdentity,
    /// How often the spool was found to be a copy.
    pub copies: u64,
    /// What told so the last time.
    pub evidence: Option<Evidence>,
}

/// What tells that a spool is a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "this is the format")]
pub enum Evidence {
    /// `spool.meta` was written on another machine.
    OtherMachine,
    /// `spool.meta` is another file than the one that was written.
    OtherFile,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherMachine => "spool.meta was written on another machine",
            Self::OtherFile => "spool.meta is a copy of the file that was written here",
        })
    }
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
        if let Some(home) = &self.home {
            home.encode(out);
        }
    }

    /// The content of the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (flags, mut take, len) = open_frame(bytes, Self::MAGIC, OF)?;
        let home = match &bytes[len..] {
            [] => None,
            home => Some(Home::decode(home)?),
        };
        Ok(Self {
            flags,
            spool: SpoolId(take.array()?),
            machine: take.array()?,
            created: Timestamp(take.i64()?),
            id: String::from_utf8(take.0.to_vec()).map_err(|_| FormatError::Value { of: "id" })?,
            home,
        })
    }
}

const HOME: &str = "spool.meta's home";

impl Home {
    /// What it begins with.
    pub const MAGIC: [u8; 8] = *b"\x89ASHOM\r\n";

    fn encode(&self, out: &mut Vec<u8>) {
        let mut frame = Frame::begin(out, Self::MAGIC, self.flags);
        let evidence = match self.evidence {
            None => 0,
            Some(Evidence::OtherMachine) => 1,
            Some(Evidence::OtherFile) => 2,
        };
        frame
            .put(&self.file.inode.to_le_bytes())
            .put(&self.file.born.to_le_bytes())
            .put(&self.copies.to_le_bytes())
            .put(&[evidence, 0, 0, 0, 0, 0, 0, 0]);
        frame.end();
    }

    fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let (flags, mut take, len) = open_frame(bytes, Self::MAGIC, HOME)?;
        if len != bytes.len() {
            return Err(FormatError::Length { of: HOME });
        }
        let home = Self {
            flags,
            file: FileIdentity {
                inode: take.u64()?,
                born: take.i64()?,
            },
            copies: take.u64()?,
            evidence: match take.array::<1>()? {
                [0] => None,
                [1] => Some(Evidence::OtherMachine),
                [2] => Some(Evidence::OtherFile),
                _ => return Err(FormatError::Value { of: "evidence" }),
            },
        };
        let _reserved: [u8; 7] = take.array()?;
        match take.0 {
            [] => Ok(home),
            _ => Err(FormatError::Length { of: HOME }),
        }
    }
}
