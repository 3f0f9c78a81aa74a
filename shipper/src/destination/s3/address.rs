//! Which URL a bucket has, and which names a bucket may have. Pure.

use std::net::Ipv4Addr;

use ::http::Uri;

use crate::destination::aws::Aws;
use crate::destination::config::ConfigError;

/// The URL of a bucket, without a final slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

/// Where in a URL the bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Before the host.
    VirtualHosted,
    /// First in the path.
    Path,
}

impl Style {
    /// As is fit where nothing is configured: other makers' servers have no names for buckets, and no certificate is for a
    /// name with a dot before AWS's own.
    pub(super) fn fit(aws: &Aws, bucket: &str) -> Self {
        match aws.endpoint.is_some() || bucket.contains('.') {
            true => Self::Path,
            false => Self::VirtualHosted,
        }
    }
}

impl Address {
    /// Of `bucket`, a valid name.
    pub(super) fn new(aws: &Aws, bucket: &str, style: Style) -> Result<Self, ConfigError> {
        let (scheme, host, path) = match &aws.endpoint {
            Some(endpoint) => {
                let uri = endpoint.uri();
                if uri.query().is_some() {
                    let problem = "the URL of a server has no `?` part: remove it";
                    return Err(ConfigError::invalid("endpoint", problem));
                }
                let host = uri.authority().map_or("", ::http::uri::Authority::as_str);
                let path = uri.path().trim_end_matches('/');
                (uri.scheme_str().unwrap_or("https"), host.to_owned(), path)
            }
            None => ("https", host(aws)?, ""),
        };
        let url = match style {
            Style::Path => format!("{scheme}://{host}{path}/{bucket}"),
            Style::VirtualHosted => format!("{scheme}://{bucket}.{host}{path}"),
        };
        match url.parse::<Uri>() {
            Ok(_) => Ok(Self(url)),
            Err(_) => Err(ConfigError::invalid("endpoint", format!("{url} is no URL"))),
        }
    }

    /// The URL of the bucket.
    pub(super) fn bucket(&self) -> &str {
        &self.0
    }

    /// The URL of an object. Names need no escaping: see [`crate::destination::object_name`].
    pub(super) fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

/// S3's hosts have forms of their own: dual-stack ones are below the usual suffix, and FIPS ones carry that name in the
/// partition for the US government too.
fn host(aws: &Aws) -> Result<String, ConfigError> {
    if aws.identity.variant.fips && aws.partition.name == "aws-cn" {
        let problem = "there are no FIPS endpoints in China: remove it";
        return Err(ConfigError::invalid("use_fips", problem));
    }
    let fips = if aws.identity.variant.fips { "-fips" } else { "" };
    let dual_stack = if aws.identity.variant.dual_stack {
        ".dualstack"
    } else {
        ""
    };
    let suffix = aws.partition.suffix();
    Ok(format!("s3{fips}{dual_stack}.{}.{suffix}", aws.region))
}

/// AWS's rules for general purpose buckets. Other makers' are the same, or wider in ways that break clients.
pub(super) fn check_bucket(name: &str) -> Result<(), ConfigError> {
    let problem = if name.starts_with("arn:") {
        "is an ARN: write the bucket's name, or an access point's alias (it ends in `-s3alias`)"
    } else if name.starts_with("s3://") || name.contains('/') {
        "has a `/` in it: write the bucket's name alone, and folders into `prefix`"
    } else if !(3..=63).contains(&name.len()) {
        "is not 3 to 63 characters long"
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
    {
        "may have lower-case letters, digits, `.` and `-` only"
    } else if name.starts_with(['.', '-']) || name.ends_with(['.', '-']) {
        "must begin and end with a letter or a digit"
    } else if name.contains("..") {
        "must not have two dots in a row"
    } else if name.parse::<Ipv4Addr>().is_ok() {
        "must not look like an IP address"
    } else if name.starts_with("xn--") || name.starts_with("sthree-") || name.starts_with("amzn-s3-demo-") {
        "begins with what AWS keeps for itself (`xn--`, `sthree-`, `amzn-s3-demo-`)"
    } else if name.ends_with("--x-s3") || name.ends_with("--table-s3") || name.ends_with("--ol-s3") {
        "is not a general purpose bucket: directory and table buckets and Object Lambda take no such objects"
    } else {
        return Ok(());
    };
    Err(ConfigError::invalid("bucket", format!("`{name}` {problem}")))
}
