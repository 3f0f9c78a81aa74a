//! A JSON Web Token that a service account signs for itself (RFC 7515, AIP-4111): no request, no token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::secret::Exposed;
use crate::time::Timestamp;

/// How long a token holds; Google takes no longer ones.
pub(super) const LIFETIME: i64 = 3_600;

/// How far before now a token begins, so that a receiver whose clock is a little behind takes it.
pub(super) const BACKDATED: i64 = 10;

/// The parsed key of a service account.
pub(super) struct SigningKey(RsaKeyPair);

impl SigningKey {
    /// From PEM, PKCS #8 or PKCS #1.
    pub(super) fn from_pem(pem: &str) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "is no PEM private key: download the key file again")?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err("is no RSA key, and Google's are: download the key file again"),
        };
        pair.map(Self)
            .map_err(|_| "is no RSA key of 2048 bits or more: create a new key")
    }
}

/// What a token says.
pub(super) struct Claims<'a> {
    pub(super) email: &'a str,
    pub(super) key_id: &'a str,
    /// With it there is no `aud`: the token is for every API of the scope.
    pub(super) scope: &'a str,
}

/// A token for `claims`, issued at `at`, and when it ends.
pub(super) fn sign(
    key: &SigningKey,
    claims: &Claims<'_>,
    at: Timestamp,
) -> Result<(Exposed, Timestamp), &'static str> {
    let issued = at.0.div_euclid(1_000_000_000) - BACKDATED;
    let expires = issued + LIFETIME;
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": claims.key_id });
    let payload = json!({
        "iss": claims.email,
        "sub": claims.email,
        "scope": claims.scope,
        "iat": issued,
        "exp": expires,
    });
    let mut token = BASE64URL.encode(header.to_string());
    token.push('.');
    BASE64URL.encode_string(payload.to_string(), &mut token);
    let mut signature = vec![0; key.0.public().modulus_len()];
    key.0
        .sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            token.as_bytes(),
            &mut signature,
        )
        .map_err(|_| "cannot sign: the system gives no randomness")?;
    token.push('.');
    BASE64URL.encode_string(&signature, &mut token);
    Ok((
        Exposed::new(token),
        Timestamp(expires.saturating_mul(1_000_000_000)),
    ))
}
