//! Encryption at rest: the keys, and the headers that ask for it.

use ::http::{HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::destination::config::{ConfigError, Flag, Many};

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub(super) struct RawEncryption {
    /// `aes256` (SSE-S3), `kms` (SSE-KMS) or `kms_dsse` (in two layers); default what the bucket has.
    encryption: Option<String>,
    /// The KMS key: an ARN, an id, or an alias; default AWS's own key for S3. In another account: an ARN.
    kms_key_id: Option<String>,
    /// What KMS binds the encryption to, each `name=value`. It is not secret, and is in AWS's logs.
    encryption_context: Option<Many>,
    /// Whether the bucket's own key stands between KMS and objects: fewer calls to KMS. Default what the bucket has.
    bucket_key: Option<Flag>,
}

/// How objects are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// As the bucket does by default.
    Bucket,
    /// With S3's own keys.
    Aes256,
    /// By KMS.
    Kms {
        /// In how many layers: the header's value.
        algorithm: &'static str,
        /// The key; AWS's own for S3 without one.
        key: Option<String>,
        headers: Vec<(HeaderName, HeaderValue)>,
    },
}

impl RawEncryption {
    /// The names of the keys.
    pub(super) const KEYS: &'static [&'static str] =
        &["encryption", "kms_key_id", "encryption_context", "bucket_key"];

    pub(super) fn validate(self) -> Result<Encryption, ConfigError> {
        let algorithm = match self.encryption.as_deref() {
            Some("kms") => "aws:kms",
            Some("kms_dsse") => "aws:kms:dsse",
            Some("aes256") | None => {
                let unused = [
                    ("kms_key_id", self.kms_key_id.is_some()),
                    ("encryption_context", self.encryption_context.is_some()),
                    ("bucket_key", self.bucket_key.is_some()),
                ];
                if let Some((key, _)) = unused.into_iter().find(|(_, given)| *given) {
                    let problem = "is for `encryption = \"kms\"`: set that, or remove it";
                    return Err(ConfigError::invalid(key, problem));
                }
                return Ok(match self.encryption {
                    Some(_) => Encryption::Aes256,
                    None => Encryption::Bucket,
                });
            }
            Some(other) => {
                let problem = format!("`{other}` is no encryption; use `aes256`, `kms` or `kms_dsse`");
                return Err(ConfigError::invalid("encryption", problem));
            }
        };
        let mut headers = Vec::new();
        if let Some(key) = &self.kms_key_id {
            let value = HeaderValue::from_str(key).ok();
            let value = value.filter(|_| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
            let value = value.ok_or_else(|| {
                ConfigError::invalid("kms_key_id", "write the key's ARN, its id or `alias/NAME`")
            })?;
            headers.push((
                HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id"),
                value,
            ));
        }
        if let Some(Many(pairs)) = &self.encryption_context {
            headers.push((
                HeaderName::from_static("x-amz-server-side-encryption-context"),
                context(pairs)?,
            ));
        }
        if let Some(Flag(on)) = self.bucket_key {
            if algorithm == "aws:kms:dsse" {
                let problem = "does not go with `encryption = \"kms_dsse\"`: remove it";
                return Err(ConfigError::invalid("bucket_key", problem));
            }
            headers.push((
                HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled"),
                HeaderValue::from_static(if on { "true" } else { "false" }),
            ));
        }
        Ok(Encryption::Kms {
            algorithm,
            key: self.kms_key_id,
            headers,
        })
    }
}

/// Base64 of a JSON object.
fn context(pairs: &[String]) -> Result<HeaderValue, ConfigError> {
    let invalid = |problem: String| ConfigError::invalid("encryption_context", problem);
    let mut context = serde_json::Map::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| invalid(format!("`{pair}`: write it as `name=value`")))?;
        if context.insert(name.to_owned(), value.into()).is_some() {
            return Err(invalid(format!("`{name}` stands twice")));
        }
    }
    let json = serde_json::Value::Object(context).to_string();
    HeaderValue::from_str(&BASE64.encode(json)).map_err(|_| invalid(String::from("no header can hold it")))
}

impl Encryption {
    /// The headers that ask for it.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let algorithm = |name| {
            (
                HeaderName::from_static("x-amz-server-side-encryption"),
                HeaderValue::from_static(name),
            )
        };
        match self {
            Self::Bucket => Vec::new(),
            Self::Aes256 => vec![algorithm("AES256")],
            Self::Kms {
                algorithm: name,
                headers,
                ..
            } => [&[algorithm(name)], headers.as_slice()].concat(),
        }
    }
}
