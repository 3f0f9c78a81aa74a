//! The least that an identity must be allowed to do, and what to say when it may not.

use super::config::Config;
use super::encryption::Encryption;
use crate::destination::permission::{AwsCondition, AwsStatement};

/// Statements of an IAM policy that is enough to ship and to check.
///
/// `s3:GetObject` is not among them: it would let the host read what it has shipped. Where it is allowed, an object whose
/// name is taken is compared; where it is not, and an earlier sending may have stored it, it counts as unverified.
pub(super) fn statements(config: &Config) -> Vec<AwsStatement> {
    let start = config.layout.name.start();
    let objects = config.aws.arn(&format!("s3:::{}/{start}*", config.bucket));
    let mut statements = vec![AwsStatement {
        sid: "AuditshipPut",
        actions: vec!["s3:PutObject"],
        resources: vec![objects.clone()],
        condition: None,
        purpose: "to create objects",
    }];
    let mut also = |sid, action, purpose| {
        statements.push(AwsStatement {
            sid,
            actions: vec![action],
            resources: vec![objects.clone()],
            condition: None,
            purpose,
        });
    };
    if config.tagged {
        also("AuditshipTag", "s3:PutObjectTagging", "for `object_tags`");
    }
    if config.lock.retention.is_some() {
        also("AuditshipRetain", "s3:PutObjectRetention", "for `object_lock`");
    }
    if config.lock.legal_hold {
        also("AuditshipHold", "s3:PutObjectLegalHold", "for `legal_hold`");
    }
    also(
        "AuditshipCheck",
        "s3:AbortMultipartUpload",
        "for `auditship check`, which begins an upload and gives it up",
    );
    if let Encryption::Kms { key, .. } = &config.encryption {
        statements.push(AwsStatement {
            sid: "AuditshipEncrypt",
            actions: vec!["kms:GenerateDataKey", "kms:Decrypt"],
            resources: vec![key_arn(config, key.as_deref())],
            condition: key.as_deref().and_then(alias).map(AwsCondition::KeyAlias),
            purpose: "for `encryption`",
        });
    }
    statements
}

/// The alias in a key's name, as `alias/audit`.
fn alias(key: &str) -> Option<String> {
    let name = match key.strip_prefix("arn:") {
        Some(arn) => arn.split_once(":alias/")?.1,
        None => key.strip_prefix("alias/")?,
    };
    Some(format!("alias/{name}"))
}

/// Policies name keys by ARN; behind an alias, any key may be: of those, the statement's condition names the alias.
fn key_arn(config: &Config, key: Option<&str>) -> String {
    match key {
        Some(arn) if arn.starts_with("arn:") && arn.contains(":key/") => arn.to_owned(),
        Some(id) if !id.starts_with("arn:") && !id.starts_with("alias/") => {
            config.aws.arn(&format!("kms:{}:*:key/{id}", config.aws.region))
        }
        Some(arn) if arn.starts_with("arn:") => match arn.split_once(":alias/") {
            Some((place, _)) => format!("{place}:key/*"),
            None => String::from("*"),
        },
        Some(_) => config.aws.arn(&format!("kms:{}:*:key/*", config.aws.region)),
        None => String::from("*"),
    }
}

/// The statements that lack when `message` refuses: the one with the action that it names (of a key that only the bucket
/// knows, too), else all.
pub(super) fn missing(config: &Config, message: &str) -> Vec<AwsStatement> {
    let statements = statements(config);
    let names = |statement: &&AwsStatement| {
        statement.actions.iter().any(|action| {
            message
                .split_whitespace()
                .any(|word| word.trim_matches(['"', '.', ',']) == *action)
        })
    };
    let named: Vec<_> = statements.iter().filter(names).cloned().collect();
    match named.is_empty() {
        false => named,
        true => of_the_buckets_key(message).map_or(statements, |statement| vec![statement]),
    }
}

/// A bucket may encrypt by a key that the configuration does not know of; the refusal names it.
fn of_the_buckets_key(message: &str) -> Option<AwsStatement> {
    let words = || {
        message
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '.', ',']))
    };
    words().find(|word| matches!(*word, "kms:GenerateDataKey" | "kms:Decrypt"))?;
    let key = words().find(|word| word.starts_with("arn:") && word.contains(":kms:"));
    Some(AwsStatement {
        sid: "AuditshipEncrypt",
        actions: vec!["kms:GenerateDataKey", "kms:Decrypt"],
        resources: vec![key.unwrap_or("*").to_owned()],
        condition: None,
        purpose: "for the bucket's own encryption",
    })
}

/// What to allow, in short.
pub(super) fn advice(config: &Config, message: &str) -> String {
    let allow: Vec<String> = missing(config, message)
        .iter()
        .filter(|statement| statement.sid != "AuditshipCheck")
        .map(|statement| {
            format!(
                "{} on {}",
                statement.actions.join(" and "),
                statement.resources.join(", ")
            )
        })
        .collect();
    let owner = match config.owner {
        Some(_) => ", and see whether the bucket belongs to `expected_bucket_owner`",
        None => "",
    };
    format!("allow {}{owner}", allow.join("; "))
}
