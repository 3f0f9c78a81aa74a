//! Policies of AWS.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{hcl, hcl_list, identifier};
use crate::destination::{AwsCondition, AwsStatement};

/// The version of the policy language; there is no newer one.
const VERSION: &str = "2012-10-17";

pub(super) fn policy(statements: &[AwsStatement]) -> Value {
    let statements: Vec<Value> = statements.iter().map(AwsStatement::to_json).collect();
    json!({ "Version": VERSION, "Statement": statements })
}

pub(super) fn cloudformation(id: &str, statements: &[AwsStatement]) -> Value {
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("What auditship needs for its destination {id}"),
        "Resources": {
            identifier(id, ""): {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "Description": format!("auditship ships to {id}"),
                    "PolicyDocument": policy(statements),
                },
            },
        },
        "Outputs": { "PolicyArn": { "Value": { "Ref": identifier(id, "") } } },
    })
}

pub(super) fn terraform(id: &str, statements: &[AwsStatement]) -> String {
    let name = identifier(id, "_");
    let mut text = format!("data \"aws_iam_policy_document\" \"{name}\" {{\n");
    for statement in statements {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  # {}\n  statement {{\n    sid       = {}\n    actions   = {}\n    resources = {}\n",
            statement.purpose,
            hcl(statement.sid),
            hcl_list(statement.actions.iter().copied()),
            hcl_list(statement.resources.iter().map(String::as_str)),
        );
        if let Some((test, variable, value)) = statement.condition.as_ref().map(AwsCondition::parts) {
            let _ = write!(
                text,
                "    condition {{\n      test     = {}\n      variable = {}\n      values   = {}\n    }}\n",
                hcl(test),
                hcl(variable),
                hcl_list(std::iter::once(value)),
            );
        }
        text.push_str("  }\n");
    }
    let _ = write!(
        text,
        "}}\n\nresource \"aws_iam_policy\" \"{name}\" {{\n  name   = {}\n  policy = \
         data.aws_iam_policy_document.{name}.json\n}}\n",
        hcl(&format!("auditship-{id}")),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements() -> Vec<AwsStatement> {
        vec![AwsStatement {
            sid: "Write",
            actions: vec!["s3:PutObject"],
            resources: vec![String::from("arn:aws:s3:::audit/*")],
            condition: None,
            purpose: "to store objects",
        }]
    }

    #[test]
    fn a_policy_allows_what_is_stated_and_nothing_else() {
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "Write",
                "Effect": "Allow",
                "Action": ["s3:PutObject"],
                "Resource": ["arn:aws:s3:::audit/*"],
            }],
        });
        assert_eq!(policy(&statements()), expected);
        let template = cloudformation("audit-eu", &statements());
        assert_eq!(
            template["Resources"]["auditshipauditeu"]["Properties"]["PolicyDocument"],
            expected
        );
    }

    #[test]
    fn a_key_behind_an_alias_is_a_condition() {
        let statement = AwsStatement {
            condition: Some(AwsCondition::KeyAlias(String::from("alias/audit"))),
            ..statements().remove(0)
        };
        let condition = json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": "alias/audit" } });
        assert_eq!(
            policy(std::slice::from_ref(&statement))["Statement"][0]["Condition"],
            condition
        );
        let text = terraform("audit-eu", &[statement]);
        let stated = "    condition {\n      test     = \"ForAnyValue:StringEquals\"\n      variable = \
                      \"kms:ResourceAliases\"\n      values   = [\"alias/audit\"]\n    }\n  }\n}\n";
        assert!(text.contains(stated), "{text}");
    }

    #[test]
    fn terraform_has_one_statement_each() {
        assert_eq!(
            terraform("audit-eu", &statements()),
            "data \"aws_iam_policy_document\" \"auditship_audit_eu\" {\n  # to store objects\n  statement {\n    sid       \
             = \"Write\"\n    actions   = [\"s3:PutObject\"]\n    resources = [\"arn:aws:s3:::audit/*\"]\n  }\n}\n\n\
             resource \"aws_iam_policy\" \"auditship_audit_eu\" {\n  name   = \"auditship-audit-eu\"\n  policy = \
             data.aws_iam_policy_document.auditship_audit_eu.json\n}\n"
        );
    }
}
