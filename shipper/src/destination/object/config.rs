//! The keys that say how a batch becomes an object and what that is called.

use crate::destination::body::Level;
use crate::destination::config::{ConfigError, Whole};
use crate::destination::object_name::ObjectName;
use crate::destination::{Compression, Format};

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub(in crate::destination) struct RawObject {
    /// Template of the objects' names; default [`ObjectName::DEFAULT`]. The extension (`.ndjson.gz`) is added.
    key: Option<String>,
    /// A template by its name, in place of `key`: `harness` is [`ObjectName::HARNESS`].
    key_preset: Option<String>,
    /// What `{prefix}` in the template stands for: a folder. Default: none.
    prefix: Option<String>,
    /// `ndjson` (default) or `json_array`.
    format: Option<String>,
    /// `gzip` (default), `zstd` or `none`.
    compression: Option<String>,
    /// 1 (fast) to 9 (small) for gzip, 1 to 19 for zstd; default in [`Level`].
    compression_level: Option<Whole>,
}

/// How a batch becomes an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::destination) struct Layout {
    pub(in crate::destination) name: ObjectName,
    pub(in crate::destination) format: Format,
    pub(in crate::destination) compression: Compression,
    pub(in crate::destination) level: Level,
}

impl RawObject {
    /// The names of the keys.
    pub(in crate::destination) const KEYS: &'static [&'static str] = &[
        "key",
        "key_preset",
        "prefix",
        "format",
        "compression",
        "compression_level",
    ];

    /// Turns the keys into a layout.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(in crate::destination) fn validate(self) -> Result<Layout, ConfigError> {
        let format = Format::from_name(self.format.as_deref().unwrap_or("ndjson"))?;
        let compression = Compression::from_name(self.compression.as_deref().unwrap_or("gzip"))?;
        let (template, at_fault) = match (self.key.as_deref(), self.key_preset.as_deref()) {
            (None, None) => (ObjectName::DEFAULT, "prefix"),
            (Some(key), None) => (key, "key"),
            (None, Some("harness")) => (ObjectName::HARNESS, "prefix"),
            (None, Some(other)) => {
                let problem = format!("there is no preset `{other}`; use `harness`, or write `key`");
                return Err(ConfigError::invalid("key_preset", problem));
            }
            (Some(_), Some(_)) => {
                let problem = "`key` and `key_preset` exclude each other: remove one of them";
                return Err(ConfigError::invalid("key_preset", problem));
            }
        };
        let extension = [format.extension(), compression.extension()].concat();
        let name = ObjectName::parse(template, &self.prefix.unwrap_or_default(), &extension)
            .map_err(|error| ConfigError::invalid(at_fault, error))?;
        Ok(Layout {
            name,
            format,
            compression,
            level: Level::new(compression, self.compression_level.map(|level| level.0))?,
        })
    }
}
