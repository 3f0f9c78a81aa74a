//! Roles of Azure: a custom role with the least, and its assignment.

use serde_json::{Value, json};

use super::{hcl, hcl_list, identifier};
use crate::destination::AzureRole;

/// Stands for the identity that ships, which no configuration names.
const ASSIGNEE: &str = "OBJECT_ID_OF_THE_IDENTITY";

/// A custom role in the form of `az role definition create`.
pub(super) fn definition(id: &str, role: &AzureRole) -> Value {
    json!({
        "Name": name(id),
        "IsCustom": true,
        "Description": format!("auditship: {}", role.purpose),
        "Actions": [],
        "NotActions": [],
        "DataActions": role.data_actions,
        "NotDataActions": [],
        "AssignableScopes": [subscription(&role.scope)],
    })
}

pub(super) fn commands(id: &str, role: &AzureRole) -> String {
    let custom = name(id);
    let name = role.predefined.unwrap_or(&custom);
    let assign = format!(
        "az role assignment create --assignee-object-id {ASSIGNEE} --assignee-principal-type ServicePrincipal \
         --role '{name}' --scope '{}'",
        role.scope
    );
    match role.predefined {
        Some(_) => format!("# {}\n{assign}\n", role.purpose),
        None => format!(
            "# {}\naz role definition create --role-definition '{}'\n{assign}\n",
            role.purpose,
            definition(id, role)
        ),
    }
}

pub(super) fn terraform(id: &str, role: &AzureRole) -> String {
    let resource = identifier(id, "_");
    let (definition, reference) = match role.predefined {
        Some(predefined) => (
            String::new(),
            format!("role_definition_name = {}", hcl(predefined)),
        ),
        None => (
            format!(
                "resource \"azurerm_role_definition\" \"{resource}\" {{\n  name  = {}\n  scope = {}\n  permissions {{\n    \
                 data_actions = {}\n  }}\n}}\n\n",
                hcl(&name(id)),
                hcl(subscription(&role.scope)),
                hcl_list(role.data_actions.iter().copied()),
            ),
            format!("role_definition_id = azurerm_role_definition.{resource}.role_definition_resource_id"),
        ),
    };
    format!(
        "{definition}# {}\nresource \"azurerm_role_assignment\" \"{resource}\" {{\n  scope = {}\n  {reference}\n  principal_id = \
         {}\n}}\n",
        role.purpose,
        hcl(&role.scope),
        hcl(ASSIGNEE),
    )
}

fn name(id: &str) -> String {
    format!("auditship {id}")
}

/// `/subscriptions/S` of a resource's id: custom roles are made there.
fn subscription(scope: &str) -> &str {
    match scope.match_indices('/').nth(2) {
        Some((end, _)) => &scope[..end],
        None => scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(predefined: Option<&'static str>) -> AzureRole {
        AzureRole {
            data_actions: vec!["Microsoft.Insights/Telemetry/Write"],
            predefined,
            scope: String::from("/subscriptions/S/resourceGroups/G/providers/P/x/y"),
            purpose: "to send records",
        }
    }

    #[test]
    fn a_custom_role_allows_what_is_needed_and_nothing_else() {
        assert_eq!(
            definition("audit-eu", &role(None)),
            json!({
                "Name": "auditship audit-eu",
                "IsCustom": true,
                "Description": "auditship: to send records",
                "Actions": [],
                "NotActions": [],
                "DataActions": ["Microsoft.Insights/Telemetry/Write"],
                "NotDataActions": [],
                "AssignableScopes": ["/subscriptions/S"],
            })
        );
    }

    #[test]
    fn commands_and_terraform_assign_it_where_it_is_needed() {
        let text = commands("a", &role(None));
        assert!(text.contains("az role definition create"), "{text}");
        assert!(
            text.contains("--role 'auditship a' --scope '/subscriptions/S/resourceGroups/G/providers/P/x/y'")
        );
        let text = commands("a", &role(Some("Monitoring Metrics Publisher")));
        assert!(!text.contains("definition create"), "{text}");
        assert!(text.contains("--role 'Monitoring Metrics Publisher'"), "{text}");
        let text = terraform("a-b", &role(None));
        assert!(
            text.contains("azurerm_role_definition.auditship_a_b.role_definition_resource_id"),
            "{text}"
        );
        assert!(
            text.contains("data_actions = [\"Microsoft.Insights/Telemetry/Write\"]"),
            "{text}"
        );
    }
}
