//! What an answer means for each record of a batch.
//!
//! | answer | outcome | because |
//! |---|---|---|
//! | 200 with an item for each document, in order and of its id | a verdict for each, see below | an item of the failure store has another id: its place counts |
//! | 200 whose body is cut | too large; unclear for a single document | fewer documents have a shorter answer |
//! | any other 200 | unclear | |
//! | 401, 403, 407 | auth | |
//! | `cluster_block_exception` | unavailable | the index is read-only, a disk is full |
//! | 404, 3xx, 405, 406, 410, 411, 415, 501 and their kin; any other 2xx | config | index or URL |
//! | 413 | too large | |
//! | 429 | throttled | |
//! | 425, 503, 507 | unavailable | |
//! | 408, 500, 502, 504 and any other 5xx | unclear | sent again, what is there is recognised by its id |
//! | 400 and any other 4xx | refused | |
//!
//! | a document's status | verdict |
//! |---|---|
//! | 200, 201 with `result` `created` | stored |
//! | the same with `noop` | rejected: an ingest pipeline has dropped it |
//! | the same with `failure_store` `used` | rejected: it is in the failure store, where nobody looks for it |
//! | 409 `version_conflict_engine_exception` | stored: our own id is there already |
//! | 429, 5xx, `cluster_block_exception` | again |
//! | 401, 403 | of all: auth |
//! | 404 | of all: config, the index is missing |
//! | 400, any other 4xx | rejected: this document will never be taken |
//! | anything else | again |

use std::fmt::Write as _;

use ::http::{Response, StatusCode};
use serde_json::Value;

use super::{Config, PRIVILEGE};
use crate::destination::preset::by_status;
use crate::destination::reply::{excerpt, retry_after, summary};
use crate::destination::{Batch, Outcome, Verdict};
use crate::transport::BodyCut;

/// A pure function of the response and of the records' keys.
pub(super) fn decode(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let said = summary(response, &config.endpoint.hidden());
    if response.status() == StatusCode::OK {
        return match response.extensions().get::<BodyCut>() {
            None => items(config, batch, response),
            Some(BodyCut) if batch.records.len() > 1 => Outcome::TooLarge {
                reason: String::from("200, and the answer is longer than is kept: fewer documents at a time"),
            },
            Some(BodyCut) => Outcome::Unclear {
                reason: String::from("200, and the answer broke off"),
            },
        };
    }
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let after = retry_after(response.headers());
    if body["error"]["type"] == BLOCKED {
        return Outcome::Unavailable { after, reason: said };
    }
    let hint = |hint: &str| format!("{said} ({hint})");
    let who = format!(
        "check `auth` and its keys, and that who sends has the privilege {PRIVILEGE} on {}",
        config.index
    );
    match response.status().as_u16() {
        404 => Outcome::Config {
            reason: hint(&missing(config)),
        },
        200..=299 => Outcome::Config {
            reason: hint("is this Elasticsearch or OpenSearch? check `url`"),
        },
        status => by_status(response, &said, &who, "url").unwrap_or(Outcome::Refused {
            code: status.to_string(),
            reason: said,
        }),
    }
}

const BLOCKED: &str = "cluster_block_exception";

fn missing(config: &Config) -> String {
    format!(
        "create the index or data stream {}, or allow that it is created by the first document",
        config.index
    )
}

/// One verdict for each document, or one outcome where it is not about documents.
fn items(config: &Config, batch: &Batch<'_>, response: &Response<Vec<u8>>) -> Outcome {
    let unclear = |what: &str| Outcome::Unclear {
        reason: format!("200, but {what}"),
    };
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let Some(items) = body.get("items").and_then(Value::as_array) else {
        return unclear("the answer has no items: does something else answer there?");
    };
    if items.len() != batch.records.len() {
        return unclear("the answer has another number of items than documents were sent");
    }
    let mut verdicts = Vec::with_capacity(items.len());
    for (item, record) in items.iter().zip(batch.records) {
        let item = &item["create"];
        let Some(status) = item["status"].as_u64() else {
            return unclear("an item has no status");
        };
        if !was_redirected(item) && item["_id"].as_str() != Some(record.entry.key.to_string().as_str()) {
            return unclear("the items are not those of the documents that were sent");
        }
        match verdict(config, item, status) {
            Ok(verdict) => verdicts.push(verdict),
            Err(outcome) => return outcome,
        }
    }
    Outcome::Verdicts(verdicts)
}

/// Whether an item speaks of the document that the cluster made for its failure store, whether that took it or not: its id
/// is not ours, or there is none. Whose it is says its place, for which the ids of all others vouch.
fn was_redirected(item: &Value) -> bool {
    matches!(item["failure_store"].as_str(), Some("used" | "failed"))
}

fn verdict(config: &Config, item: &Value, status: u64) -> Result<Verdict, Outcome> {
    let kind = item["error"]["type"].as_str().unwrap_or_default();
    let failure_store = item["failure_store"].as_str().unwrap_or_default();
    let again = Verdict::Retry { after: None };
    let said = said(item, status, kind);
    Ok(match status {
        200 | 201 if failure_store == "used" => Verdict::NotKept {
            code: String::from("failure_store"),
            reason: format!(
                "{said}: it could not be indexed and is in the failure store ({}::failures) only: correct the mapping",
                config.index
            ),
        },
        200 | 201 if kind.is_empty() && item["result"] == "created" => Verdict::Stored,
        200 | 201 if kind.is_empty() && item["result"] == "noop" => Verdict::Rejected {
            code: String::from("dropped"),
            reason: format!(
                "{said}: an ingest pipeline of {} has dropped it: look for its `drop` processor",
                config.index
            ),
        },
        409 if kind == "version_conflict_engine_exception" => Verdict::Stored,
        _ if kind == BLOCKED => again,
        401 | 403 => {
            return Err(Outcome::Auth {
                reason: format!("{said} (it needs the privilege {PRIVILEGE} on {})", config.index),
            });
        }
        404 => {
            return Err(Outcome::Config {
                reason: format!("{said} ({})", missing(config)),
            });
        }
        429 | 500..=599 => again,
        400..=499 => Verdict::Rejected {
            code: match kind {
                "" => status.to_string(),
                kind => excerpt(kind.as_bytes(), &[]),
            },
            reason: said,
        },
        _ => again,
    })
}

/// Status, type and reason of one document's error.
fn said(item: &Value, status: u64, kind: &str) -> String {
    let mut said = status.to_string();
    let reasons = [
        Some(kind),
        item["error"]["reason"].as_str(),
        item["error"]["caused_by"]["reason"].as_str(),
    ];
    for reason in reasons.into_iter().flatten().filter(|reason| !reason.is_empty()) {
        // Writing to a text does not fail.
        let _ = write!(said, " {}", excerpt(reason.as_bytes(), &[]));
    }
    said
}
