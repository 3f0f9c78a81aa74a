//! Certificates and keys from files, checked before they are used, read again when they change.
//!
//! # Invariants
//! 1. Nothing is trusted that was not asked for: `ca_file` stands in place of the system's authorities.
//! 2. A key that does not belong to its certificate is found here, with the file's name, not in the middle of a handshake.
//! 3. The provider of cryptography is passed on explicitly; no process-wide default is read or set.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::options::{Identity, Options};
use crate::stamp::Stamp;

/// Why certificates or keys cannot be used. Each names the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFileError {
    /// A file cannot be read.
    Unreadable {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A file has nothing of what is expected, or damaged.
    NotPem {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is expected.
        expected: &'static str,
    },
    /// The key does not belong to the certificate, or is of a kind that cannot be used.
    Mismatch {
        /// The certificate's file.
        cert_file: PathBuf,
        /// The key's file.
        key_file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl TlsFileError {
    /// The configuration's key at fault.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Unreadable { key, .. } | Self::NotPem { key, .. } => key,
            Self::Mismatch { .. } => "key_file",
        }
    }
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, kind, .. } => {
                write!(
                    f,
                    "{} cannot be read ({kind}): put it there, readable for this user",
                    path.display()
                )
            }
            Self::NotPem { path, expected, .. } => write!(f, "{} has no {expected}", path.display()),
            Self::Mismatch {
                cert_file,
                key_file,
                problem,
            } => write!(
                f,
                "{} cannot be used with {}: {problem}",
                key_file.display(),
                cert_file.display()
            ),
        }
    }
}

impl std::error::Error for TlsFileError {}

/// The stamps of every file that `options` name.
pub(super) fn stamps(options: &Options) -> Vec<Stamp> {
    let identity = options
        .identity
        .iter()
        .flat_map(|identity| [&identity.cert_file, &identity.key_file]);
    options
        .ca_file
        .iter()
        .chain(identity)
        .map(|path| Stamp::of(path))
        .collect()
}

/// Reads and checks every file that `options` name.
pub(super) fn load(options: &Options, provider: &Arc<CryptoProvider>) -> Result<TlsConfig, TlsFileError> {
    let roots = match &options.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => RootCerts::new_with_certs(&owned(&authorities(path)?)),
    };
    let identity = options
        .identity
        .as_ref()
        .map(|identity| client_cert(identity, provider))
        .transpose()?;
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(identity)
        .unversioned_rustls_crypto_provider(provider.clone())
        .build())
}

fn owned(chain: &[CertificateDer<'static>]) -> Vec<Certificate<'static>> {
    chain
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

/// At least one, and each fit to be an authority: one that is left out in silence is an outage later.
fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let found = certificates("ca_file", path)?;
    let mut store = rustls::RootCertStore::empty();
    for certificate in &found {
        store.add(certificate.clone()).map_err(|_| TlsFileError::NotPem {
            key: "ca_file",
            path: path.to_owned(),
            expected: "usable authority: one of its certificates cannot be parsed",
        })?;
    }
    Ok(found)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let not_pem = |expected| TlsFileError::NotPem {
        key,
        path: path.to_owned(),
        expected,
    };
    let bytes = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(not_pem("PEM certificate (`-----BEGIN CERTIFICATE-----`)")),
        Ok(found) => Ok(found),
        Err(_) => Err(not_pem("whole PEM certificate: a part of it is damaged")),
    }
}

fn client_cert(identity: &Identity, provider: &Arc<CryptoProvider>) -> Result<ClientCert, TlsFileError> {
    let chain = certificates("cert_file", &identity.cert_file)?;
    let bytes = read("key_file", &identity.key_file)?;
    let not_pem = || TlsFileError::NotPem {
        key: "key_file",
        path: identity.key_file.clone(),
        expected: "PEM private key that is not encrypted (`-----BEGIN PRIVATE KEY-----`)",
    };
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| not_pem())?;
    CertifiedKey::from_der(chain.clone(), key, provider).map_err(|error| TlsFileError::Mismatch {
        cert_file: identity.cert_file.clone(),
        key_file: identity.key_file.clone(),
        problem: match error {
            rustls::Error::InconsistentKeys(_) => String::from("the key is another certificate's"),
            other => other.to_string(),
        },
    })?;
    let key = PrivateKey::from_pem(&bytes).map_err(|_| not_pem())?;
    Ok(ClientCert::new_with_certs(&owned(&chain), key))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsFileError> {
    std::fs::read(path).map_err(|error| TlsFileError::Unreadable {
        key,
        path: path.to_owned(),
        kind: error.kind(),
    })
}
