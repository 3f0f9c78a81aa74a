//! Which URLs a bucket has, and which names a bucket may have. Pure.

use std::net::Ipv4Addr;

use crate::destination::config::ConfigError;
use crate::destination::endpoint::percent_encoded;

/// The URLs of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host, and a path if there is one; no final slash.
    pub(super) base: String,
    pub(super) bucket: String,
}

impl Address {
    /// Where objects are put, with further parameters.
    pub(super) fn upload(&self, further: &[(&str, &str)]) -> String {
        let Self { base, bucket } = self;
        let mut url = format!("{base}/upload/storage/v1/b/{bucket}/o?uploadType=multipart");
        for (name, value) in further {
            url.push_str(&format!("&{name}={}", percent_encoded(value)));
        }
        url
    }

    /// What is known of an object.
    pub(super) fn object(&self, name: &str) -> String {
        self.api(&format!("/o/{}?fields=crc32c,metadata", percent_encoded(name)))
    }

    /// Which of `permission` we have.
    pub(super) fn permissions(&self, permission: &str) -> String {
        self.api(&format!("/iam/testPermissions?permissions={permission}"))
    }

    /// Below the bucket.
    pub(super) fn api(&self, rest: &str) -> String {
        format!("{}/storage/v1/b/{}{rest}", self.base, self.bucket)
    }
}

/// Google's rules.
pub(super) fn check_bucket(name: &str) -> Result<(), ConfigError> {
    let longest = if name.contains('.') { 222 } else { 63 };
    let problem = if name.starts_with("gs://") || name.contains('/') {
        String::from("has a `/` in it: write the bucket's name alone, and folders into `prefix`")
    } else if !(3..=longest).contains(&name.len()) || name.split('.').any(|part| part.len() > 63) {
        String::from("is not 3 to 63 characters long (with dots 222, 63 between two of them)")
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte))
    {
        String::from("may have lower-case letters, digits, `.`, `-` and `_` only")
    } else if name.starts_with(['.', '-', '_']) || name.ends_with(['.', '-', '_']) {
        String::from("must begin and end with a letter or a digit")
    } else if name.contains("..") {
        String::from("must not have two dots in a row")
    } else if name.parse::<Ipv4Addr>().is_ok() {
        String::from("must not look like an IP address")
    } else if name.starts_with("goog") || name.contains("google") {
        String::from("has a name that Google keeps for itself (it begins with `goog`, or has `google` in it)")
    } else {
        return Ok(());
    };
    Err(ConfigError::invalid("bucket", format!("`{name}` {problem}")))
}
