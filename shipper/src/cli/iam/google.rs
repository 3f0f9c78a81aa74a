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
    Folder(&'a str),
    Organization(&'a str),
    Bucket(&'a str),
    Other(&'a str),
}

impl<'a> Resource<'a> {
    fn of(name: &'a str) -> Self {
        match name.split_once('/') {
            Some(("projects", project)) => Self::Project(project),
            Some(("folders", folder)) => Self::Folder(folder),
            Some(("organizations", organization)) => Self::Organization(organization),
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
            Resource::Folder(folder) => {
                format!("gcloud resource-manager folders add-iam-policy-binding {folder}")
            }
            Resource::Organization(organization) => {
                format!("gcloud organizations add-iam-policy-binding {organization}")
            }
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
            Resource::Folder(folder) => ("google_folder_iam_member", "folder", folder),
            Resource::Organization(id) => ("google_organization_iam_member", "org_id", id),
            Resource::Bucket(bucket) => ("google_storage_bucket_iam_member", "bucket", bucket),
            Resource::Other(other) => {
                let _ = writeln!(text, "# {} on {other}: {}", permission.role, permission.purpose);
                continue;
            }
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

    #[test]
    fn folders_and_organizations_are_no_projects() {
        let of = |resource: &str| {
            let permission = GooglePermission {
                resource: String::from(resource),
                ..permissions().remove(0)
            };
            let terraform = terraform("gcl", std::slice::from_ref(&permission));
            (gcloud(&[permission]), terraform)
        };
        let (commands, text) = of("organizations/123");
        assert!(
            commands.contains("gcloud organizations add-iam-policy-binding 123 --member="),
            "{commands}"
        );
        assert!(
            text.contains("\"google_organization_iam_member\" \"auditship_gcl\" {\n  org_id = \"123\""),
            "{text}"
        );
        let (commands, text) = of("folders/4");
        assert!(
            commands.contains("gcloud resource-manager folders add-iam-policy-binding 4 --member="),
            "{commands}"
        );
        assert!(
            text.contains("\"google_folder_iam_member\" \"auditship_gcl\" {\n  folder = \"4\""),
            "{text}"
        );
    }
}
