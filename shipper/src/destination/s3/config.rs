//! The keys of an `s3` destination.

use ::http::{HeaderName, HeaderValue};

use super::address::{Address, Style, check_bucket};
use super::encryption::{Encryption, RawEncryption};
use super::lock::{Lock, RawLock};
use crate::config::Environment;
use crate::destination::aws::{Aws, RawAws, Service};
use crate::destination::config::{ConfigError, Flag, Many};
use crate::destination::connection::RawConnection;
use crate::destination::endpoint::percent_encoded;
use crate::destination::object::{Layout, RawObject};
use crate::transport::http::Options;

const SERVICE: Service = Service {
    host: "s3",
    variable: "S3",
};

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct RawConfig {
    /// The bucket's name.
    bucket: Option<String>,
    /// Whether the bucket stands in the URL's path; default true at an `endpoint` of one's own and for names with a dot.
    path_style: Option<Flag>,
    /// What proves that an object arrived as it was sent: `sha256` (default), `md5` (for servers that know no other) or
    /// `none`.
    checksum: Option<String>,
    /// As `STANDARD_IA` or `DEEP_ARCHIVE`; default what the bucket has.
    storage_class: Option<String>,
    /// Tags of every object, each `name=value`; at most ten.
    object_tags: Option<Many>,
    /// The account that must own the bucket, twelve digits: a bucket of another owner gets nothing.
    expected_bucket_owner: Option<String>,
    /// Encryption at rest.
    #[serde(flatten)]
    encryption: RawEncryption,
    /// Object Lock.
    #[serde(flatten)]
    lock: RawLock,
    /// Names and bodies.
    #[serde(flatten)]
    object: RawObject,
    /// Where and as whom.
    #[serde(flatten)]
    aws: RawAws,
    /// How it is reached.
    #[serde(flatten)]
    connection: RawConnection,
}

/// A validated `s3` destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(super) bucket: String,
    pub(super) address: Address,
    pub(super) layout: Layout,
    pub(super) checksum: Checksum,
    pub(super) encryption: Encryption,
    pub(super) lock: Lock,
    pub(super) tagged: bool,
    pub(super) owner: Option<HeaderValue>,
    /// Storage class and tags.
    pub(super) fixed: Vec<(HeaderName, HeaderValue)>,
    pub(super) aws: Aws,
    pub(super) options: Options,
}

/// What is sent along for the store to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// `x-amz-checksum-sha256`.
    Sha256,
    /// `Content-MD5`.
    Md5,
    /// Nothing beside the signature, which covers the body as well.
    None,
}

impl RawConfig {
    /// The names of the keys of its own; [`RawAws::KEYS`] and [`RawConnection::KEYS`] come to these.
    pub fn keys() -> Vec<&'static str> {
        let own = [
            "bucket",
            "path_style",
            "checksum",
            "storage_class",
            "object_tags",
            "expected_bucket_owner",
        ];
        [&own, RawEncryption::KEYS, RawLock::KEYS, RawObject::KEYS].concat()
    }

    /// Turns the keys into a destination. Reads no file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub fn validate(self, environment: &Environment) -> Result<Config, ConfigError> {
        let bucket = self.bucket.ok_or(ConfigError::Missing {
            key: "bucket",
            expected: "the name of the bucket",
        })?;
        check_bucket(&bucket)?;
        let aws = self.aws.validate(&SERVICE, &self.connection, environment)?;
        let style = match self.path_style {
            Some(Flag(true)) => Style::Path,
            Some(Flag(false)) => Style::VirtualHosted,
            None => Style::fit(&aws, &bucket),
        };
        let address = Address::new(&aws, &bucket, style)?;
        let checksum = match self.checksum.as_deref() {
            None | Some("sha256") => Checksum::Sha256,
            Some("md5") => Checksum::Md5,
            Some("none") => Checksum::None,
            Some(other) => {
                let problem = format!("`{other}` is no checksum here; use `sha256`, `md5` or `none`");
                return Err(ConfigError::invalid("checksum", problem));
            }
        };
        let lock = self.lock.validate()?;
        if lock.is_some() && checksum == Checksum::None {
            let problem = "Object Lock needs a checksum with every object: use `sha256` or `md5`";
            return Err(ConfigError::invalid("checksum", problem));
        }
        let tags = self.object_tags.map(|tags| tags.0).unwrap_or_default();
        let mut fixed = Vec::new();
        if let Some(class) = self.storage_class {
            let value = storage_class(&class)?;
            fixed.push((HeaderName::from_static("x-amz-storage-class"), value));
        }
        if !tags.is_empty() {
            fixed.push((HeaderName::from_static("x-amz-tagging"), tagging(&tags)?));
        }
        let uri = address.bucket().parse();
        let uri = uri.map_err(|_| ConfigError::invalid("endpoint", "is no URL"))?;
        Ok(Config {
            layout: self.object.validate()?,
            encryption: self.encryption.validate()?,
            options: self.connection.validate(&uri, environment)?,
            owner: self
                .expected_bucket_owner
                .map(|owner| account(&owner))
                .transpose()?,
            tagged: !tags.is_empty(),
            bucket,
            address,
            checksum,
            lock,
            fixed,
            aws,
        })
    }
}

fn storage_class(name: &str) -> Result<HeaderValue, ConfigError> {
    let problem = || format!("`{name}` is no storage class: write it as `STANDARD_IA`");
    let is_class = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    match HeaderValue::from_str(name) {
        Ok(value) if !name.is_empty() && name.bytes().all(is_class) => Ok(value),
        _ => Err(ConfigError::invalid("storage_class", problem())),
    }
}

fn account(number: &str) -> Result<HeaderValue, ConfigError> {
    match HeaderValue::from_str(number) {
        Ok(value) if number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(value),
        _ => {
            let problem = format!("`{number}` is no account: write its twelve digits (in quotes)");
            Err(ConfigError::invalid("expected_bucket_owner", problem))
        }
    }
}

/// In the form of a query string, as the header wants it.
fn tagging(tags: &[String]) -> Result<HeaderValue, ConfigError> {
    let invalid = |problem: String| ConfigError::invalid("object_tags", problem);
    if tags.len() > 10 {
        return Err(invalid(format!(
            "an object has at most 10 tags, these are {}",
            tags.len()
        )));
    }
    let mut names = Vec::new();
    let mut pairs = Vec::new();
    for tag in tags {
        let (name, value) = tag
            .split_once('=')
            .ok_or_else(|| invalid(format!("`{tag}` is no tag: write it as `name=value`")))?;
        if name.is_empty() || name.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "`{tag}`: a tag has a name of 1 to 128 characters and a value of at most 256"
            )));
        }
        let allowed = |found: char| found.is_alphanumeric() || " _.:/=+-@".contains(found);
        if let Some(found) = tag.chars().find(|found| !allowed(*found)) {
            return Err(invalid(format!(
                "`{tag}`: {found:?} may not be in a tag; use letters, digits, blanks and `_ . : / = + - @`"
            )));
        }
        if names.contains(&name) {
            return Err(invalid(format!(
                "`{name}` stands twice: an object has each tag once"
            )));
        }
        names.push(name);
        pairs.push(format!("{}={}", percent_encoded(name), percent_encoded(value)));
    }
    HeaderValue::from_str(&pairs.join("&")).map_err(|_| invalid(String::from("no header can hold them")))
}
