//! Which statuses mean "stored". Pure.

use std::fmt;
use std::ops::RangeInclusive;

/// A set of statuses. Nothing outside it counts as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SuccessCodes(Vec<RangeInclusive<u16>>);

/// Why statuses cannot mean "stored".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SuccessError {
    /// Neither a number nor a range.
    NotCodes(String),
    /// A status that can never mean "stored".
    NeverStored(u16),
}

impl fmt::Display for SuccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCodes(text) => write!(
                f,
                "`{text}` is neither a status nor a range; write 200 or 200-204"
            ),
            Self::NeverStored(code) => {
                write!(
                    f,
                    "{code} cannot mean that records are stored; use 200 to 299, and 409 for a key seen before"
                )
            }
        }
    }
}

impl SuccessCodes {
    /// Takes `200`, `200-204`; none at all stands for `200-299`.
    pub(super) fn parse(codes: &[String]) -> Result<Self, SuccessError> {
        if codes.is_empty() {
            return Ok(Self(vec![200..=299]));
        }
        let parse = |text: &String| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            match (first.trim().parse(), last.trim().parse()) {
                (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
                _ => Err(SuccessError::NotCodes(text.clone())),
            }
        };
        let ranges: Vec<RangeInclusive<u16>> = codes.iter().map(parse).collect::<Result<_, _>>()?;
        let never = |code: &u16| !matches!(code, 200..=299 | 409);
        match ranges.iter().flat_map(RangeInclusive::clone).find(never) {
            Some(code) => Err(SuccessError::NeverStored(code)),
            None => Ok(Self(ranges)),
        }
    }

    pub(super) fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(codes: &[&str]) -> Result<SuccessCodes, SuccessError> {
        SuccessCodes::parse(&codes.iter().map(|code| String::from(*code)).collect::<Vec<_>>())
    }

    #[test]
    fn the_default_is_every_2xx() {
        let codes = parse(&[]).unwrap();
        let inside: Vec<u16> = (0..=999).filter(|code| codes.contains(*code)).collect();
        assert_eq!(inside, (200..=299).collect::<Vec<_>>());
    }

    #[test]
    fn only_what_can_mean_stored_is_taken() {
        let codes = parse(&["200", "202-204", "409"]).unwrap();
        let inside: Vec<u16> = (0..=999).filter(|code| codes.contains(*code)).collect();
        assert_eq!(inside, [200, 202, 203, 204, 409]);
        assert_eq!(parse(&["200-302"]), Err(SuccessError::NeverStored(300)));
        assert_eq!(parse(&["500"]), Err(SuccessError::NeverStored(500)));
        for text in ["2xx", "", "204-200", "-", "200-"] {
            assert_eq!(parse(&[text]), Err(SuccessError::NotCodes(String::from(text))));
        }
    }
}
