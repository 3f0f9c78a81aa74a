//! Time as an argument: the one place where the clock of the host is read.
//!
//! Invariants: a [`Clock`]'s monotonic reading never goes back; its wall reading may (someone may set the clock), so
//! intervals are always taken from the monotonic one.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// The range (1677 to 2262) is that of Fluent Bit's own event time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole milliseconds since the epoch, rounded down.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// RFC 3339 in UTC with exactly nine fractional digits, as in `2026-01-01T00:00:00.000000000Z`.
    pub fn to_rfc3339(self) -> String {
        // Every i64 count of nanoseconds is inside jiff's range (years -9999 to 9999).
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(at) => format!("{at:.9}"),
            Err(_) => String::from("1970-01-01T00:00:00.000000000Z"),
        }
    }

    /// The point `after` this one, saturating at the end of the range.
    pub fn plus(self, after: Duration) -> Self {
        let nanos = i64::try_from(after.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// A text is not a time of RFC 3339, or not one between 1677 and 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected a time of RFC 3339 with an offset, as 2026-01-31T12:00:00Z, between 1677 and 2262",
        )
    }
}

impl std::error::Error for NotATime {}

impl std::str::FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let at: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        i64::try_from(at.as_nanosecond()).map(Self).map_err(|_| NotATime)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A reading of a monotonic clock: nanoseconds since some fixed point of this process' life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The reading `after` this one, saturating.
    pub fn plus(self, after: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Wall time. May jump in either direction between two calls.
    fn wall(&self) -> Timestamp;

    /// Monotonic time. Never goes back.
    fn monotonic(&self) -> Monotonic;
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemClock {
    /// A clock whose monotonic readings count from now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn new() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> Timestamp {
        let nanos = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        };
        Timestamp(nanos)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl ManualClock {
    /// A clock that reads `wall`, and zero on its monotonic face.
    pub fn at(wall: Timestamp) -> Self {
        Self {
            wall: AtomicI64::new(wall.0),
            monotonic: AtomicI64::new(0),
        }
    }

    /// Moves both faces forward.
    pub fn advance(&self, by: Duration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.wall.fetch_add(nanos, Ordering::SeqCst);
        self.monotonic.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Sets the wall face, as an administrator would; the monotonic one does not notice.
    pub fn set_wall(&self, wall: Timestamp) {
        self.wall.store(wall.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.monotonic.load(Ordering::SeqCst).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_has_nine_digits_at_both_ends_of_the_range() {
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp(i64::MAX).to_rfc3339(), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(Timestamp(i64::MIN).to_rfc3339(), "1677-09-21T00:12:43.145224192Z");
    }

    #[test]
    fn texts_round_trip_and_others_are_refused() {
        for nanos in [i64::MIN, -1, 0, 1_767_225_600_123_456_789, i64::MAX] {
            assert_eq!(Timestamp(nanos).to_rfc3339().parse(), Ok(Timestamp(nanos)));
        }
        assert_eq!(
            "2026-01-01T01:00:00+01:00".parse(),
            Ok(Timestamp(1_767_225_600_000_000_000))
        );
        for wrong in [
            "",
            "now",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "1600-01-01T00:00:00Z",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(NotATime), "{wrong}");
        }
    }

    #[test]
    fn setting_the_wall_clock_back_leaves_the_monotonic_one() {
        let clock = ManualClock::at(Timestamp(1_000));
        clock.advance(Duration::from_nanos(5));
        clock.set_wall(Timestamp(3));
        assert_eq!((clock.wall(), clock.monotonic()), (Timestamp(3), Monotonic(5)));
    }
}
