//! Who a record is: (spool id, epoch, sequence), and the key derived from its content. Pure.

use std::fmt;
use std::str::FromStr;

use crate::hex::hex;

/// A spool's identity: 128 random bits drawn when the directory is created. Its text form is 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolId(pub [u8; 16]);

/// One opening of a spool for writing: 64 random bits. Its text form is 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// What makes a record recognisable everywhere.
///
/// `seq` counts from 0 over the whole life of the spool. Blocks that a crash cut off were never acknowledged; their
/// numbers are used again in the next epoch, so only the triple is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct RecordId {
    /// The spool that holds the record.
    pub spool: SpoolId,
    /// The opening of the spool in which the record was written.
    pub epoch: Epoch,
    /// The record's number in the spool.
    pub seq: u64,
}

/// A record's key: what de-duplication, `insertId`, `_id` and partition keys use. Text form: 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

/// BLAKE3 of a record's JSON as the source gave it, before anything of ours is added.
pub type ContentHash = [u8; 32];

impl Key {
    /// The key of a record that carries an event id: the first 16 bytes of
    /// BLAKE3(length of the id as u64 little-endian ‖ id ‖ content).
    pub fn of_event(event_id: &[u8], content: &ContentHash) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(event_id.len() as u64).to_le_bytes());
        hasher.update(event_id);
        hasher.update(content);
        Self::truncated(&hasher)
    }

    /// The key of a record without an event id: the first 16 bytes of
    /// BLAKE3(spool id ‖ epoch as u64 little-endian ‖ seq as u64 little-endian).
    pub fn of_position(id: &RecordId) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&id.spool.0);
        bytes[16..24].copy_from_slice(&id.epoch.0.to_le_bytes());
        bytes[24..].copy_from_slice(&id.seq.to_le_bytes());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        Self::truncated(&hasher)
    }

    fn truncated(hasher: &blake3::Hasher) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(key)
    }
}

/// Why a text is not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotHex {
    /// How many lower-case hex digits were expected.
    pub digits: usize,
}

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} hexadecimal digits", self.digits)
    }
}

impl std::error::Error for NotHex {}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], NotHex> {
    let wrong = NotHex { digits: 2 * N };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(wrong);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: u8| {
            char::from(at)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        *byte = digit(pair[0]).ok_or(wrong)? << 4 | digit(pair[1]).ok_or(wrong)?;
    }
    Ok(bytes)
}

macro_rules! hex_identity {
    ($name:ident, $bytes:expr, $from:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", hex(&$bytes(self)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                parse_hex(text).map($from)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_identity!(SpoolId, |id: &SpoolId| id.0, SpoolId);
hex_identity!(Epoch, |epoch: &Epoch| epoch.0.to_be_bytes(), |bytes| Epoch(
    u64::from_be_bytes(bytes)
));
hex_identity!(Key, |key: &Key| key.0, Key);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip() {
        let spool = SpoolId(*b"0123456789abcdef");
        assert_eq!(spool.to_string(), "30313233343536373839616263646566");
        assert_eq!(spool.to_string().parse(), Ok(spool));
        assert_eq!(Epoch(1).to_string(), "0000000000000001");
        assert_eq!("00000000000000fg".parse::<Epoch>(), Err(NotHex { digits: 16 }));
        assert_eq!("00".parse::<Epoch>(), Err(NotHex { digits: 16 }));
    }

    #[test]
    fn an_id_cannot_run_into_the_content() {
        assert_ne!(
            Key::of_event(b"a", &[b'b'; 32]),
            Key::of_event(b"ab", &[b'b'; 32])
        );
    }
}
