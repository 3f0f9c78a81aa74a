//! Why a piece of input is not a record. Pure.

use std::fmt;

/// Why a region of input went to quarantine. Holds no byte of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The input ends inside a msgpack value.
    Truncated,
    /// The byte 0xc1, which msgpack never uses, stands where a value should start.
    ReservedByte,
    /// A well-formed msgpack value that is not an event.
    NotAnEvent(NotAnEvent),
    /// A line that is not JSON.
    NotJson {
        /// Where in the line, in bytes from 1.
        column: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// Well-formed, but arrays and maps are nested deeper than allowed.
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Well-formed, but the record's JSON is larger than allowed.
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
}

/// What keeps a well-formed msgpack value from being an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAnEvent {
    /// It is not an array of two.
    Root,
    /// Its header is an array, but not one of a time and a map.
    Header,
    /// Its time is neither an integer nor a float nor an EventTime.
    Time,
    /// Its time is negative and marks no group, or does not fit the years 1970 to 2262.
    TimeRange,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the input ends inside a msgpack value"),
            Self::ReservedByte => {
                f.write_str("the byte 0xc1, which msgpack does not use, where a value should start")
            }
            Self::NotAnEvent(why) => why.fmt(f),
            Self::NotJson { column, expected } => {
                write!(f, "not JSON: expected {expected} at column {column}")
            }
            Self::TooDeep { max } => write!(f, "arrays and maps are nested more than {max} deep"),
            Self::TooLarge { max } => write!(f, "the record's JSON is larger than {max} bytes"),
        }
    }
}

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "a msgpack value that is not an event: not an array of two",
            Self::Header => "a msgpack value that is not an event: its header is not a time and a map",
            Self::Time => "a msgpack value that is not an event: its time is no integer, float or EventTime",
            Self::TimeRange => {
                "a msgpack value that is not an event: its time is negative or after the year 2262"
            }
        })
    }
}

impl std::error::Error for Fault {}
