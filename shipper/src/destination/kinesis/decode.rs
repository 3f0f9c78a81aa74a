//! What an answer means for each record of a batch: [`Dialect`] says it of each entry, and an entry of all that is in it.

use std::time::Duration;

use ::http::Response;

use super::Config;
use super::plan::Plan;
use crate::destination::aws::{Dialect, Meaning, Put};
use crate::destination::{AwsStatement, Batch, Outcome, Verdict};

pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let plan = Plan::new(config, batch.records);
    let puts = match of_put(config, |dialect| dialect.puts(response, plan.entries.len())) {
        Ok(puts) => puts,
        Err(outcome) => return outcome,
    };
    // What was left out of the request goes at once, what failed after a pause.
    let left_out = Verdict::Retry {
        after: Some(Duration::ZERO),
    };
    let mut verdicts = vec![left_out; batch.records.len()];
    for (entry, put) in plan.entries.iter().zip(puts) {
        for place in &entry.places {
            if let Some(verdict) = verdicts.get_mut(*place) {
                *verdict = match put {
                    Put::Stored => Verdict::Stored,
                    Put::Failed => Verdict::Retry { after: None },
                };
            }
        }
    }
    Outcome::Verdicts(verdicts)
}

/// What the answer to the question of a check means, other than what it hopes for.
pub(super) fn refusal(config: &Config, action: &'static str, response: &Response<Vec<u8>>) -> Outcome {
    of(config, action, |dialect| match dialect.puts(response, 0) {
        Err(outcome) => outcome,
        Ok(_) => Outcome::Unclear {
            reason: String::from("the answer says nothing of the question"),
        },
    })
}

fn of_put<T>(config: &Config, then: impl FnOnce(&Dialect<'_>) -> T) -> T {
    of(config, "kinesis:PutRecords", then)
}

fn of<T>(config: &Config, action: &'static str, then: impl FnOnce(&Dialect<'_>) -> T) -> T {
    then(&Dialect {
        service: "Kinesis Data Streams",
        results: "Records",
        failures: "FailedRecordCount",
        id: "SequenceNumber",
        denied: &|| {
            format!(
                "allow {}{}",
                AwsStatement::allowing(action, &config.statements()),
                config.stream.elsewhere()
            )
        },
        particular: &|code, _| particular(config, code),
        hidden: config.endpoint.hidden(),
    })
}

fn particular(config: &Config, code: &str) -> Option<(Meaning, String)> {
    let key = "the KMS key that encrypts the stream";
    Some(match code {
        "ResourceNotFoundException" => (
            Meaning::Config,
            format!(
                "create the stream {} in {}, or correct `stream`, `stream_arn` or `region`",
                config.stream, config.aws.region
            ),
        ),
        "KMSThrottlingException" => (Meaning::Throttled, format!("{key} is asked too often")),
        "KMSAccessDeniedException" => (
            Meaning::Auth,
            format!("allow kms:GenerateDataKey on {key}, in its own policy too"),
        ),
        "KMSDisabledException" => (Meaning::Config, format!("{key} is disabled: enable it")),
        "KMSInvalidStateException" => (
            Meaning::Config,
            format!("{key} is in no state to be used, as one that is to be deleted: put it right"),
        ),
        "KMSNotFoundException" => (
            Meaning::Config,
            format!("{key} is gone: give the stream another one"),
        ),
        "KMSOptInRequired" => (
            Meaning::Config,
            String::from("the account has no KMS: subscribe to it, or give the stream no key"),
        ),
        _ => return None,
    })
}
