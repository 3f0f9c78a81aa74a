//! The keys of an `elastic` destination.

use ::http::Uri;

use super::limits::DEFAULT_BYTES;
use crate::config::{ByteSize, Environment};
use crate::destination::authentication::{Authentication, RawAuthentication};
use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Flag, Whole};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::{Endpoint, percent_encoded};
use crate::destination::{Compression, Limits, preset};
use crate::transport::http::Options;

/// The keys as they are written.
#[derive(Default, serde::Deserialize)]
pub struct RawConfig {
    /// The cluster, as `https://es.example.com:9200`; a path is kept.
    url: Option<String>,
    /// The index, alias or data stream.
    index: Option<String>,
    /// The most bytes of a request before compression; default 10 MB.
    max_request_bytes: Option<ByteSize>,
    /// `gzip` (default) or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small).
    compression_level: Option<Whole>,
    /// Allows `http://` to another host. Default false.
    allow_plaintext: Option<Flag>,
    /// Who sends.
    #[serde(flatten)]
    authentication: RawAuthentication,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `elastic` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) endpoint: Endpoint,
    pub(super) index: String,
    pub(super) bulk_url: Uri,
    pub(super) search_url: Uri,
    pub(super) index_url: Uri,
    pub(super) privileges_url: Uri,
    pub(super) max_request_bytes: u64,
    pub(super) compression: Compression,
    pub(super) level: Level,
    pub(super) authentication: Authentication,
    pub(super) options: Options,
}

/// What of an answer is wanted: the rest of it would be longer than the request.
const FILTER: &str = "errors,items.*._id,items.*.status,items.*.result,items.*.failure_store,items.*.error.type,items.*.error.reason,\
                      items.*.error.caused_by.reason";
/// The longest name of an index.
const MAX_INDEX: usize = 255;

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "url",
        "index",
        "max_request_bytes",
        "compression",
        "compression_level",
        "allow_plaintext",
    ];

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let url = self.url.as_deref().ok_or(ConfigError::Missing {
            key: "url",
            expected: "the cluster, as `https://es.example.com:9200`",
        })?;
        let endpoint = preset::address("url", url, self.allow_plaintext)?;
        let index = self.index.ok_or(ConfigError::Missing {
            key: "index",
            expected: "the index or data stream, as `logs-audit-default`",
        })?;
        if let Some(problem) = index_problem(&index) {
            return Err(ConfigError::invalid("index", problem));
        }
        let authentication = self.authentication.validate(&self.connection, environment)?;
        if authentication.aws_service() == Some("aoss") {
            let problem = "OpenSearch Serverless refuses ids of the sender's own, without which what is sent twice is stored \
                           twice: use a domain of OpenSearch Service (`es`), or `type = \"http\"`";
            return Err(ConfigError::invalid("aws_service", problem));
        }
        let (compression, level) = preset::compression(
            self.compression.as_deref(),
            self.compression_level,
            "Elasticsearch",
        )?;
        let base = endpoint.uri().to_string();
        let at = |path: &str| preset::below("url", &base, path);
        let encoded = percent_encoded(&index);
        Ok(Config {
            bulk_url: at(&format!("/{encoded}/_bulk?filter_path={FILTER}"))?,
            search_url: at(&format!("/{encoded}/_search"))?,
            index_url: at(&format!("/{encoded}"))?,
            privileges_url: at("/_security/user/_has_privileges")?,
            options: self.connection.validate(endpoint.uri(), environment)?,
            endpoint,
            index,
            max_request_bytes: max_request_bytes(self.max_request_bytes)?,
            compression,
            level,
            authentication,
        })
    }
}

impl Config {
    /// Who sends.
    pub(in crate::destination) fn authentication(&self) -> &Authentication {
        &self.authentication
    }
}

/// The rules of both for names of indices.
fn index_problem(index: &str) -> Option<String> {
    let refused = |found: char| {
        found.is_ascii_uppercase()
            || found.is_whitespace()
            || found.is_control()
            || "\\/*?\"<>|,#:".contains(found)
    };
    if index.is_empty() || index.len() > MAX_INDEX {
        return Some(format!(
            "has {} bytes, but a name has 1 to {MAX_INDEX}",
            index.len()
        ));
    }
    if let Some(found) = index.chars().find(|found| refused(*found)) {
        return Some(format!(
            "{index:?} has {found:?} in it, which no name of an index may have"
        ));
    }
    (index.starts_with(['-', '_', '+']) || index == "." || index == "..")
        .then(|| format!("{index:?} begins as no name of an index may"))
}

fn max_request_bytes(given: Option<ByteSize>) -> Result<u64, ConfigError> {
    match given {
        None => Ok(DEFAULT_BYTES),
        Some(ByteSize(bytes)) if (10_000..=Limits::MAX_BYTES).contains(&bytes) => Ok(bytes),
        Some(ByteSize(bytes)) => {
            let problem = format!(
                "{bytes} is not a number of bytes from 10000 to {}",
                Limits::MAX_BYTES
            );
            Err(ConfigError::invalid("max_request_bytes", problem))
        }
    }
}
