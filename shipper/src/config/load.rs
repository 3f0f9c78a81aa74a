//! Reading a configuration from where it is. The only file of this room that touches a disk.

use std::path::Path;

use super::document::Document;
use super::error::{ConfigError, ConfigErrors, Problem};
use super::place::Place;
use super::stanza::{self, Property};
use super::validate::validate;
use super::{Config, Environment, Strictness};

/// A configuration is read whole; nobody writes one of this size by hand.
const MAX_FILE: u64 = 4 << 20;

impl Config {
    /// Reads the TOML file at `path`.
    ///
    /// # Errors
    /// [`ConfigErrors`], with everything that is wrong.
    pub fn from_toml(
        path: &Path,
        environment: &Environment,
        strictness: Strictness,
    ) -> Result<Self, ConfigErrors> {
        let text = read(path)?;
        Self::from_toml_text(&text, &path.display().to_string(), environment, strictness)
    }

    /// Reads TOML that is already in memory; messages call it `source`.
    ///
    /// # Errors
    /// As for [`Config::from_toml`].
    pub fn from_toml_text(
        text: &str,
        source: &str,
        environment: &Environment,
        strictness: Strictness,
    ) -> Result<Self, ConfigErrors> {
        let document = Document::of_toml(text, &Place::of(source));
        validate(document, environment, strictness)
    }

    /// Reads a stanza through the host's `lookup`, which ignores case, and the file that its `Config_File` names.
    ///
    /// # Errors
    /// As for [`Config::from_toml`]. With [`Strictness::HoldDestinations`] a file that cannot be read is no error when
    /// the stanza itself says `Spool`.
    pub fn from_stanza(
        lookup: &dyn Fn(&str) -> Option<String>,
        environment: &Environment,
        strictness: Strictness,
    ) -> Result<Self, ConfigErrors> {
        let place = Place::of("[OUTPUT] auditship");
        Self::from_properties(&stanza::look_up(lookup, &place), &place, environment, strictness)
    }

    /// Reads a stanza whose keys are all known, as they stand in a file of the host's. Unknown ones are errors.
    ///
    /// # Errors
    /// As for [`Config::from_stanza`].
    pub fn from_properties(
        properties: &[Property],
        place: &Place,
        environment: &Environment,
        strictness: Strictness,
    ) -> Result<Self, ConfigErrors> {
        let Some(file) = stanza::config_file(properties) else {
            return validate(stanza::document(properties, place), environment, strictness);
        };
        let path = Path::new(&file.value);
        if !path.is_absolute() {
            let reason = format!("`{}` is relative: write the whole path from `/`", file.value);
            return Err(ConfigError::value(&file.place, &file.key, reason).into());
        }
        let mut document = match read(path) {
            Ok(text) => Document::of_toml(&text, &Place::of(&file.value)),
            // Only who knows the spool can go on without the file.
            Err(error) if strictness != Strictness::HoldDestinations || !stanza::has_spool(properties) => {
                return Err(error.into());
            }
            Err(error) => Document::unreadable(error, &Place::of(&file.value)),
        };
        stanza::beside_file(properties, &mut document);
        validate(document, environment, strictness)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |reason: String| {
        let place = Place::of(&path.display().to_string());
        ConfigError::new(&place, Problem::Unreadable(reason))
    };
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > MAX_FILE {
        return Err(unreadable(format!(
            "{size} bytes are more than the {MAX_FILE} of any configuration"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))
}
