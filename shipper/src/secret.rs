//! Secrets of a configuration: where each comes from, and that none is ever shown.
//!
//! # In scope
//! `env:NAME`, `file:PATH` and literal values; reading a file again at each use, so that a rotated token is picked up
//! without a restart.
//!
//! # Invariants
//! 1. No `Debug` form, no `Display` form and no error holds a secret's value.
//! 2. The process' environment is read by the caller, once; a file is read by whoever sends, on the sending thread.

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::config::Environment;

/// A secret, or where it is found. Its `Debug` form names the place, never the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Literal(String),
    Environment { name: String, value: String },
    File(PathBuf),
}

/// A secret's value, for the moment of its use. Its `Debug` form is `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Exposed(String);

/// Why a secret cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// `env:NAME`: the variable is not set, or not UTF-8.
    NotSet {
        /// The variable.
        name: String,
    },
    /// `file:PATH`: the path is not absolute.
    RelativePath {
        /// The path as given.
        path: PathBuf,
    },
    /// `file:PATH`: the file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// The value is empty.
    Empty {
        /// `env:NAME`, `file:PATH` or `the value`.
        place: String,
    },
    /// The file is larger than [`Secret::MAX_FILE`], or not UTF-8.
    NotText {
        /// The file.
        path: PathBuf,
    },
}

impl Secret {
    /// The largest file that a secret is read from, in bytes.
    pub const MAX_FILE: u64 = 64 * 1024;

    /// Takes `env:NAME` (looked up in `environment` now), `file:PATH` (absolute; read at each use, trailing line ends
    /// cut off) or a literal value.
    ///
    /// # Errors
    /// [`SecretError`], but for a file that cannot be read: that is told at its use, since it may come later.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, SecretError> {
        let source = if let Some(name) = text.strip_prefix("env:") {
            let Some(value) = environment.var(name) else {
                return Err(SecretError::NotSet {
                    name: name.to_owned(),
                });
            };
            Source::Environment {
                name: name.to_owned(),
                value: value.to_owned(),
            }
        } else if let Some(path) = text.strip_prefix("file:") {
            let path = PathBuf::from(path);
            if !path.is_absolute() {
                return Err(SecretError::RelativePath { path });
            }
            Source::File(path)
        } else {
            Source::Literal(text.to_owned())
        };
        match &source {
            Source::Literal(value) | Source::Environment { value, .. } if value.is_empty() => {
                Err(SecretError::Empty {
                    place: source.place(),
                })
            }
            _ => Ok(Self(source)),
        }
    }

    /// The value, read now if it lies in a file.
    ///
    /// # Errors
    /// [`SecretError`] for a file that is missing, empty or no text.
    pub fn expose(&self) -> Result<Exposed, SecretError> {
        match &self.0 {
            Source::Literal(value) | Source::Environment { value, .. } => Ok(Exposed(value.clone())),
            Source::File(path) => self.read(path).map(Exposed),
        }
    }

    fn read(&self, path: &PathBuf) -> Result<String, SecretError> {
        let unreadable = |error: io::Error| SecretError::Unreadable {
            path: path.clone(),
            kind: error.kind(),
        };
        let not_text = || SecretError::NotText { path: path.clone() };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(Self::MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > Self::MAX_FILE {
            return Err(not_text());
        }
        let mut value = String::from_utf8(bytes).map_err(|_| not_text())?;
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
        if value.is_empty() {
            return Err(SecretError::Empty {
                place: self.0.place(),
            });
        }
        Ok(value)
    }
}

impl Source {
    fn place(&self) -> String {
        match self {
            Self::Literal(_) => String::from("the value"),
            Self::Environment { name, .. } => format!("env:{name}"),
            Self::File(path) => format!("file:{}", path.display()),
        }
    }
}

impl Exposed {
    /// A text made of a secret, to be kept out of sight like it.
    pub(crate) fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself. Keep it out of anything that outlives the use.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// Writes asterisks over every place of `bytes` where the value stands. One that is empty stands nowhere.
    pub(crate) fn mask(&self, bytes: &mut [u8]) {
        let secret = self.0.as_bytes();
        if secret.is_empty() {
            return;
        }
        let mut rest = bytes;
        while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
            let (found, behind) = rest[at..].split_at_mut(secret.len());
            found.fill(b'*');
            rest = behind;
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Literal(_) => f.write_str("[redacted]"),
            Source::Environment { .. } | Source::File(_) => f.write_str(&self.0.place()),
        }
    }
}

impl fmt::Debug for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet { name } => write!(
                f,
                "the environment variable {name} is not set: set it, or use file:PATH"
            ),
            Self::RelativePath { path } => {
                write!(
                    f,
                    "file:{} is not an absolute path: begin it with `/`",
                    path.display()
                )
            }
            Self::Unreadable { path, kind } => {
                write!(
                    f,
                    "{} cannot be read ({kind}): put the secret there, readable for this user",
                    path.display()
                )
            }
            Self::Empty { place } => write!(f, "{place} is empty: put the secret there"),
            Self::NotText { path } => write!(
                f,
                "{} is not a secret: expected UTF-8 text of at most {} bytes",
                path.display(),
                Secret::MAX_FILE
            ),
        }
    }
}

impl std::error::Error for SecretError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        for (secret, body, masked) in [
            ("hunter2", "hunter2 and hunter2", "******* and *******"),
            ("hunter2", "xhunter2", "x*******"),
            ("hunter2", "hunter", "hunter"),
            ("hunter2", "", ""),
            ("aa", "aaa", "**a"),
            // None that is configured is empty; what is made of one may be.
            ("", "hunter2", "hunter2"),
        ] {
            let mut bytes = body.as_bytes().to_vec();
            Exposed::new(secret.to_owned()).mask(&mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), masked, "{secret} {body}");
        }
    }

    #[test]
    fn a_value_is_in_no_debug_form() {
        let environment = Environment::from([("TOKEN", "hunter2")]);
        for (text, shown) in [
            ("hunter2", "[redacted]"),
            ("env:TOKEN", "env:TOKEN"),
            ("file:/run/secrets/token", "file:/run/secrets/token"),
        ] {
            let secret = Secret::parse(text, &environment).unwrap();
            assert_eq!(format!("{secret:?}"), shown);
        }
        let exposed = Secret::parse("env:TOKEN", &environment)
            .unwrap()
            .expose()
            .unwrap();
        assert_eq!(
            (format!("{exposed:?}"), exposed.value()),
            (String::from("[redacted]"), "hunter2")
        );
    }

    #[test]
    fn a_file_is_read_at_each_use_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let secret = Secret::parse(&format!("file:{}", path.display()), &Environment::empty()).unwrap();
        let kind = io::ErrorKind::NotFound;
        assert_eq!(
            secret.expose(),
            Err(SecretError::Unreadable {
                path: path.clone(),
                kind
            })
        );
        for (content, value) in [
            ("first\r\n", "first"),
            ("second", "second"),
            (" third \n", " third "),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(secret.expose().unwrap().value(), value);
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(secret.expose(), Err(SecretError::Empty { .. })));
        std::fs::write(&path, vec![b'a'; 64 * 1024 + 1]).unwrap();
        assert_eq!(secret.expose(), Err(SecretError::NotText { path: path.clone() }));
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(secret.expose(), Err(SecretError::NotText { path }));
    }

    #[test]
    fn what_cannot_be_a_secret_says_what_to_do() {
        let environment = Environment::from([("EMPTY", "")]);
        for (text, error) in [
            (
                "",
                SecretError::Empty {
                    place: String::from("the value"),
                },
            ),
            (
                "env:EMPTY",
                SecretError::Empty {
                    place: String::from("env:EMPTY"),
                },
            ),
            (
                "env:NONE",
                SecretError::NotSet {
                    name: String::from("NONE"),
                },
            ),
            (
                "file:token",
                SecretError::RelativePath {
                    path: PathBuf::from("token"),
                },
            ),
        ] {
            assert_eq!(Secret::parse(text, &environment), Err(error));
        }
    }
}
