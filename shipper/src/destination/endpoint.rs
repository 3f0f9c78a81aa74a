//! The URL of a receiver, and how much of it may be shown. Pure.
//!
//! # Invariants
//! 1. Plain `http://` goes to this host only, unless the configuration allows it elsewhere in so many words.
//! 2. What is shown has no query string: it may be a credential. A URL with a user or password in it is refused.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};

use super::config::Flag;

/// A validated URL. Its `Debug` and `Display` forms leave the query string out.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

/// Whether audit records may leave this host unencrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Plaintext {
    /// Only to a loopback address.
    LoopbackOnly,
    /// Anywhere.
    Anywhere,
}

impl From<Option<Flag>> for Plaintext {
    /// What `allow_plaintext` says; without it records stay encrypted.
    fn from(allow_plaintext: Option<Flag>) -> Self {
        match allow_plaintext {
            Some(Flag(true)) => Self::Anywhere,
            Some(Flag(false)) | None => Self::LoopbackOnly,
        }
    }
}

/// Why a URL cannot be used. No error holds any part of the URL but its scheme and host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no URL.
    Malformed,
    /// It has no scheme, or another one than `http` and `https`.
    Scheme,
    /// It has no host.
    NoHost,
    /// It has a user name or a password in it.
    UserInfo,
    /// It has a `#` part, which is never sent.
    Fragment,
    /// `http://` to another host.
    Plaintext {
        /// The host.
        host: String,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "not a URL: write it as https://collector.example.com/audit, other characters as %XX",
            ),
            Self::Scheme => f.write_str("a URL here begins with `https://` (or `http://`)"),
            Self::NoHost => {
                f.write_str("the URL has no host: write it as https://collector.example.com/audit")
            }
            Self::UserInfo => {
                f.write_str("a URL must not hold a user or password: use `username` and `password`")
            }
            Self::Fragment => f.write_str(
                "a URL with `#` in it: that part is never sent; write `%23` if it belongs to the path",
            ),
            Self::Plaintext { host } => write!(
                f,
                "http:// would send audit records to {host} in the clear: use https://, or set `allow_plaintext = true`"
            ),
        }
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// Validates `url`.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(url: &str, plaintext: Plaintext) -> Result<Self, EndpointError> {
        if url.contains('#') {
            return Err(EndpointError::Fragment);
        }
        let uri: Uri = url.parse().map_err(|_| EndpointError::Malformed)?;
        let scheme = uri.scheme_str().ok_or(EndpointError::Scheme)?;
        if !matches!(scheme, "http" | "https") {
            return Err(EndpointError::Scheme);
        }
        let authority = uri.authority().ok_or(EndpointError::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        // `host:` and `host:99999` pass as an authority without a port.
        let after_host = authority.as_str().len() - authority.host().len();
        if after_host > 0 && matches!(authority.port_u16(), None | Some(0)) {
            return Err(EndpointError::Malformed);
        }
        if authority.host().is_empty() {
            return Err(EndpointError::NoHost);
        }
        if scheme == "http" && plaintext == Plaintext::LoopbackOnly && !is_loopback(authority.host()) {
            let host = authority.host().to_owned();
            return Err(EndpointError::Plaintext { host });
        }
        Ok(Self { uri })
    }

    /// The URL with everything that is sent.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// What must not be shown when a receiver says it back: the query string, and in it each value that is long enough
    /// to be a credential, as written and decoded.
    pub fn hidden(&self) -> Vec<String> {
        let Some(query) = self.query() else {
            return Vec::new();
        };
        let values = query.split('&').filter_map(|pair| pair.split_once('='));
        let values = values.flat_map(|(_, value)| {
            [
                value.to_owned(),
                percent_decode_str(value).decode_utf8_lossy().into_owned(),
            ]
        });
        let mut hidden = vec![query.to_owned()];
        hidden.extend(values.filter(|value| value.len() >= SHORTEST_CREDENTIAL));
        hidden
    }

    fn query(&self) -> Option<&str> {
        self.uri.query().filter(|query| !query.is_empty())
    }
}

/// Shorter values (`v=2`) are no credentials, and hiding them would make words of a receiver unreadable.
const SHORTEST_CREDENTIAL: usize = 6;

/// Every byte but letters, digits and `- . _ ~`, which RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as a part of a URL's path or query, or of a form.
pub(crate) fn percent_encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", ::http::uri::Authority::as_str);
        write!(f, "{scheme}://{authority}{}", self.uri.path())?;
        match self.query() {
            Some(_) => f.write_str("?[redacted]"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether `host`, as it stands in a URL, is this host by definition: `localhost` and what is below it (RFC 6761),
/// 127.0.0.0/8 and `::1`.
pub fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            address == Ipv6Addr::LOCALHOST || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_host() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:80",
            "[::ffff:127.0.0.1]",
        ] {
            let url = format!("http://{host}/audit");
            assert!(Endpoint::parse(&url, Plaintext::LoopbackOnly).is_ok(), "{url}");
        }
        for host in [
            "localhost.example.com",
            "128.0.0.1",
            "127.0.0.1.example.com",
            "notlocalhost",
            "[::2]",
            "0.0.0.0",
        ] {
            let url = format!("http://{host}/audit");
            let error = EndpointError::Plaintext {
                host: host.to_owned(),
            };
            assert_eq!(
                Endpoint::parse(&url, Plaintext::LoopbackOnly),
                Err(error),
                "{url}"
            );
            assert!(Endpoint::parse(&url, Plaintext::Anywhere).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_usable_url_is_told_apart() {
        for (url, error) in [
            ("", EndpointError::Malformed),
            ("https://", EndpointError::Malformed),
            ("collector.example.com", EndpointError::Scheme),
            ("/audit", EndpointError::Scheme),
            ("ftp://a/b", EndpointError::Scheme),
            ("https://me:hunter2@a/b", EndpointError::UserInfo),
            ("https://me@a/b", EndpointError::UserInfo),
            ("https://a/b#c", EndpointError::Fragment),
            ("https://a:0/b", EndpointError::Malformed),
            ("https://a:/b", EndpointError::Malformed),
            ("https://a:99999/b", EndpointError::Malformed),
            ("https://a/b c", EndpointError::Malformed),
            ("https://a\r\nb/", EndpointError::Malformed),
            ("https://bücher.example/", EndpointError::Malformed),
        ] {
            assert_eq!(Endpoint::parse(url, Plaintext::Anywhere), Err(error), "{url}");
        }
    }

    #[test]
    fn the_query_string_is_sent_but_not_shown() {
        let endpoint =
            Endpoint::parse("https://a.example:8443/b?sig=hunter2", Plaintext::LoopbackOnly).unwrap();
        assert_eq!(endpoint.to_string(), "https://a.example:8443/b?[redacted]");
        assert_eq!(format!("{endpoint:?}"), "https://a.example:8443/b?[redacted]");
        assert_eq!(endpoint.uri().to_string(), "https://a.example:8443/b?sig=hunter2");
        assert_eq!(endpoint.hidden(), ["sig=hunter2", "hunter2", "hunter2"]);
        let endpoint = Endpoint::parse("https://a/?v=2&sig=a%2Bb%3d%zz%2", Plaintext::LoopbackOnly).unwrap();
        let hidden = ["v=2&sig=a%2Bb%3d%zz%2", "a%2Bb%3d%zz%2", "a+b=%zz%2"];
        assert_eq!(endpoint.hidden(), hidden);
        let endpoint = Endpoint::parse("https://a/", Plaintext::LoopbackOnly).unwrap();
        assert_eq!(endpoint.hidden(), [""; 0]);
    }
}
