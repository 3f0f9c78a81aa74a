//! Which proxy stands between us and a receiver: from the configuration, else from the environment. Pure.
//!
//! `https_proxy` (for `https://`), `http_proxy` (for `http://`), then `all_proxy`, each in small letters first, then in
//! capitals; `no_proxy` names hosts that are reached directly. This host itself is always reached directly when only the
//! environment names a proxy. Both kinds of target go through a tunnel (`CONNECT`), so that a proxy sees no record of an
//! `https://` target; a proxy that tunnels to port 443 only refuses `http://` targets.

use std::fmt;
use std::net::IpAddr;

use ::http::Uri;

use crate::config::Environment;
use crate::destination::endpoint::is_loopback;

/// A proxy. Its `Debug` form is scheme, host and port: no credentials.
#[derive(Clone, PartialEq)]
pub struct Proxy {
    pub(super) inner: ureq::Proxy,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.inner.protocol().to_string().to_ascii_lowercase();
        write!(f, "{scheme}://{}:{}", self.inner.host(), self.inner.port())
    }
}

/// Why a proxy cannot be used. No error holds the proxy's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// The URL is no proxy's.
    Malformed {
        /// `proxy` or the environment variable.
        place: String,
    },
    /// A scheme other than `http` and `https`.
    Scheme {
        /// `proxy` or the environment variable.
        place: String,
    },
    /// `env:NAME` names a variable that is not set.
    NotSet {
        /// The variable.
        name: String,
    },
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { place } => {
                write!(
                    f,
                    "{place} is no proxy's URL: write http://proxy.example.com:3128, or `proxy = \"none\"`"
                )
            }
            Self::Scheme { place } => {
                write!(
                    f,
                    "{place} is neither an http:// nor an https:// proxy; others (SOCKS) are not supported: set `proxy` to one that is, or to `none`"
                )
            }
            Self::NotSet { name } => write!(f, "the environment variable {name} is not set"),
        }
    }
}

impl std::error::Error for ProxyError {}

impl Proxy {
    /// The proxy for requests to `target`: `configured` (a URL, `env:NAME` or `none`), else what `environment` says.
    ///
    /// # Errors
    /// [`ProxyError`]: a proxy is named, but cannot be used; going around it in silence could break a rule.
    pub fn choose(
        configured: Option<&str>,
        target: &Uri,
        environment: &Environment,
    ) -> Result<Option<Self>, ProxyError> {
        if let Some(configured) = configured {
            if configured == "none" {
                return Ok(None);
            }
            let url = match configured.strip_prefix("env:") {
                None => configured,
                Some(name) => environment.filled(name).ok_or_else(|| ProxyError::NotSet {
                    name: name.to_owned(),
                })?,
            };
            return Self::parse(url, "the value").map(Some);
        }
        let host = target.host().unwrap_or_default();
        if is_loopback(host) {
            return Ok(None);
        }
        let names = match target.scheme_str() {
            Some("https") => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        };
        let Some((name, url)) = names
            .iter()
            .find_map(|name| Some((name, environment.filled(name)?)))
        else {
            return Ok(None);
        };
        let direct = ["no_proxy", "NO_PROXY"]
            .iter()
            .find_map(|name| environment.filled(name));
        if direct.is_some_and(|direct| is_direct(direct, host, port_of(target))) {
            return Ok(None);
        }
        Self::parse(url, name).map(Some)
    }

    fn parse(url: &str, place: &str) -> Result<Self, ProxyError> {
        let place = || place.to_owned();
        if let Some((scheme, _)) = url.split_once("://")
            && !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https")
        {
            return Err(ProxyError::Scheme { place: place() });
        }
        let inner = ureq::Proxy::new(url).map_err(|_| ProxyError::Malformed { place: place() })?;
        if inner.host().is_empty() {
            return Err(ProxyError::Malformed { place: place() });
        }
        Ok(Self { inner })
    }
}

fn port_of(target: &Uri) -> u16 {
    target
        .port_u16()
        .unwrap_or(if target.scheme_str() == Some("https") {
            443
        } else {
            80
        })
}

/// Whether `list` (as in `no_proxy`: hosts, domains, addresses, networks, `*`, each perhaps with `:port`) names `host`.
/// A domain stands for itself and everything below it, with or without a dot before it.
fn is_direct(list: &str, host: &str, port: u16) -> bool {
    let host = host
        .trim_start_matches('[')
        .trim_end_matches([']', '.'])
        .to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' '])
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let entry = entry.to_ascii_lowercase();
            if entry == "*" {
                return true;
            }
            let (name, only) = split_port(&entry);
            if only.is_some_and(|only| only != port) {
                return false;
            }
            if let Some(address) = address {
                return match name.split_once('/') {
                    Some((network, bits)) => is_inside(address, network, bits),
                    None => name.parse() == Ok(address),
                };
            }
            let domain = name
                .trim_start_matches("*.")
                .trim_start_matches('.')
                .trim_end_matches('.');
            match host.strip_suffix(domain) {
                Some(before) => !domain.is_empty() && (before.is_empty() || before.ends_with('.')),
                None => false,
            }
        })
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((inside, after)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (inside, after.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        // More than one colon is an IPv6 address.
        Some((name, port)) if !port.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

fn is_inside(address: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (address.to_bits().into(), network.to_bits().into(), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let (address, network): (u128, u128) = (address, network);
    bits <= width && (address ^ network).checked_shr(width - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(
        configured: Option<&str>,
        target: &str,
        environment: &[(&str, &str)],
    ) -> Result<Option<String>, ProxyError> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let proxy = Proxy::choose(configured, &target.parse().unwrap(), &environment)?;
        Ok(proxy.map(|proxy| format!("{proxy:?}")))
    }

    #[test]
    fn the_environment_is_read_as_others_read_it() {
        let https = ("https_proxy", "http://a:1");
        let http = ("http_proxy", "b:2");
        let all = ("ALL_PROXY", "https://me:hunter2@c");
        for (target, environment, proxy) in [
            ("https://x.example/", vec![https, http, all], Some("http://a:1")),
            ("http://x.example/", vec![https, http, all], Some("http://b:2")),
            ("https://x.example/", vec![http, all], Some("https://c:443")),
            ("https://x.example/", vec![http], None),
            (
                "https://x.example/",
                vec![("HTTPS_PROXY", "http://d:4"), https],
                Some("http://a:1"),
            ),
            (
                "https://x.example/",
                vec![("HTTPS_PROXY", "http://d:4"), ("https_proxy", "")],
                Some("http://d:4"),
            ),
            ("https://localhost/", vec![all], None),
            ("http://127.0.0.1:8080/", vec![all], None),
            ("https://[::1]/", vec![all], None),
            ("https://x.example/", vec![all, ("no_proxy", "x.example")], None),
            (
                "https://x.example/",
                vec![all, ("NO_PROXY", "y.example")],
                Some("https://c:443"),
            ),
            ("https://x.example/", vec![], None),
        ] {
            assert_eq!(
                choose(None, target, &environment),
                Ok(proxy.map(str::to_owned)),
                "{target} {environment:?}"
            );
        }
    }

    #[test]
    fn the_configuration_beats_the_environment() {
        let environment = [
            ("https_proxy", "http://a:1"),
            ("no_proxy", "*"),
            ("P", "http://p:9"),
        ];
        let chosen = |configured| choose(Some(configured), "https://localhost/", &environment);
        assert_eq!(chosen("http://b:2"), Ok(Some(String::from("http://b:2"))));
        assert_eq!(chosen("env:P"), Ok(Some(String::from("http://p:9"))));
        assert_eq!(chosen("none"), Ok(None));
        assert_eq!(
            chosen("env:Q"),
            Err(ProxyError::NotSet {
                name: String::from("Q")
            })
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_and_not_gone_around() {
        let place = || String::from("ALL_PROXY");
        for (url, error) in [
            ("socks5://me:hunter2@a:1", ProxyError::Scheme { place: place() }),
            ("ftp://a", ProxyError::Scheme { place: place() }),
            ("http://", ProxyError::Malformed { place: place() }),
            ("http://a b", ProxyError::Malformed { place: place() }),
        ] {
            assert_eq!(
                choose(None, "https://x.example/", &[("ALL_PROXY", url)]),
                Err(error),
                "{url}"
            );
        }
    }

    #[test]
    fn no_proxy_names_hosts_domains_addresses_and_networks() {
        for (list, host, port, direct) in [
            ("*", "a.example", 443, true),
            ("example", "a.example", 443, true),
            (".example", "a.example", 443, true),
            ("*.example", "a.example", 443, true),
            ("a.example", "A.Example.", 443, true),
            ("a.example", "ba.example", 443, false),
            ("b.example, a.example", "a.example", 443, true),
            ("a.example:443", "a.example", 443, true),
            ("a.example:80", "a.example", 443, false),
            ("10.0.0.0/8", "10.1.2.3", 80, true),
            ("10.0.0.0/8", "11.1.2.3", 80, false),
            ("10.1.2.3", "10.1.2.3", 80, true),
            ("10.1.2.3", "10.1.2.33", 80, false),
            ("0.0.0.0/0", "10.1.2.3", 80, true),
            ("10.0.0.0/33", "10.1.2.3", 80, false),
            ("fd00::/8", "[fd12::1]", 80, true),
            ("fd00::/8", "[fe80::1]", 80, false),
            ("::/0", "[fe80::1]", 80, true),
            ("[fd12::1]:80", "[fd12::1]", 80, true),
            ("10.0.0.0/8", "ten.example", 80, false),
            (".", "a.example", 443, false),
            (",, ", "a.example", 443, false),
        ] {
            assert_eq!(is_direct(list, host, port), direct, "{list} {host}:{port}");
        }
    }
}
