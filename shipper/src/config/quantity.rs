//! Sizes, ages and shares as people write them: `5MiB`, `30s`, `10%`.
//!
//! Each is a whole number and a unit. Fractions are refused: `1.5GiB` is written `1536MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A number of bytes. `512`, `64KiB`, `5MiB`, `10GiB`, `1TiB`; `KB`, `MB`, `GB`, `TB` are powers of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a plain number with its unit")]
pub struct ByteSize(pub u64);

/// A span of time. `250ms`, `30s`, `5m`, `12h`, `30d`, `2w`. A bare number has no unit and is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a plain number with its unit")]
pub struct Age(pub Duration);

/// A share of something, in parts of a million: `1%`, `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(1_000_000);

    /// So many percent; above 100 is 100.
    pub const fn percent(percent: u32) -> Self {
        if percent >= 100 {
            Self::ALL
        } else {
            Self(percent * 10_000)
        }
    }

    /// In parts of a million, 0 to 1,000,000.
    pub fn per_million(self) -> u32 {
        self.0
    }

    /// This share of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0) / 1_000_000;
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

/// Text that is no such quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotQuantity {
    /// What was written.
    pub text: String,
    /// What is expected, with examples.
    pub expected: &'static str,
}

impl fmt::Display for NotQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}", self.text, self.expected)
    }
}

impl std::error::Error for NotQuantity {}

const SIZE: &str = "a size; write a whole number and a unit, as 64KiB, 5MiB or 10GiB";
const AGE: &str = "a time span; write a whole number and a unit, as 30s, 5m, 12h or 30d";
const SHARE: &str = "a share; write a number from 0 to 100 and a percent sign, as 1% or 0.5%";

/// Splits `10 GiB` into 10 and `GiB`.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

impl FromStr for ByteSize {
    type Err = NotQuantity;

    fn from_str(text: &str) -> Result<Self, NotQuantity> {
        let parse = || {
            let (number, unit) = split(text)?;
            let factor = match unit.to_ascii_lowercase().as_str() {
                "" | "b" => 1,
                "k" | "kib" => 1 << 10,
                "m" | "mib" => 1 << 20,
                "g" | "gib" => 1 << 30,
                "t" | "tib" => 1 << 40,
                "kb" => 1_000,
                "mb" => 1_000_000,
                "gb" => 1_000_000_000,
                "tb" => 1_000_000_000_000,
                _ => return None,
            };
            number.checked_mul(factor).map(Self)
        };
        parse().ok_or_else(|| NotQuantity {
            text: text.to_owned(),
            expected: SIZE,
        })
    }
}

impl FromStr for Age {
    type Err = NotQuantity;

    fn from_str(text: &str) -> Result<Self, NotQuantity> {
        let parse = || {
            let (number, unit) = split(text)?;
            let millis = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return None,
            };
            number.checked_mul(millis).map(Duration::from_millis).map(Self)
        };
        parse().ok_or_else(|| NotQuantity {
            text: text.to_owned(),
            expected: AGE,
        })
    }
}

impl FromStr for Share {
    type Err = NotQuantity;

    fn from_str(text: &str) -> Result<Self, NotQuantity> {
        let parse = || {
            let number = text.trim().strip_suffix('%')?.trim_end();
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
                return None;
            }
            let whole: u32 = whole.parse().ok()?;
            let fraction: u32 = format!("{fraction:0<4}").parse().ok()?;
            let parts = whole.checked_mul(10_000)?.checked_add(fraction)?;
            (parts <= Self::ALL.0).then_some(Self(parts))
        };
        parse().ok_or_else(|| NotQuantity {
            text: text.to_owned(),
            expected: SHARE,
        })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (1 << 40, "TiB"),
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
        ];
        match units
            .iter()
            .find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size))
        {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units
            .iter()
            .find(|(size, _)| millis >= *size && millis.is_multiple_of(*size))
        {
            Some((size, unit)) => write!(f, "{}{unit}", millis / size),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, self.0 % 10_000);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{fraction:04}").trim_end_matches('0'))
    }
}

/// Text by `FromStr`; a bare number too where the unit goes without saying.
struct FromText<T>(
    &'static str,
    fn(&str) -> Result<T, NotQuantity>,
    Option<fn(u64) -> T>,
);

impl<T> Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.1(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        match self.2 {
            Some(bare) => Ok(bare(number)),
            None => Err(E::invalid_type(de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FromText(SIZE, str::parse, Some(ByteSize)))
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FromText(AGE, str::parse, None))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FromText(SHARE, str::parse, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("5MiB", 5 * 1024 * 1024),
            (" 10 GiB ", 10 * 1024 * 1024 * 1024),
            ("5mib", 5 * 1024 * 1024),
            ("5M", 5 * 1024 * 1024),
            ("5MB", 5_000_000),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-5MiB",
            "1.5GiB",
            "5 bananas",
            "99999999999999999999",
            "20000000TiB",
        ] {
            let error = text.parse::<ByteSize>().expect_err(text);
            assert_eq!(
                error.to_string(),
                format!("`{text}` is not a size; write a whole number and a unit, as 64KiB, 5MiB or 10GiB")
            );
        }
    }

    #[test]
    fn ages() {
        for (text, seconds) in [
            ("30s", 30),
            ("5m", 300),
            ("12h", 43_200),
            ("30d", 2_592_000),
            ("2w", 1_209_600),
        ] {
            assert_eq!(text.parse(), Ok(Age(Duration::from_secs(seconds))), "{text}");
        }
        assert_eq!("250ms".parse(), Ok(Age(Duration::from_millis(250))));
        for text in ["30", "", "s", "5M", "1.5h", "-1s", "99999999999999999w"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares() {
        for (text, parts) in [
            ("1%", 10_000),
            ("0.5%", 5_000),
            ("100%", 1_000_000),
            ("0 %", 0),
            ("0.0001%", 1),
        ] {
            assert_eq!(text.parse(), Ok(Share(parts)), "{text}");
        }
        for text in ["1", "%", "101%", "-1%", "1.%", ".5%", "0.00001%", "+1%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(Share::percent(10).of(u64::MAX), u64::MAX / 10);
        assert_eq!(Share::percent(250), Share::ALL);
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for bytes in [0, 1, 1023, 1024, 5 << 20, 10 << 30, u64::MAX] {
            assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
        for millis in [1, 999, 1_000, 90_000, 3_600_000, 2_592_000_000] {
            let age = Age(Duration::from_millis(millis));
            assert_eq!(age.to_string().parse(), Ok(age));
        }
        for parts in [0, 1, 5_000, 10_000, 123_456, 1_000_000] {
            assert_eq!(Share(parts).to_string().parse(), Ok(Share(parts)));
        }
    }
}
