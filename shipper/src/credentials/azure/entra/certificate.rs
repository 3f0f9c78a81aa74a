//! What an application proves itself with by its certificate: a JSON Web Token that is signed here (PS256), for Microsoft's
//! crate to exchange. The crate's own way wants OpenSSL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_core::{Error, Result};
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::hex::hex;
use crate::random::{OsRandom, Random as _};
use crate::secret::Secret;
use crate::time::Timestamp;

/// For how long an assertion holds: it is exchanged at once.
const LIFETIME: i64 = 600;

/// Makes assertions from the certificate in a file.
pub(super) struct Certificate {
    pub(super) file: PathBuf,
    pub(super) client_id: String,
    /// The token endpoint, to which the assertion is made.
    pub(super) audience: String,
    pub(super) now: Timestamp,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// The assertion, of the file as it is now.
    pub(super) fn assertion(&self) -> std::result::Result<String, String> {
        let wrong = |what: &str| format!("{}: {what}", self.file.display());
        let pem = read(&self.file).map_err(|error| wrong(&error))?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
            wrong("has no certificate in PEM (of a .pfx: openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem)")
        })?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| wrong("has no private key in PEM, not encrypted, beside the certificate"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong("has no RSA key, and Entra ID takes no other")),
        };
        let key = key.map_err(|_| wrong("has no RSA key of 2048 bits or more"))?;
        let mut id = [0; 16];
        OsRandom::new().fill(&mut id).map_err(|error| error.to_string())?;
        let now = self.now.0.div_euclid(1_000_000_000);
        let thumbprint = BASE64URL.encode(Sha256::digest(&certificate));
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint });
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": hex(&id).to_string(),
            "nbf": now - 60,
            "exp": now + LIFETIME,
        });
        let mut token = BASE64URL.encode(header.to_string());
        token.push('.');
        BASE64URL.encode_string(claims.to_string(), &mut token);
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PSS_SHA256,
            &SystemRandom::new(),
            token.as_bytes(),
            &mut signature,
        )
        .map_err(|_| wrong("cannot be signed with"))?;
        token.push('.');
        BASE64URL.encode_string(&signature, &mut token);
        Ok(token)
    }
}

fn read(path: &Path) -> std::result::Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read ({})", error.kind()))?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= Secret::MAX_FILE => String::from_utf8(bytes).map_err(|_| {
            String::from("is no PEM (of a .pfx: openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem)")
        }),
        _ => Err(String::from("is too large for a certificate with its key")),
    }
}

impl ClientAssertion for Certificate {
    fn secret<'certificate, 'options, 'future>(
        &'certificate self,
        _: Option<ClientMethodOptions<'options>>,
    ) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'future>>
    where
        'certificate: 'future,
        'options: 'future,
        Self: 'future,
    {
        let made = self.assertion();
        Box::pin(std::future::ready(
            made.map_err(|what| Error::with_message(ErrorKind::Credential, what)),
        ))
    }
}
