//! The keys of a `cloudwatch_logs` destination.

use std::collections::BTreeMap;
use std::time::Duration;

use super::limits::MAX_MESSAGE;
use super::{SERVICE, template};
use crate::config::{ByteSize, Environment};
use crate::destination::Compression;
use crate::destination::TooOld;
use crate::destination::aws::{Aws, RawAws};
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Many, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::transport::http::Options;

/// The keys as they are written. Where Fluent Bit's own output has one of the same meaning, it has the same name.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The log group, with the placeholders of [`template`].
    log_group_name: Option<String>,
    /// The log stream, with placeholders; default `{hostname}`.
    log_stream_name: Option<String>,
    /// Creates the log group when it is missing. Default false. (A missing stream is always created.)
    auto_create_group: Option<Flag>,
    /// For how many days a group that is created keeps events; default and 0: for ever.
    log_retention_days: Option<Whole>,
    /// ARN of the KMS key of a group that is created.
    kms_key_id: Option<String>,
    /// Tags of a group that is created, as `key=value`.
    log_group_tags: Option<Many>,
    /// Protects a group that is created against deletion. Default false.
    deletion_protection: Option<Flag>,
    /// What becomes of records that the service would not take for their age: `dead_letter` (default) or `restamp`.
    too_old: Option<String>,
    /// The longest record that the service takes; default 1048550, the most. Some regions have 256 KiB less 26 yet.
    max_event_bytes: Option<ByteSize>,
    /// `none` (default) or `gzip`, which AWS's own agent sends but no documentation of the API names.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// Where and as whom.
    #[serde(flatten)]
    aws: RawAws,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `cloudwatch_logs` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) group: String,
    pub(super) stream: String,
    /// The group on any host of a fleet, with `*` where it is another on each.
    pub(super) group_anywhere: String,
    /// The stream, likewise.
    pub(super) stream_anywhere: String,
    /// How a missing group is created; `None`: not at all.
    pub(super) creation: Option<Creation>,
    pub(super) too_old: TooOld,
    pub(super) max_event_bytes: u64,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) aws: Aws,
    pub(super) endpoint: Endpoint,
    pub(super) options: Options,
}

/// What a log group gets when it is created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Creation {
    pub(super) retention_days: Option<u32>,
    pub(super) kms_key_id: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) deletion_protection: bool,
}

/// The values that the API takes, by its model.
const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
const MAX_NAME: usize = 512;
const MAX_TAGS: usize = 50;
/// An event must have room for a record of some use.
const LEAST_EVENT_BYTES: u64 = 1_024;

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "log_group_name",
        "log_stream_name",
        "auto_create_group",
        "log_retention_days",
        "kms_key_id",
        "log_group_tags",
        "deletion_protection",
        "too_old",
        "max_event_bytes",
        "compression",
        "compression_level",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let creation = self.creation()?;
        let group = self.log_group_name.as_deref().ok_or(ConfigError::Missing {
            key: "log_group_name",
            expected: "the log group, as `/audit/production`",
        })?;
        let group_anywhere = template::anywhere(group);
        let group = named("log_group_name", group, environment, group_problem)?;
        let stream = self.log_stream_name.as_deref().unwrap_or("{hostname}");
        let stream_anywhere = template::anywhere(stream);
        let stream = named("log_stream_name", stream, environment, stream_problem)?;
        let compression = match Compression::from_name(self.compression.as_deref().unwrap_or("none"))? {
            Compression::Zstd => {
                let problem = "CloudWatch Logs does not understand `zstd`; use `none` or `gzip`";
                return Err(ConfigError::invalid("compression", problem));
            }
            compression => compression,
        };
        let aws = self.aws.validate(&SERVICE, &self.connection, environment)?;
        // The service's own is https; a given one was judged when it was read.
        let endpoint = Endpoint::parse(&aws.base(&SERVICE)?.to_string(), Plaintext::Anywhere)
            .map_err(|error| ConfigError::invalid("endpoint", error))?;
        Ok(Config {
            group,
            stream,
            group_anywhere,
            stream_anywhere,
            creation,
            too_old: TooOld::parse(self.too_old.as_deref())?,
            max_event_bytes: max_event_bytes(self.max_event_bytes)?,
            compression,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
            options: self.connection.validate(endpoint.uri(), environment)?,
            aws,
            endpoint,
        })
    }

    fn creation(&self) -> Result<Option<Creation>, ConfigError> {
        let Some(Flag(true)) = self.auto_create_group else {
            let unused = [
                ("log_retention_days", self.log_retention_days.is_some()),
                ("kms_key_id", self.kms_key_id.is_some()),
                ("log_group_tags", self.log_group_tags.is_some()),
                ("deletion_protection", self.deletion_protection.is_some()),
            ];
            return match unused.into_iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(ConfigError::invalid(
                    key,
                    "is given to a log group that is created: set `auto_create_group = true`, or remove it",
                )),
                None => Ok(None),
            };
        };
        Ok(Some(Creation {
            retention_days: retention_days(self.log_retention_days)?,
            kms_key_id: self.kms_key_id.clone().map(kms_key).transpose()?,
            tags: tags(self.log_group_tags.as_ref())?,
            deletion_protection: self.deletion_protection == Some(Flag(true)),
        }))
    }
}

impl Config {
    /// For how long a group that is created here keeps events, if not for ever.
    pub(super) fn retention(&self) -> Option<Duration> {
        let days = self.creation.as_ref()?.retention_days?;
        Some(Duration::from_secs(u64::from(days) * 24 * 3600))
    }
}

fn named(
    key: &'static str,
    template: &str,
    environment: &Environment,
    problem: fn(&str) -> Option<String>,
) -> Result<String, ConfigError> {
    let name = template::fill(template, environment).map_err(|error| ConfigError::invalid(key, error))?;
    if name.is_empty() || name.chars().count() > MAX_NAME {
        let count = name.chars().count();
        let problem = format!("has {count} characters, but CloudWatch Logs takes 1 to {MAX_NAME}");
        return Err(ConfigError::invalid(key, problem));
    }
    match problem(&name) {
        Some(problem) => Err(ConfigError::invalid(key, problem)),
        None => Ok(name),
    }
}

fn group_problem(name: &str) -> Option<String> {
    let allowed = |found: &char| found.is_ascii_alphanumeric() || ".-_/#".contains(*found);
    if let Some(found) = name.chars().find(|found| !allowed(found)) {
        return Some(format!(
            "{name:?} has {found:?} in it: a log group's name has letters, digits and `. - _ / #` only"
        ));
    }
    name.starts_with("aws/")
        .then(|| format!("{name:?} begins with `aws/`, which AWS keeps for itself"))
}

fn stream_problem(name: &str) -> Option<String> {
    let found = name
        .chars()
        .find(|found| matches!(found, ':' | '*') || found.is_control())?;
    Some(format!(
        "{name:?} has {found:?} in it: a log stream's name has no `:`, no `*` and no control character"
    ))
}

fn retention_days(given: Option<Whole>) -> Result<Option<u32>, ConfigError> {
    let Some(Whole(days)) = given.filter(|days| days.0 != 0) else {
        return Ok(None);
    };
    match RETENTION_DAYS
        .into_iter()
        .find(|allowed| i64::from(*allowed) == days)
    {
        Some(days) => Ok(Some(days)),
        None => {
            let allowed = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            let problem = format!(
                "{days} days is no retention of CloudWatch Logs: use one of {allowed}, or 0 for ever"
            );
            Err(ConfigError::invalid("log_retention_days", problem))
        }
    }
}

fn kms_key(arn: String) -> Result<String, ConfigError> {
    if !arn.starts_with("arn:") || !arn.contains(":kms:") || arn.len() > 256 {
        let problem = format!(
            "{arn:?} is no key's ARN: write it as arn:aws:kms:REGION:123456789012:key/ID (an alias will not do)"
        );
        return Err(ConfigError::invalid("kms_key_id", problem));
    }
    Ok(arn)
}

fn tags(given: Option<&Many>) -> Result<BTreeMap<String, String>, ConfigError> {
    let invalid = |problem: String| Err(ConfigError::invalid("log_group_tags", problem));
    let mut tags = BTreeMap::new();
    for tag in given.map(|tags| tags.0.as_slice()).unwrap_or_default() {
        let Some((key, value)) = tag.split_once('=') else {
            return invalid(format!("{tag:?} has no `=`: write a tag as `key=value`"));
        };
        let (key, value) = (key.trim(), value.trim());
        let fits = |text: &str, most| {
            text.chars().count() <= most
                && text
                    .chars()
                    .all(|found| found.is_alphanumeric() || " _.:/=+-@".contains(found))
        };
        if key.is_empty()
            || key.to_ascii_lowercase().starts_with("aws:")
            || !fits(key, 128)
            || !fits(value, 256)
        {
            return invalid(format!(
                "{tag:?} is no tag: 1 to 128 letters, digits, blanks and `_ . : / = + - @` (not beginning with `aws:`), \
                 `=`, up to 256 of them"
            ));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return invalid(format!("{key:?} is there twice"));
        }
    }
    if tags.len() > MAX_TAGS {
        return invalid(format!("{} tags are more than {MAX_TAGS}", tags.len()));
    }
    Ok(tags)
}

fn max_event_bytes(given: Option<ByteSize>) -> Result<u64, ConfigError> {
    match given {
        None => Ok(MAX_MESSAGE),
        Some(ByteSize(bytes)) if (LEAST_EVENT_BYTES..=MAX_MESSAGE).contains(&bytes) => Ok(bytes),
        Some(ByteSize(bytes)) => {
            let problem =
                format!("{bytes} is not a number of bytes from {LEAST_EVENT_BYTES} to {MAX_MESSAGE}");
            Err(ConfigError::invalid("max_event_bytes", problem))
        }
    }
}
