//! `auditship iam`: the least that the identity which ships must be allowed, in the form that the operator uses.

mod aws;
mod azure;
mod google;

use clap::{Args, ValueEnum};

use super::destinations::ConfigOption;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::Environment;
use crate::destination::{self, Permissions};

/// Print the least that an identity must be allowed to ship to a destination.
///
/// The policy is made from the destination's configuration: its bucket or log group, its keys, what it creates. What the
/// configuration does not name, as the account, is `*`.
#[derive(Args, Debug)]
pub(super) struct Iam {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    #[command(flatten)]
    config: ConfigOption,
    /// The form of the policy
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Json)]
    format: Form,
}

/// The forms of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An IAM policy document of AWS, a policy binding of Google Cloud, or a custom role of Azure
    Json,
    /// A CloudFormation template with a managed policy (AWS)
    Cloudformation,
    /// Terraform (AWS, Google Cloud and Azure)
    Terraform,
    /// gcloud commands (Google Cloud)
    Gcloud,
    /// az commands (Azure)
    Az,
}

impl Iam {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let chosen = self.config.destinations(Some(&self.destination), environment)?;
        for config in &chosen.destinations {
            let route = destination::build(&config.kind)
                .map_err(|error| Failure::Config(format!("{}: {error}", config.id)))?;
            let kind = route.destination.kind();
            match (route.destination.permissions(), self.format) {
                (Permissions::Aws(statements), Form::Json) => output.json(&aws::policy(&statements))?,
                (Permissions::Aws(statements), Form::Cloudformation) => {
                    output.json(&aws::cloudformation(&config.id, &statements))?;
                }
                (Permissions::Aws(statements), Form::Terraform) => {
                    output.line(aws::terraform(&config.id, &statements).trim_end())?;
                }
                (Permissions::Google(permissions), Form::Json) => {
                    output.json(&google::policy(&permissions))?
                }
                (Permissions::Google(permissions), Form::Terraform) => {
                    output.line(google::terraform(&config.id, &permissions).trim_end())?;
                }
                (Permissions::Google(permissions), Form::Gcloud) => {
                    output.line(google::gcloud(&permissions).trim_end())?;
                }
                (Permissions::Azure(role), Form::Json) => {
                    output.json(&azure::definition(&config.id, &role))?
                }
                (Permissions::Azure(role), Form::Terraform) => {
                    output.line(azure::terraform(&config.id, &role).trim_end())?;
                }
                (Permissions::Azure(role), Form::Az) => {
                    output.line(azure::commands(&config.id, &role).trim_end())?;
                }
                (Permissions::Other(needed), _) => {
                    output.line(format_args!(
                        "{kind} has no cloud's policy; it must be allowed {needed}"
                    ))?;
                }
                (Permissions::Aws(_), Form::Gcloud | Form::Az) => {
                    return Err(unfit(kind, "json, cloudformation and terraform"));
                }
                (Permissions::Google(_), Form::Cloudformation | Form::Az) => {
                    return Err(unfit(kind, "json, terraform and gcloud"));
                }
                (Permissions::Azure(_), Form::Cloudformation | Form::Gcloud) => {
                    return Err(unfit(kind, "json, terraform and az"));
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn unfit(kind: &str, forms: &str) -> Failure {
    Failure::Config(format!(
        "{kind} has no policy of this form; its forms are {forms}"
    ))
}

/// A destination's id as an identifier of Terraform or, without its hyphens, of CloudFormation.
fn identifier(id: &str, separator: &str) -> String {
    let words = id.split(|found: char| !found.is_ascii_alphanumeric());
    format!(
        "auditship{separator}{}",
        words.collect::<Vec<_>>().join(separator)
    )
}

/// A string of Terraform's language: `${` would be read as a template.
fn hcl(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.replace("${", "$${").replace("%{", "%%{")
}

fn hcl_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(hcl).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_strings_are_safe_in_their_languages() {
        assert_eq!(identifier("audit-eu", "_"), "auditship_audit_eu");
        assert_eq!(identifier("audit-eu", ""), "auditshipauditeu");
        assert_eq!(hcl("a\"b${c}%{d}"), r#""a\"b$${c}%%{d}""#);
        assert_eq!(hcl_list(["a", "b"]), r#"["a", "b"]"#);
    }
}
