//! Names of objects from a template such as [`ObjectName::DEFAULT`]. Pure.
//!
//! # Invariants
//! 1. A name is a function of the batch's bounds, its time and its nonce: the same batch has the same name after any
//!    crash, and `{nonce}`, which every template has, keeps the names of different batches apart.
//! 2. Every name of a template has the same length, so that the limits are checked once, at configuration.
//! 3. A name is relative, has no `.` or `..` part and no part that begins with a dot, and needs no escaping in a URL.

use std::fmt::{self, Write as _};

use super::Bounds;
use crate::time::Timestamp;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    parts: Vec<Part>,
    extension: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(Field),
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Spool,
    Epoch,
    First,
    Last,
    Earliest,
    Latest,
    MadeAt,
    Nonce,
}

impl Field {
    const ALL: [(&'static str, Self); 12] = [
        ("yyyy", Self::Year),
        ("mm", Self::Month),
        ("dd", Self::Day),
        ("hh", Self::Hour),
        ("spool", Self::Spool),
        ("epoch", Self::Epoch),
        ("first", Self::First),
        ("last", Self::Last),
        ("earliest", Self::Earliest),
        ("latest", Self::Latest),
        ("made_at", Self::MadeAt),
        ("nonce", Self::Nonce),
    ];

    fn width(self) -> usize {
        match self {
            Self::Year => 4,
            Self::Month | Self::Day | Self::Hour => 2,
            Self::Spool => 32,
            Self::Epoch | Self::Nonce => 16,
            Self::Earliest | Self::Latest | Self::MadeAt => 13,
            Self::First | Self::Last => 20,
        }
    }
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateError {
    /// A placeholder that does not exist.
    UnknownPlaceholder {
        /// As written, without braces.
        name: String,
    },
    /// A `{` without its `}`, or the reverse.
    Unbalanced,
    /// `{nonce}` is missing: two batches could have the same name.
    NoNonce,
    /// A character other than letters, digits and `. _ - = /`.
    Character(char),
    /// The name would be absolute, or has an empty part (`//`, or a final `/`).
    EmptyPart,
    /// A part begins with a dot.
    Dot,
    /// A part (between slashes) or the whole would be too long.
    TooLong {
        /// Bytes.
        len: usize,
        /// Bytes.
        limit: usize,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPlaceholder { name } => {
                write!(f, "unknown placeholder `{{{name}}}`; there are `{{prefix}}`")?;
                Field::ALL
                    .iter()
                    .try_for_each(|(name, _)| write!(f, " `{{{name}}}`"))
            }
            Self::Unbalanced => f.write_str("a `{` without its `}`, or the reverse"),
            Self::NoNonce => {
                f.write_str("`{nonce}` is missing; without it two batches could have the same name")
            }
            Self::Character(found) => write!(
                f,
                "{found:?} may not be in a name; use letters, digits and `. _ - = /`"
            ),
            Self::EmptyPart => f.write_str("a name must not begin or end with `/` or have `//` in it"),
            Self::Dot => f.write_str("no part of a name may begin with a dot"),
            Self::TooLong { len, limit } => {
                write!(f, "names would have {len} bytes where {limit} are allowed")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

impl ObjectName {
    /// The template that is used when none is configured.
    pub const DEFAULT: &'static str = "{prefix}/{yyyy}/{mm}/{dd}/{hh}/{spool}-{epoch}-{first}-{last}-{nonce}";
    /// The form of Harness's audit streams, `<t1>_<t2>_<t3>`: smallest and largest event time and when the batch was made,
    /// in milliseconds. Unlike there a nonce follows, so that no two batches have one name.
    pub const HARNESS: &'static str = "{prefix}/{earliest}_{latest}_{made_at}_{nonce}";
    /// The longest name, in bytes.
    pub const MAX: usize = 1024;
    /// The longest part between two slashes, in bytes: what file systems allow.
    pub const MAX_PART: usize = 255;

    /// Parses `template`, in which `{prefix}` stands for `prefix`; `extension` (as `.ndjson.gz`) is added to every name,
    /// unless the template ends with it. `{prefix}/` is nothing without a prefix, and has one slash after `audit/` too.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(template: &str, prefix: &str, extension: &str) -> Result<Self, TemplateError> {
        if prefix.contains(['{', '}']) {
            return Err(TemplateError::Unbalanced);
        }
        let mut parts = Vec::new();
        let folder = match prefix {
            "" => String::new(),
            prefix if prefix.ends_with('/') => prefix.to_owned(),
            prefix => format!("{prefix}/"),
        };
        let template = template.strip_suffix(extension).unwrap_or(template);
        let text = template.replace("{prefix}/", &folder).replace("{prefix}", prefix);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (literal, after) = rest.split_once('{').map_or((rest, None), |(a, b)| (a, Some(b)));
            if literal.contains('}') {
                return Err(TemplateError::Unbalanced);
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let Some(after) = after else { break };
            let (name, after) = after.split_once('}').ok_or(TemplateError::Unbalanced)?;
            let field = Field::ALL.iter().find(|(known, _)| *known == name);
            let (_, field) = field.ok_or_else(|| TemplateError::UnknownPlaceholder {
                name: name.to_owned(),
            })?;
            parts.push(Part::Field(*field));
            rest = after;
        }
        let name = Self {
            parts,
            extension: extension.to_owned(),
        };
        name.check().map(|()| name)
    }

    /// Every name of a template has the same shape, so that of one stands for all.
    fn check(&self) -> Result<(), TemplateError> {
        if !self.parts.contains(&Part::Field(Field::Nonce)) {
            return Err(TemplateError::NoNonce);
        }
        let mut shape = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => shape.push_str(text),
                Part::Field(field) => shape.extend(std::iter::repeat_n('0', field.width())),
            }
        }
        shape.push_str(&self.extension);
        let allowed = |found: &char| found.is_ascii_alphanumeric() || "._-=/".contains(*found);
        if let Some(found) = shape.chars().find(|found| !allowed(found)) {
            return Err(TemplateError::Character(found));
        }
        for part in shape.split('/') {
            match part.len() {
                0 => return Err(TemplateError::EmptyPart),
                len if len > Self::MAX_PART => {
                    return Err(TemplateError::TooLong {
                        len,
                        limit: Self::MAX_PART,
                    });
                }
                _ if part.starts_with('.') => return Err(TemplateError::Dot),
                _ => {}
            }
        }
        match shape.len() {
            len if len > Self::MAX => Err(TemplateError::TooLong {
                len,
                limit: Self::MAX,
            }),
            _ => Ok(()),
        }
    }

    /// What every name begins with: the template up to its first placeholder.
    pub fn start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            Some(Part::Field(_)) | None => "",
        }
    }

    /// The name of a batch. Times are UTC, numbers have leading zeros: names of one spool sort by record. `{earliest}`,
    /// `{latest}` and `{made_at}` are milliseconds since 1970, and 0 before it.
    pub fn render(&self, bounds: &Bounds, made_at: Timestamp, nonce: u64) -> String {
        // Every i64 count of nanoseconds is inside jiff's range.
        let at =
            jiff::Timestamp::from_nanosecond(i128::from(made_at.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = jiff::tz::Offset::UTC.to_datetime(at);
        let millis = |at: Timestamp| at.as_millis().max(0);
        let mut name = String::new();
        for part in &self.parts {
            // Writing to a String cannot fail.
            let _ = match part {
                Part::Literal(text) => name.write_str(text),
                Part::Field(Field::Year) => write!(name, "{:04}", at.year()),
                Part::Field(Field::Month) => write!(name, "{:02}", at.month()),
                Part::Field(Field::Day) => write!(name, "{:02}", at.day()),
                Part::Field(Field::Hour) => write!(name, "{:02}", at.hour()),
                Part::Field(Field::Spool) => write!(name, "{}", bounds.first.spool),
                Part::Field(Field::Epoch) => write!(name, "{}", bounds.first.epoch),
                Part::Field(Field::First) => write!(name, "{:020}", bounds.first.seq),
                Part::Field(Field::Last) => write!(name, "{:020}", bounds.last.seq),
                Part::Field(Field::Earliest) => write!(name, "{:013}", millis(bounds.earliest)),
                Part::Field(Field::Latest) => write!(name, "{:013}", millis(bounds.latest)),
                Part::Field(Field::MadeAt) => write!(name, "{:013}", millis(made_at)),
                Part::Field(Field::Nonce) => write!(name, "{nonce:016x}"),
            };
        }
        name.push_str(&self.extension);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::identity::{Epoch, RecordId, SpoolId};

    fn bounds() -> Bounds {
        let id = |seq| RecordId {
            spool: SpoolId([0xab; 16]),
            epoch: Epoch(0x1f),
            seq,
        };
        Bounds {
            first: id(7),
            last: id(u64::MAX),
            earliest: Timestamp(0),
            latest: Timestamp(0),
            count: 3,
        }
    }

    // 2026-01-02T03:04:05Z
    const MADE_AT: Timestamp = Timestamp(1_767_323_045_000_000_000);

    #[test]
    fn the_default_name_has_every_bound() {
        let name = ObjectName::parse(ObjectName::DEFAULT, "", ".ndjson.gz").unwrap();
        assert_eq!(
            name.render(&bounds(), MADE_AT, 0xfeed),
            "2026/01/02/03/abababababababababababababababab-000000000000001f-\
             00000000000000000007-18446744073709551615-000000000000feed.ndjson.gz"
        );
    }

    #[test]
    fn a_prefix_is_a_folder() {
        for (prefix, begins) in [("", "2026/"), ("audit", "audit/2026/"), ("a/b/", "a/b/2026/")] {
            let name = ObjectName::parse(ObjectName::DEFAULT, prefix, "").unwrap();
            let rendered = name.render(&bounds(), MADE_AT, 1);
            assert!(rendered.starts_with(begins), "{rendered}");
            assert_eq!(
                name.start(),
                prefix.trim_end_matches('/').to_owned() + if prefix.is_empty() { "" } else { "/" }
            );
        }
    }

    #[test]
    fn an_extension_is_added_once() {
        let name = ObjectName::parse("{nonce}.ndjson.gz", "", ".ndjson.gz").unwrap();
        assert_eq!(name.render(&bounds(), MADE_AT, 1), "0000000000000001.ndjson.gz");
    }

    #[test]
    fn the_harness_form_has_event_times_and_the_time_of_the_batch() {
        let name = ObjectName::parse(ObjectName::HARNESS, "h", ".json").unwrap();
        let bounds = Bounds {
            earliest: Timestamp(1_767_323_040_001_999_999),
            latest: Timestamp(1_767_323_044_999_000_000),
            ..bounds()
        };
        assert_eq!(
            name.render(&bounds, MADE_AT, 0xfeed),
            "h/1767323040001_1767323044999_1767323045000_000000000000feed.json"
        );
        let (first, last) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        let bounds = Bounds {
            earliest: first,
            latest: last,
            ..bounds
        };
        assert_eq!(
            name.render(&bounds, last, 0),
            "h/0000000000000_9223372036854_9223372036854_0000000000000000.json"
        );
    }

    #[test]
    fn names_have_one_length_over_the_whole_range_of_time() {
        let name = ObjectName::parse("{prefix}y={yyyy}/{hh}{mm}{dd}-{nonce}", "audit/", ".json").unwrap();
        assert_eq!(
            name.render(&bounds(), Timestamp(i64::MIN), 0),
            "audit/y=1677/000921-0000000000000000.json"
        );
        assert_eq!(
            name.render(&bounds(), Timestamp(i64::MAX), 1),
            "audit/y=2262/230411-0000000000000001.json"
        );
    }

    #[test]
    fn templates_that_could_harm_are_refused() {
        let unknown = |name: &str| TemplateError::UnknownPlaceholder {
            name: name.to_owned(),
        };
        for (template, prefix, error) in [
            ("{yyyy}", "", TemplateError::NoNonce),
            ("{nonce}{uuid}", "", unknown("uuid")),
            ("{nonce}{}", "", unknown("")),
            ("{nonce", "", TemplateError::Unbalanced),
            ("nonce}{nonce}", "", TemplateError::Unbalanced),
            ("/{nonce}", "", TemplateError::EmptyPart),
            ("{prefix}{nonce}", "/", TemplateError::EmptyPart),
            ("{prefix}{nonce}", "{yyyy}", TemplateError::Unbalanced),
            ("a//{nonce}", "", TemplateError::EmptyPart),
            ("../{nonce}", "", TemplateError::Dot),
            ("a/../{nonce}", "", TemplateError::Dot),
            (".tmp/{nonce}", "", TemplateError::Dot),
            ("{prefix}{nonce}", "..", TemplateError::Dot),
            ("a b{nonce}", "", TemplateError::Character(' ')),
            ("a\0{nonce}", "", TemplateError::Character('\0')),
            ("a\\{nonce}", "", TemplateError::Character('\\')),
            ("%2e{nonce}", "", TemplateError::Character('%')),
        ] {
            assert_eq!(
                ObjectName::parse(template, prefix, ".ndjson"),
                Err(error),
                "{template}"
            );
        }
        let long = format!("{}{{nonce}}", "a".repeat(255));
        let error = TemplateError::TooLong { len: 278, limit: 255 };
        assert_eq!(ObjectName::parse(&long, "", ".ndjson"), Err(error));
        let deep = format!("{}{{nonce}}", "a/".repeat(501));
        let error = TemplateError::TooLong {
            len: 1025,
            limit: 1024,
        };
        assert_eq!(ObjectName::parse(&deep, "", ".ndjson"), Err(error));
    }

    #[test]
    fn the_error_lists_the_placeholders() {
        let error = ObjectName::parse("{uid}{nonce}", "", "").unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown placeholder `{uid}`; there are `{prefix}` `{yyyy}` `{mm}` `{dd}` `{hh}` `{spool}` `{epoch}` \
             `{first}` `{last}` `{earliest}` `{latest}` `{made_at}` `{nonce}`"
        );
    }
}
