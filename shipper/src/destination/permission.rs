//! What an identity must be allowed to do for a destination to work: least privilege, for `auditship iam` and for the
//! reasons that `auditship check` gives. Pure.

/// The permissions of one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever prints it must treat all of them")]
pub enum Permissions {
    /// Statements of an IAM policy.
    Aws(Vec<AwsStatement>),
    /// IAM permissions and the smallest predefined role that has each.
    Google(Vec<GooglePermission>),
    /// A role at Azure, and on what.
    Azure(AzureRole),
    /// Nothing that a cloud's policy could say: what is needed instead, for a person.
    Other(String),
}

/// One statement of an IAM policy, `Effect: Allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made by destinations, printed by the command line"
)]
pub struct AwsStatement {
    /// Letters and digits, unique in the policy.
    pub sid: &'static str,
    /// As `s3:PutObject`.
    pub actions: Vec<&'static str>,
    /// ARNs; what is not known from the configuration is `*`.
    pub resources: Vec<String>,
    /// What else must hold.
    pub condition: Option<AwsCondition>,
    /// What it is needed for, for a person.
    pub purpose: &'static str,
}

/// When a statement holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever prints it must treat all of them")]
pub enum AwsCondition {
    /// For KMS keys with this alias, as `alias/audit`: policies name keys by ARN, and behind an alias stands any of them.
    KeyAlias(String),
}

impl AwsCondition {
    /// The operator, the key of the request's context, and the value.
    pub fn parts(&self) -> (&'static str, &'static str, &str) {
        match self {
            Self::KeyAlias(alias) => ("ForAnyValue:StringEquals", "kms:ResourceAliases", alias),
        }
    }
}

impl AwsStatement {
    /// The one of `statements` that allows `action`, with nothing but that, as JSON for a policy.
    pub(super) fn allowing(action: &str, statements: &[Self]) -> String {
        let statement = statements
            .iter()
            .find(|statement| statement.actions.contains(&action));
        statement.map_or_else(|| action.to_owned(), |statement| statement.of(action))
    }

    /// This statement with nothing but `action`, as JSON for a policy.
    fn of(&self, action: &str) -> String {
        let resource = match self.resources.as_slice() {
            [one] => serde_json::json!(one),
            several => serde_json::json!(several),
        };
        let mut statement = serde_json::json!({ "Effect": "Allow", "Action": action, "Resource": resource });
        self.add_condition(&mut statement);
        statement.to_string()
    }

    /// As it stands in a policy.
    pub fn to_json(&self) -> serde_json::Value {
        let mut statement = serde_json::json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": self.actions,
            "Resource": self.resources,
        });
        self.add_condition(&mut statement);
        statement
    }

    fn add_condition(&self, statement: &mut serde_json::Value) {
        if let Some(condition) = &self.condition {
            let (operator, key, value) = condition.parts();
            statement["Condition"] = serde_json::json!({ operator: { key: value } });
        }
    }
}

/// One permission at Google Cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made by destinations, printed by the command line"
)]
pub struct GooglePermission {
    /// As `logging.logEntries.create`.
    pub permission: &'static str,
    /// The smallest predefined role that has it, as `roles/logging.logWriter`.
    pub role: &'static str,
    /// On what: `projects/ID` or `buckets/NAME`.
    pub resource: String,
    /// What it is needed for, for a person.
    pub purpose: &'static str,
}

/// What a role at Azure must allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made by destinations, printed by the command line"
)]
pub struct AzureRole {
    /// Data actions, as `Microsoft.Insights/Telemetry/Write`.
    pub data_actions: Vec<&'static str>,
    /// The smallest predefined role that has them all, when it has little else.
    pub predefined: Option<&'static str>,
    /// On what: a resource's id, with words in capital letters for what no configuration names.
    pub scope: String,
    /// What it is needed for, for a person.
    pub purpose: &'static str,
}
