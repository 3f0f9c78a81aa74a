//! What an error of Microsoft's crate says to a person: what happened, and what to do. Pure.

use azure_core::error::ErrorKind;

use super::{Identity, Method};
use crate::credentials::CredentialError;
use crate::transport::SendError;

/// Characters of a reason that are shown.
const SHOWN: usize = 400;

impl Identity {
    pub(super) fn explain(&self, error: &azure_core::Error) -> CredentialError {
        let source = self.method.source();
        let (mut sent, mut status) = (None, None);
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            sent = sent.or_else(|| error.downcast_ref::<SendError>().cloned());
            if let Some(error) = error.downcast_ref::<azure_core::Error>()
                && let ErrorKind::HttpResponse { status: said, .. } = error.kind()
            {
                status = Some(u16::from(*said));
            }
            cause = error.source();
        }
        match (sent, &self.method) {
            (Some(error), Method::ManagedIdentity(_)) => CredentialError::Missing {
                advice: format!(
                    "no `shared_key`, `sas_token` or `client_secret` is set, no AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or \
                     AZURE_FEDERATED_TOKEN_FILE either, and there is no managed identity here ({error}): set one of them, or give \
                     this machine an identity"
                ),
            },
            (Some(error), _) => CredentialError::Unreachable {
                source,
                reason: error.to_string(),
            },
            (None, _) => {
                let said = self.shown(&error.to_string());
                let reason = match advice(&said, &self.method) {
                    Some(advice) => format!("{said} ({advice})"),
                    None => said,
                };
                match status {
                    Some(408 | 429 | 500..) => CredentialError::Unreachable { source, reason },
                    _ => CredentialError::Refused { source, reason },
                }
            }
        }
    }

    /// On one line, without what is of no use to a reader, and without the secret.
    fn shown(&self, said: &str) -> String {
        let said = said.split("Trace ID:").next().unwrap_or_default();
        let said = said.split("To troubleshoot, visit").next().unwrap_or_default();
        let said = match said.split_once("authentication failed.") {
            Some((_, said)) => said,
            None => said,
        };
        let mut line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Method::ClientSecret { secret, .. } = &self.method
            && let Ok(secret) = secret.expose()
        {
            line = line.replace(secret.value(), "[redacted]");
        }
        if let Some((cut, _)) = line.char_indices().nth(SHOWN) {
            line.truncate(cut);
            line.push('…');
        }
        line
    }
}

/// By Entra ID's own codes.
fn advice(said: &str, method: &Method) -> Option<&'static str> {
    let (_, after) = said.split_once("AADSTS").unwrap_or_default();
    let code: String = after.chars().take_while(char::is_ascii_digit).collect();
    Some(match code.as_str() {
        "90002" | "900023" | "90013" => "there is no such tenant: check `tenant_id`, and `cloud`",
        "700016" => "check `client_id`, and that the application is in this tenant: check `tenant_id`",
        "7000215" => "check `client_secret`: give the secret's value, not its id",
        "7000222" => "make a new secret for the application and put it where `client_secret` says",
        "700027" => "upload the certificate to the application, and check `client_certificate_file`",
        "70021" | "700211" | "700212" | "700213" => {
            "check the application's federated credential: issuer, subject and audience"
        }
        "700024" => "set this host's clock right (NTP), or renew the token in `federated_token_file`",
        "500011" | "1002012" => "the service is not known in this tenant: check `cloud`",
        "53003" | "53000" => "a policy of the tenant (conditional access) stops the application",
        _ => match method {
            Method::ManagedIdentity(_) if said.contains("has not been assigned") => {
                "assign the identity to this machine, and check `client_id`"
            }
            Method::ManagedIdentity(_) if said.contains("isn't supported") => {
                "use workload identity, a certificate or a secret there"
            }
            Method::AzureCli { .. } => "log in: az login",
            _ => return None,
        },
    })
}
