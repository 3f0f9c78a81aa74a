//! The keys of a `kinesis` destination.

use ::http::Uri;

use super::SERVICE;
use super::limits::{LEAST_RECORD, MAX_RECORD};
use super::stream::Stream;
use crate::config::{ByteSize, Environment};
use crate::destination::aws::{Aws, RawAws, Service};
use crate::destination::config::{ConfigError, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::transport::http::Options;

/// The keys as they are written. Where Fluent Bit's own output has one of the same meaning, it has the same name.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The stream's name, in the account that the keys belong to.
    stream: Option<String>,
    /// In place of `stream`: the ARN, for a stream of another account.
    stream_arn: Option<String>,
    /// The field whose value is the partition key, as `host.name`; default, and where a record has no such field, the
    /// record's own key, which spreads records over all shards.
    partition_key: Option<String>,
    /// `none` (default), or `partition_key`: records with the same value of the field stay in order.
    order: Option<String>,
    /// `none` (default), or `ndjson`: several records, one a line, in one of the stream's.
    aggregation: Option<String>,
    /// How many shards the stream has; default: it is asked.
    shards: Option<Whole>,
    /// The most that the stream takes in one record, key included; default: it is asked.
    max_record_bytes: Option<ByteSize>,
    /// Where and as whom.
    #[serde(flatten)]
    aws: RawAws,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `kinesis` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) stream: Stream,
    pub(super) partition_key: Option<String>,
    pub(super) order: Order,
    pub(super) aggregation: Aggregation,
    /// `None`: the stream is asked.
    pub(super) shards: Option<u64>,
    /// `None`: the stream is asked.
    pub(super) max_record_bytes: Option<u64>,
    pub(super) aws: Aws,
    pub(super) endpoint: Endpoint,
    /// Where the stream is asked what it is.
    pub(super) control: Endpoint,
    pub(super) options: Options,
}

/// Whether records of one partition key stay in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "they do or they do not")]
pub enum Order {
    /// What fails is sent again, later than what came after it.
    None,
    /// They do.
    PartitionKey,
}

/// Whether several records go into one of the stream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new one is a new form")]
pub enum Aggregation {
    /// Each is one of the stream's.
    None,
    /// One a line.
    Ndjson,
}

const MAX_SHARDS: i64 = 1_000_000;
const MAX_PATH: usize = 1_024;

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "stream",
        "stream_arn",
        "partition_key",
        "order",
        "aggregation",
        "shards",
        "max_record_bytes",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let stream = match (self.stream, self.stream_arn) {
            (Some(name), None) => Stream::named(name)?,
            (None, Some(arn)) => Stream::arn(arn)?,
            (Some(_), Some(_)) => {
                let problem = "names the stream already: remove `stream`, or `stream_arn`";
                return Err(ConfigError::invalid("stream_arn", problem));
            }
            (None, None) => {
                return Err(ConfigError::Missing {
                    key: "stream",
                    expected: "the stream's name, or set `stream_arn` for one of another account",
                });
            }
        };
        let partition_key = self.partition_key.map(path).transpose()?;
        let order = order(self.order.as_deref().unwrap_or("none"))?;
        if order == Order::PartitionKey && partition_key.is_none() {
            let problem = "is about records with the same partition key: set `partition_key` to a field, as `host.name`; \
                           without one each record has a key of its own";
            return Err(ConfigError::invalid("order", problem));
        }
        let aws = self.aws.validate(&SERVICE, &self.connection, environment)?;
        if let Stream::Arn { region, .. } = &stream
            && *region != aws.region
        {
            let problem = format!("is of {region}, but `region` is {}", aws.region);
            return Err(ConfigError::invalid("stream_arn", problem));
        }
        let endpoint = endpoint(&aws, &stream, "data")?;
        Ok(Config {
            control: self::endpoint(&aws, &stream, "control")?,
            partition_key,
            order,
            aggregation: aggregation(self.aggregation.as_deref().unwrap_or("none"))?,
            shards: self.shards.map(shards).transpose()?,
            max_record_bytes: self.max_record_bytes.map(max_record_bytes).transpose()?,
            options: self.connection.validate(endpoint.uri(), environment)?,
            stream,
            aws,
            endpoint,
        })
    }
}

impl Config {
    /// Where records go.
    pub(super) fn url(&self) -> &Uri {
        self.endpoint.uri()
    }

    /// Whether the stream has to be asked for its limits.
    pub(super) fn is_asked(&self) -> bool {
        self.shards.is_none() || self.max_record_bytes.is_none()
    }
}

/// The regional endpoint; for a stream that is named by its ARN that of its account, as in AWS's own rules for endpoints,
/// which tell operations on `data` from those of `control`.
fn endpoint(aws: &Aws, stream: &Stream, operations: &str) -> Result<Endpoint, ConfigError> {
    let url = match (stream, &aws.endpoint) {
        (Stream::Arn { account, .. }, None) if !aws.partition.name.starts_with("aws-iso") => {
            let host = format!("{account}.{operations}-kinesis");
            aws.url(&Service {
                host: &host,
                variable: SERVICE.variable,
            })?
        }
        _ => aws.base(&SERVICE)?,
    };
    // The service's own is https; a given one was judged when it was read.
    Endpoint::parse(&url.to_string(), Plaintext::Anywhere)
        .map_err(|error| ConfigError::invalid("endpoint", error))
}

fn path(path: String) -> Result<String, ConfigError> {
    let is_path = !path.is_empty() && path.len() <= MAX_PATH && path.split('.').all(|part| !part.is_empty());
    if is_path {
        return Ok(path);
    }
    let problem = format!("{path:?} is no field: write its names with dots between, as `host.name`");
    Err(ConfigError::invalid("partition_key", problem))
}

fn order(name: &str) -> Result<Order, ConfigError> {
    match name {
        "none" => Ok(Order::None),
        "partition_key" => Ok(Order::PartitionKey),
        _ => {
            let problem = format!("`{name}` is no order; use `none` or `partition_key`");
            Err(ConfigError::invalid("order", problem))
        }
    }
}

fn aggregation(name: &str) -> Result<Aggregation, ConfigError> {
    match name {
        "none" => Ok(Aggregation::None),
        "ndjson" => Ok(Aggregation::Ndjson),
        _ => {
            let problem = format!("`{name}` is no form of aggregation; use `none` or `ndjson`");
            Err(ConfigError::invalid("aggregation", problem))
        }
    }
}

fn shards(Whole(given): Whole) -> Result<u64, ConfigError> {
    let problem = || format!("{given} is no number of shards: use 1 to {MAX_SHARDS}");
    u64::try_from(given)
        .ok()
        .filter(|_| (1..=MAX_SHARDS).contains(&given))
        .ok_or_else(|| ConfigError::invalid("shards", problem()))
}

fn max_record_bytes(ByteSize(bytes): ByteSize) -> Result<u64, ConfigError> {
    if (LEAST_RECORD..=MAX_RECORD).contains(&bytes) {
        return Ok(bytes);
    }
    let problem = format!("{bytes} is no limit of a stream: it has 1MiB to 10MiB");
    Err(ConfigError::invalid("max_record_bytes", problem))
}
