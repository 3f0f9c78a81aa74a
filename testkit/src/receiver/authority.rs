//! A certificate authority for a test: certificates for names, expired ones, client certificates.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// An authority with a key of its own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, both PEM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// The private key (PKCS #8).
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "made by tests")]
pub enum Validity {
    /// 2020 to 2090.
    Now,
    /// 2020 to 2021.
    Expired,
    /// 2080 to 2090.
    NotYet,
}

/// Whether a receiver asks for a client certificate.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "made by tests")]
pub enum Clients<'a> {
    /// It does not.
    Anybody,
    /// One from this authority, or no connection.
    CertifiedBy(&'a Authority),
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A new authority, trusted by nobody.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
        let key = KeyPair::generate().expect("there is randomness");
        let pem = params
            .self_signed(&key)
            .expect("an authority can sign itself")
            .pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for `names` (hosts or addresses), for servers and clients alike.
    ///
    /// # Panics
    /// When a name is none, or there is no randomness.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names are valid");
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let (from, to) = match validity {
            Validity::Now => (2020, 2090),
            Validity::Expired => (2020, 2021),
            Validity::NotYet => (2080, 2090),
        };
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = KeyPair::generate().expect("there is randomness");
        let cert = params
            .signed_by(&key, &self.issuer)
            .expect("an authority can sign");
        Issued {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Issued {
    /// A server that shows this certificate.
    ///
    /// # Panics
    /// When certificate and key do not fit, which they do.
    pub fn server(&self, clients: Clients<'_>) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions");
        let builder = match clients {
            Clients::Anybody => builder.with_no_client_auth(),
            Clients::CertifiedBy(authority) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("made above");
                roots.add(root).expect("an authority's certificate");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("one root is enough"))
            }
        };
        let cert = CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("made above");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("made above");
        let config = builder.with_single_cert(vec![cert], key);
        Arc::new(config.expect("certificate and key belong together"))
    }
}
