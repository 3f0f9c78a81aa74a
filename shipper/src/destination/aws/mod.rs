//! What the destinations at AWS have in common: keys, partitions, endpoints, and how an error is named. Pure.
//!
//! # Invariants
//! 1. The region that is signed for is the configured one, also when the endpoint is another: a VPC endpoint's name says
//!    nothing about it.

mod endpoint;
mod error;
mod explain;
mod json;
mod puts;

use ::http::Uri;

pub use endpoint::Partition;
pub(crate) use error::error_code;
pub(super) use error::{ErrorClass, classify, error_message, xml_text};
pub(super) use explain::{said, who};
pub(super) use json::{RecordList, operation, put};
pub(super) use puts::{Dialect, Meaning, Put};

use super::config::{ConfigError, Flag};
use super::connection::RawConnection;
use super::endpoint::{Endpoint, Plaintext};
use crate::config::Environment;
use crate::credentials::aws::{Identity, Variant};

/// The keys as they are written.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct RawAws {
    /// As `eu-central-1`; default what `AWS_REGION`, else `AWS_DEFAULT_REGION` says.
    region: Option<String>,
    /// URL in place of the service's own: a VPC endpoint, a gateway, another maker's server. Default what
    /// `AWS_ENDPOINT_URL_<SERVICE>`, else `AWS_ENDPOINT_URL` says.
    endpoint: Option<String>,
    /// The FIPS endpoint. Default what `AWS_USE_FIPS_ENDPOINT` says.
    use_fips: Option<Flag>,
    /// The dual-stack endpoint (IPv6). Default what `AWS_USE_DUALSTACK_ENDPOINT` says.
    use_dual_stack: Option<Flag>,
    /// A profile of the shared configuration files.
    profile: Option<String>,
    /// A role to assume with the credentials that the chain finds.
    role_arn: Option<String>,
    /// The external id that the role's trust policy asks for.
    external_id: Option<String>,
    /// Allows an `http://` endpoint on another host. Default false.
    allow_plaintext: Option<Flag>,
}

/// Where and as whom.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aws {
    pub(super) region: String,
    pub(super) partition: &'static Partition,
    /// In place of the service's own.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) identity: Identity,
}

/// How a service is named where endpoints are looked up.
pub(super) struct Service<'a> {
    /// In host names, as `logs`.
    pub(super) host: &'a str,
    /// In `AWS_ENDPOINT_URL_...`, as `CLOUDWATCH_LOGS`.
    pub(super) variable: &'static str,
}

impl RawAws {
    /// The names of the keys.
    pub const KEYS: &'static [&'static str] = &[
        "region",
        "endpoint",
        "use_fips",
        "use_dual_stack",
        "profile",
        "role_arn",
        "external_id",
        "allow_plaintext",
    ];

    /// Turns the keys into where and as whom.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(super) fn validate(
        self,
        service: &Service<'_>,
        connection: &RawConnection,
        environment: &Environment,
    ) -> Result<Aws, ConfigError> {
        let region = region(self.region, environment)?;
        let plaintext = Plaintext::from(self.allow_plaintext);
        let own = format!("AWS_ENDPOINT_URL_{}", service.variable);
        let endpoint = self
            .endpoint
            .as_deref()
            .or_else(|| environment.filled(&own))
            .or_else(|| environment.filled("AWS_ENDPOINT_URL"))
            .map(|url| Endpoint::parse(url, plaintext))
            .transpose()
            .map_err(|error| ConfigError::invalid("endpoint", error))?;
        let switched_on = |given: Option<Flag>, variable: &str| match given {
            Some(Flag(given)) => given,
            None => environment
                .filled(variable)
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        };
        check_role(self.role_arn.as_deref(), self.external_id.as_deref())?;
        Ok(Aws {
            partition: Partition::of_region(&region),
            region,
            endpoint,
            identity: Identity {
                profile: self.profile,
                role_arn: self.role_arn,
                external_id: self.external_id,
                variant: Variant {
                    fips: switched_on(self.use_fips, "AWS_USE_FIPS_ENDPOINT"),
                    dual_stack: switched_on(self.use_dual_stack, "AWS_USE_DUALSTACK_ENDPOINT"),
                },
                connection: connection.clone(),
                environment: environment.clone(),
            },
        })
    }
}

/// The region that is `given`, else the environment's.
pub(super) fn region(given: Option<String>, environment: &Environment) -> Result<String, ConfigError> {
    let region = given
        .or_else(|| {
            ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .iter()
                .find_map(|name| environment.filled(name).map(str::to_owned))
        })
        .ok_or(ConfigError::Missing {
            key: "region",
            expected: "the region, as `eu-central-1`, or set AWS_REGION",
        })?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || region.len() > 63 || !region.bytes().all(is_name) {
        let problem = format!("{region:?} is no region: write it as `eu-central-1`");
        return Err(ConfigError::invalid("region", problem));
    }
    Ok(region)
}

/// Whether a role can be assumed as the keys say.
pub(super) fn check_role(role_arn: Option<&str>, external_id: Option<&str>) -> Result<(), ConfigError> {
    match (role_arn, external_id) {
        (None, Some(_)) => {
            let problem = "is sent when a role is assumed: set `role_arn`, or remove it";
            Err(ConfigError::invalid("external_id", problem))
        }
        (Some(role), _) if !(role.starts_with("arn:") && role.contains(":role/")) => {
            let problem = format!("{role:?} is no role: write it as arn:aws:iam::123456789012:role/NAME");
            Err(ConfigError::invalid("role_arn", problem))
        }
        _ => Ok(()),
    }
}

impl Aws {
    /// The URL of a service's API, without a final slash.
    pub(super) fn base(&self, service: &Service<'_>) -> Result<Uri, ConfigError> {
        match &self.endpoint {
            Some(endpoint) => Ok(endpoint.uri().clone()),
            None => self.url(service),
        }
    }

    /// The same where nothing else is configured.
    pub(super) fn url(&self, service: &Service<'_>) -> Result<Uri, ConfigError> {
        let url = self
            .partition
            .url(service.host, &self.region, self.identity.variant);
        url.parse()
            .map_err(|_| ConfigError::invalid("region", format!("{url} is no URL: check `region`")))
    }

    /// Whether `url` is in a domain of AWS, where a service is what AWS documents, and not of a gateway or an emulator.
    pub(super) fn is_at_home(&self, url: &Uri) -> bool {
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let [plain, dual_stack] = self.partition.suffixes();
        [plain, dual_stack]
            .iter()
            .any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
    }

    /// The options that make the command line of AWS ask where this goes.
    pub(super) fn cli_options(&self) -> String {
        let mut options = format!("--region {}", self.region);
        if let Some(endpoint) = &self.endpoint {
            options.push_str(&format!(" --endpoint-url {endpoint}"));
        }
        options
    }

    /// An ARN in this partition: `arn:{partition}:{rest}`.
    pub(super) fn arn(&self, rest: &str) -> String {
        format!("arn:{}:{rest}", self.partition.name)
    }
}
