//! The keys of a `file` destination.

use std::path::PathBuf;

use serde::Deserialize;

use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Whole, absolute};
use crate::destination::object_name::ObjectName;
use crate::destination::{Compression, Format};

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// The directory that takes the objects: an absolute path. It is created when its parent exists.
    path: Option<PathBuf>,
    /// Template of the objects' names below `path`, without the extension; default [`ObjectName::DEFAULT`].
    key: Option<String>,
    /// What `{prefix}` in `key` stands for: a folder. Default: none.
    prefix: Option<String>,
    /// `ndjson` (default) or `json_array`.
    format: Option<String>,
    /// `gzip` (default), `zstd` or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small) for gzip, 1 to 19 for zstd; default in [`Level`].
    compression_level: Option<Whole>,
}

/// A validated `file` destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) path: PathBuf,
    pub(super) name: ObjectName,
    pub(super) format: Format,
    pub(super) compression: Compression,
    pub(super) level: Level,
}

impl RawConfig {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "path",
        "key",
        "prefix",
        "format",
        "compression",
        "compression_level",
    ];

    /// Turns the keys into a destination.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let path = self.path.ok_or(ConfigError::Missing {
            key: "path",
            expected: "the directory that takes the objects, as `/var/lib/audit`",
        })?;
        let path = absolute("path", path)?;
        let format = Format::from_name(self.format.as_deref().unwrap_or("ndjson"))?;
        let compression = Compression::from_name(self.compression.as_deref().unwrap_or("gzip"))?;
        let prefix = self.prefix.unwrap_or_default();
        let key = self.key.as_deref();
        let extension = [format.extension(), compression.extension()].concat();
        let name = ObjectName::parse(key.unwrap_or(ObjectName::DEFAULT), &prefix, &extension)
            .map_err(|error| ConfigError::invalid(if key.is_some() { "key" } else { "prefix" }, error))?;
        Ok(Config {
            path,
            name,
            format,
            compression,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
        })
    }
}

impl Config {
    /// Objects with default names below `path`, NDJSON, gzip.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when `path` is not absolute.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        RawConfig {
            path: Some(path.into()),
            ..RawConfig::default()
        }
        .validate()
    }
}
