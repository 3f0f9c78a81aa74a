//! The usual chain, by AWS's own crate: environment, profile (also with `role_arn`, `source_profile`,
//! `credential_source`), web identity, ECS and EKS containers, IMDSv2; then the configured role on top.
//!
//! # Invariants
//! 1. An explicit `profile` beats the environment, as in every AWS tool.
//! 2. The chain is built anew for each fetch: what its files say now counts.
//!
//! Keys in the environment are those of the snapshot. For every other link the crate reads the process' environment itself,
//! when it fetches.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::Identity;
use super::client::{Client, ThreadSleep};
use crate::config::Environment;
use crate::credentials::CredentialError;
use crate::destination::endpoint::{Endpoint, EndpointError, Plaintext};
use crate::stamp::Stamp;

/// What names STS's endpoint, the first that is set.
const STS_ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];

/// The longest that a chained role may be assumed for; asking for more fails.
const SESSION: Duration = Duration::from_secs(3600);

/// Fetches keys.
pub(super) struct Chain {
    identity: Identity,
    region: String,
}

impl Chain {
    pub(super) fn new(identity: &Identity, region: &str) -> Self {
        Self {
            identity: identity.clone(),
            region: region.to_owned(),
        }
    }

    /// Asks the sources, on this thread.
    pub(super) fn fetch(&self) -> Result<Credentials, CredentialError> {
        if self.identity.role_arn.is_some() || self.own_keys().is_none() {
            self.check_endpoint()?;
        }
        block_on(async {
            let base = self.base().await;
            let Some(role) = &self.identity.role_arn else {
                return base.provide_credentials().await;
            };
            let mut assume = AssumeRoleProvider::builder(role)
                .session_name(self.session_name())
                .session_length(SESSION)
                .configure(&self.sts());
            if let Some(id) = &self.identity.external_id {
                assume = assume.external_id(id);
            }
            assume.build_from_provider(base).await.provide_credentials().await
        })
        .map_err(|error| self.explain(&error))
    }

    /// What the files that the chain may read look like; keys from them have no expiry, so a change is all that tells.
    pub(super) fn stamps(&self) -> Vec<Stamp> {
        let environment = &self.identity.environment;
        let home = environment.filled("HOME").map(PathBuf::from);
        let shared = |variable: &str, file: &str| {
            let given = environment.filled(variable).map(PathBuf::from);
            given.or_else(|| Some(home.as_ref()?.join(".aws").join(file)))
        };
        let token = environment
            .filled("AWS_WEB_IDENTITY_TOKEN_FILE")
            .map(PathBuf::from);
        let files = [
            shared("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            shared("AWS_CONFIG_FILE", "config"),
            token,
        ];
        files.into_iter().flatten().map(|file| Stamp::of(&file)).collect()
    }

    /// Keys come back from STS: over plain HTTP from this host only, whatever is allowed for records.
    fn check_endpoint(&self) -> Result<(), CredentialError> {
        for name in STS_ENDPOINTS {
            let Some(url) = self.identity.environment.filled(name) else {
                continue;
            };
            Endpoint::parse(url, Plaintext::LoopbackOnly).map_err(|error| CredentialError::Refused {
                source: name.to_owned(),
                reason: match error {
                    EndpointError::Plaintext { host } => {
                        format!("keys would come from {host} in the clear: use https:// (AWS_ENDPOINT_URL_STS is for STS alone)")
                    }
                    other => other.to_string(),
                },
            })?;
        }
        Ok(())
    }

    /// Those of the environment, unless a profile is named.
    fn own_keys(&self) -> Option<Credentials> {
        match self.identity.profile {
            Some(_) => None,
            None => environment_keys(&self.identity.environment),
        }
    }

    async fn base(&self) -> SharedCredentialsProvider {
        if let Some(keys) = self.own_keys() {
            return SharedCredentialsProvider::new(keys);
        }
        let region = Region::new(self.region.clone());
        let client = Client::new(&self.identity);
        let config = ProviderConfig::empty()
            .with_http_client(client)
            .with_sleep_impl(ThreadSleep)
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_use_fips(Some(self.identity.variant.fips))
            .with_use_dual_stack(Some(self.identity.variant.dual_stack))
            .with_region(Some(region.clone()));
        match &self.identity.profile {
            Some(profile) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder()
                    .configure(&config)
                    .profile_name(profile)
                    .build(),
            ),
            None => SharedCredentialsProvider::new(
                DefaultCredentialsChain::builder()
                    .configure(config)
                    .region(region)
                    .build()
                    .await,
            ),
        }
    }

    fn sts(&self) -> SdkConfig {
        let environment = &self.identity.environment;
        let endpoint = STS_ENDPOINTS.iter().find_map(|name| environment.filled(name));
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .http_client(Client::new(&self.identity))
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(ThreadSleep))
            .time_source(aws_smithy_async::time::SharedTimeSource::new(
                aws_smithy_async::time::SystemTimeSource::new(),
            ))
            .use_fips(self.identity.variant.fips)
            .use_dual_stack(self.identity.variant.dual_stack)
            .retry_config(RetryConfig::standard());
        config.set_endpoint_url(endpoint.map(str::to_owned));
        config.build()
    }

    /// Shown in CloudTrail; 2 to 64 characters of `[\w+=,.@-]`.
    fn session_name(&self) -> String {
        let host = self.identity.environment.hostname().unwrap_or("host");
        let allowed = |found: &char| found.is_ascii_alphanumeric() || "+=,.@-_".contains(*found);
        let host: String = host.chars().filter(allowed).take(50).collect();
        format!("auditship-{host}")
    }

    fn explain(&self, error: &CredentialsError) -> CredentialError {
        let source = match (&self.identity.role_arn, &self.identity.profile) {
            (Some(role), _) => format!("the AWS credentials for the role {role}"),
            (None, Some(profile)) => format!("the AWS profile `{profile}`"),
            (None, None) => String::from("the AWS credential chain"),
        };
        let reason = causes(error);
        // What a program says when it fails is its own, and may hold anything.
        if let Some((_, code)) = reason.split_once("external process exited with code ") {
            let code = code.split(". Stderr").next().unwrap_or_default();
            return CredentialError::Refused {
                source,
                reason: format!(
                    "its `credential_process` ended with {code}: run it by hand, as this user, to see what it says"
                ),
            };
        }
        match error {
            CredentialsError::CredentialsNotLoaded(_) => CredentialError::Missing {
                advice: format!(
                    "{source} gives no keys; it looks at AWS_ACCESS_KEY_ID, the shared files (AWS_PROFILE), \
                     AWS_WEB_IDENTITY_TOKEN_FILE, the container's and the instance's role: give this host one of them"
                ),
            },
            CredentialsError::ProviderTimedOut(_) => CredentialError::Unreachable { source, reason },
            CredentialsError::ProviderError(_) if reason.contains("dispatch failure") => {
                CredentialError::Unreachable { source, reason }
            }
            _ if reason.contains("cargo feature") => CredentialError::Refused {
                source,
                reason: String::from(
                    "it has `credential_process` or single sign-on, for which this auditship was not built: build it with \
                     `--features aws-profiles`, or give keys in another way",
                ),
            },
            _ => CredentialError::Refused { source, reason },
        }
    }
}

/// The first link of the chain, from the snapshot: nothing has to be asked for it.
fn environment_keys(environment: &Environment) -> Option<Credentials> {
    let key = environment.filled("AWS_ACCESS_KEY_ID")?;
    let secret = environment.filled("AWS_SECRET_ACCESS_KEY")?;
    let token = environment.filled("AWS_SESSION_TOKEN").map(str::to_owned);
    Some(Credentials::new(key, secret, token, None, "environment"))
}

/// The error and its causes in one line of at most some 400 characters. AWS's crates put no keys into errors.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(400) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

type Fetched = Result<Credentials, CredentialsError>;

/// The longest that the sources may take together: a `credential_process` can wait for a person, and nobody is there.
#[cfg(feature = "aws-profiles")]
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that the chain awaits is ready or blocks this thread, so no runtime is needed; `credential_process` and
/// SSO want one.
#[cfg(not(feature = "aws-profiles"))]
fn block_on<F: Future<Output = Fetched>>(future: F) -> Fetched {
    pollster::block_on(future)
}

#[cfg(feature = "aws-profiles")]
fn block_on<F: Future<Output = Fetched>>(future: F) -> Fetched {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            let late = |_| Err(CredentialsError::provider_timed_out(PATIENCE));
            tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(late)
        }),
        // Without descriptors for a runtime; what wants none of it still works.
        Err(_) => pollster::block_on(future),
    }
}
