//! What can be requested. Pure.

use serde::{Deserialize, Serialize};

use crate::control::Role;
use crate::spool::identity::Epoch;

/// A request. At each: what it means when the process dies between doing it and answering, and it is given out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// Send dead letters again. Twice: a letter that was delivered is no longer there, so only the others are sent.
    DeadLetterRetry {
        /// Whose.
        destination: String,
        /// Which.
        which: Letters,
    },
    /// Remove dead letters for good. Twice: the same as once.
    DeadLetterDiscard {
        /// Whose.
        destination: String,
        /// Which.
        which: Letters,
        /// Why, for the record.
        reason: String,
    },
    /// Decode quarantined input again and spool what can be. Twice: records with an id are recognised as duplicates,
    /// those without one are spooled again.
    QuarantineRetry {
        /// Which.
        which: QuarantinedBlocks,
    },
    /// Give quarantined input up: nobody wants it any more. Twice: the same as once.
    QuarantineDiscard {
        /// Which.
        which: QuarantinedBlocks,
    },
    /// Make room now: remove what all destinations have, whatever `retain` says. Twice: the same as once.
    Reclaim,
    /// Say something in the log. Twice: it says it twice.
    Note {
        /// What to say.
        text: String,
    },
    /// End a hold and try now. Twice: the same as once, or the end of a hold that was made in between.
    Release {
        /// Whose.
        destination: String,
        /// Up to which count of copies of the spool this is a word ([`crate::spool::Provenance::copies`]): one that was
        /// copied along with a spool says nothing of the copy.
        #[serde(default)]
        copy: u64,
    },
    /// Give a destination up: its cursor and its dead letters go. Twice: the same as once.
    Remove {
        /// Which.
        destination: String,
    },
    /// Send records again, from one sequence number up to, and without, another. Once: the commit that begins it keeps
    /// the command's nonce.
    Replay {
        /// Where to.
        destination: String,
        /// The first sequence number.
        from: u64,
        /// The one after the last.
        to: u64,
    },
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "all of them or a list")]
pub enum Letters {
    /// All that are there when the command is done.
    All,
    /// These; one that is not there is passed over.
    These(Vec<LetterId>),
}

/// A dead letter's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "it is what the file's name says")]
pub struct LetterId {
    /// The record's epoch.
    pub epoch: Epoch,
    /// The record's sequence number.
    pub seq: u64,
}

/// Which quarantine blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "all of them or a list")]
pub enum QuarantinedBlocks {
    /// All that are there when the command is done.
    All,
    /// These; one that is not there is passed over.
    These(Vec<BlockPlace>),
}

/// Where a block is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "two plain numbers")]
pub struct BlockPlace {
    /// Number of the segment.
    pub segment: u64,
    /// Byte offset in it.
    pub offset: u64,
}

impl Command {
    /// Who does it.
    pub fn role(&self) -> Role {
        match self {
            Self::DeadLetterRetry { .. }
            | Self::DeadLetterDiscard { .. }
            | Self::Release { .. }
            | Self::Remove { .. }
            | Self::Replay { .. } => Role::Shipper,
            Self::QuarantineRetry { .. }
            | Self::QuarantineDiscard { .. }
            | Self::Reclaim
            | Self::Note { .. } => Role::Writer,
        }
    }

    /// The destination that it concerns, if one.
    pub fn destination(&self) -> Option<&str> {
        match self {
            Self::DeadLetterRetry { destination, .. }
            | Self::DeadLetterDiscard { destination, .. }
            | Self::Release { destination, .. }
            | Self::Remove { destination }
            | Self::Replay { destination, .. } => Some(destination),
            Self::QuarantineRetry { .. }
            | Self::QuarantineDiscard { .. }
            | Self::Reclaim
            | Self::Note { .. } => None,
        }
    }
}
