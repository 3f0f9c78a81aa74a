//! Policies of Google Cloud: bindings of the smallest predefined roles.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{hcl, identifier};
use crate::destination::GooglePermission;

/// Stands for the identity that ships, which no configuration names.
const MEMBER: &str = "serviceAccount:SERVICE_ACCOUNT_EMAIL";

/// What a permission is on.
enum Resource<'a> {
    Project(&'a str),
    Bucket(&'a str),
    Other(&'a str),
}

impl<'a> Resource<'a> {
    fn of(name: &'a str) -> Self {
        match name.split_once('/') {
            Some(("projects", project)) => Self::Project(project),
            Some(("buckets", bucket)) => Self::Bucket(bucket),
            _ => Self::Other(name),
        }
    }
}

pub(super) fn policy(permissions: &[GooglePermission]) -> Value {
    let bindings: Vec<Value> = permissions
        .iter()
        .map(|permission| {
            json!({
                "resource": permission.resource,
                "role": permission.role,
                "members": [MEMBER],
                "for": permission.permission,
            })
        })
        .collect();
    json!({ "bindings": bindings })
}

pub(super) fn gcloud(permissions: &[GooglePermission]) -> String {
    let mut text = String::new();
    for permission in permissions {
        let command = match Resource::of(&permission.resource) {
            Resource::Project(project) => format!("gcloud projects add-iam-policy-binding {project}"),
            Resource::Bucket(bucket) => {
                format!("gcloud storage buckets add-iam-policy-binding gs://{bucket}")
            }
            Resource::Other(other) => {
                let _ = writeln!(text, "# {} on {other}: {}", permission.role, permission.purpose);
                continue;
            }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# {}: {}\n{command} --member='{MEMBER}' --role='{}'",
            permission.permission, permission.purpose, permission.role
        );
    }
    text
}

pub(super) fn terraform(id: &str, permissions: &[GooglePermission]) -> String {
    let mut text = String::new();
    for (number, permission) in permissions.iter().enumerate() {
        let name = match number {
            0 => identifier(id, "_"),
            number => format!("{}_{number}", identifier(id, "_")),
        };
        let (kind, key, value) = match Resource::of(&permission.resource) {
            Resource::Project(project) => ("google_project_iam_member", "project", project),
            Resource::Bucket(bucket) => ("google_storage_bucket_iam_member", "bucket", bucket),
            Resource::Other(other) => ("google_project_iam_member", "project", other),
        };
        let _ = write!(
            text,
            "# {}: {}\nresource \"{kind}\" \"{name}\" {{\n  {key} = {}\n  role = {}\n  member = {}\n}}\n",
            permission.permission,
            permission.purpose,
            hcl(value),
            hcl(permission.role),
            hcl(MEMBER),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions() -> Vec<GooglePermission> {
        vec![
            GooglePermission {
                permission: "logging.logEntries.create",
                role: "roles/logging.logWriter",
                resource: String::from("projects/p-1"),
                purpose: "to write entries",
            },
            GooglePermission {
                permission: "storage.objects.create",
                role: "roles/storage.objectCreator",
                resource: String::from("buckets/audit"),
                purpose: "to store objects",
            },
        ]
    }

    #[test]
    fn commands_name_the_resource_the_role_and_a_member() {
        assert_eq!(
            gcloud(&permissions()),
            "# logging.logEntries.create: to write entries\n\
             gcloud projects add-iam-policy-binding p-1 --member='serviceAccount:SERVICE_ACCOUNT_EMAIL' \
             --role='roles/logging.logWriter'\n\
             # storage.objects.create: to store objects\n\
             gcloud storage buckets add-iam-policy-binding gs://audit --member='serviceAccount:SERVICE_ACCOUNT_EMAIL' \
             --role='roles/storage.objectCreator'\n"
        );
    }

    #[test]
    fn terraform_has_a_resource_for_each() {
        let text = terraform("gcl", &permissions());
        assert!(
            text.contains("resource \"google_project_iam_member\" \"auditship_gcl\" {\n  project = \"p-1\"")
        );
        assert!(text.contains(
            "resource \"google_storage_bucket_iam_member\" \"auditship_gcl_1\" {\n  bucket = \"audit\""
        ));
    }
}
