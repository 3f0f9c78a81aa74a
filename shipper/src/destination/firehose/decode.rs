//! What an answer means for each record of a batch: see [`Dialect`], and what only Firehose says.

use ::http::Response;

use super::Config;
use crate::destination::aws::{Dialect, Meaning, Put};
use crate::destination::{AwsStatement, Batch, Outcome, Verdict};

pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let puts = with_dialect(config, "firehose:PutRecordBatch", |dialect| {
        dialect.puts(response, batch.records.len())
    });
    match puts {
        Err(outcome) => outcome,
        Ok(puts) => Outcome::Verdicts(
            puts.into_iter()
                .map(|put| match put {
                    Put::Stored => Verdict::Stored,
                    Put::Failed => Verdict::Retry { after: None },
                })
                .collect(),
        ),
    }
}

/// What the answer to the question of a check means, other than what it hopes for.
pub(super) fn refusal(config: &Config, action: &'static str, response: &Response<Vec<u8>>) -> Outcome {
    with_dialect(config, action, |dialect| match dialect.puts(response, 0) {
        Err(outcome) => outcome,
        Ok(_) => Outcome::Unclear {
            reason: String::from("the answer says nothing of the question"),
        },
    })
}

fn with_dialect<T>(config: &Config, action: &'static str, then: impl FnOnce(&Dialect<'_>) -> T) -> T {
    then(&Dialect {
        service: "Data Firehose",
        results: "RequestResponses",
        failures: "FailedPutCount",
        id: "RecordId",
        denied: &|| format!("allow {}", AwsStatement::allowing(action, &config.statements())),
        particular: &|code, message| particular(config, code, message),
        hidden: config.endpoint.hidden(),
    })
}

fn particular(config: &Config, code: &str, message: &str) -> Option<(Meaning, String)> {
    Some(match code {
        "ResourceNotFoundException" => (
            Meaning::Config,
            format!(
                "create the Firehose stream {} in {}, or correct `delivery_stream` or `region`",
                config.stream, config.aws.region
            ),
        ),
        // By its documentation: the throughput limits of the stream were exceeded.
        "ServiceUnavailableException" => (
            Meaning::Throttled,
            String::from("the stream takes no more for now: ask for a higher quota if this goes on"),
        ),
        "InvalidKMSResourceException" => (
            Meaning::Config,
            String::from("the KMS key that encrypts the stream cannot be used: see its state and its grants"),
        ),
        "InvalidSourceException" => (
            Meaning::Config,
            String::from(
                "the stream takes records of CloudWatch Logs only, since it decompresses them: use another one",
            ),
        ),
        // A stream that reads another stream.
        "InvalidArgumentException" if message.contains("not permitted on") => (
            Meaning::Config,
            String::from("the stream has another source: use one whose source is Direct PUT"),
        ),
        _ => return None,
    })
}
