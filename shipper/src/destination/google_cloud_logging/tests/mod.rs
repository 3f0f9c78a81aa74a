mod configuration;
mod contract;
mod decoding;
mod entries;
mod numbers;
mod vm;

use ::http::Response;

use super::*;
use crate::config::Environment;
use crate::destination::config::ConfigError;
use crate::destination::contract::Lines;
use crate::destination::{Attempt, KindConfig};
use crate::time::Timestamp;

const PROJECT: &str = "project_id = \"audit-project\"\n";

fn parse_in(keys: &str, environment: &Environment) -> Result<Config, ConfigError> {
    match KindConfig::from_table(KIND, keys.parse().unwrap(), environment)? {
        KindConfig::GoogleCloudLogging(config) => Ok(*config),
        other => panic!("{other:?}"),
    }
}

fn parse(keys: &str) -> Result<Config, ConfigError> {
    parse_in(&format!("{PROJECT}{keys}"), &Environment::empty())
}

fn logging(keys: &str) -> GoogleCloudLogging {
    GoogleCloudLogging::new(&parse(keys).unwrap(), "audit-project", DEFAULT_UNIVERSE).unwrap()
}

/// The request for `lines`.
fn request(logging: &GoogleCloudLogging, lines: &[&str]) -> Request<Vec<u8>> {
    let lines = Lines::new(lines.iter().map(|line| line.as_bytes().to_vec()));
    let attempt = crate::destination::contract::attempt(logging, &lines);
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    logging.encode(&batch, &Context::at(Timestamp(0))).unwrap()
}

/// Its body, as JSON.
fn sent(logging: &GoogleCloudLogging, lines: &[&str]) -> serde_json::Value {
    serde_json::from_slice(request(logging, lines).body()).unwrap()
}

/// The entry of one record.
fn entry(keys: &str, line: &str) -> serde_json::Value {
    sent(&logging(keys), &[line])["entries"][0].take()
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Vec<u8>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.as_bytes().to_vec()).unwrap()
}

/// What an answer to a request of three records says.
fn decoded(keys: &str, response: &Response<Vec<u8>>) -> Outcome {
    let lines = Lines::new([b"{}".to_vec(), b"{}".to_vec(), b"{}".to_vec()]);
    let logging = logging(keys);
    // The records are of 1970.
    let attempt = Attempt {
        made_at: Timestamp(0),
        ..crate::destination::contract::attempt(&logging, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    logging.decode(&batch, response)
}
