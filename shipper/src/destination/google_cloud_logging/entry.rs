//! One record as a `LogEntry`. Pure.

use super::envelope::Envelope;
use super::fields::Field;
use super::http_request;
use super::payload::{self, Sink, sized};
use super::severity::Severities;
use crate::destination::Record;

/// What is the same for every entry of a destination.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) envelope: Envelope,
    pub(super) severities: Severities,
    /// What log name, resource and labels add to the API's form of each entry, at most.
    pub(super) shared_weight: u64,
}

/// Tags, lengths and values of severity, timestamps and what the API adds of its own, at most.
const FIXED_WEIGHT: u64 = 128;

impl Shape {
    /// Writes the entry of `record`; returns an upper bound of its weight in the API's own form.
    pub(super) fn write(&self, record: &Record<'_>, sink: &mut impl Sink) -> u64 {
        sink.put(b"{\"jsonPayload\":");
        sink.put(&self.envelope.before);
        let scanned = payload::write(record.json, sink);
        sink.put(&self.envelope.after);
        let found = &scanned.found;
        let mut http = Measured { sink, put: 0 };
        http_request::write(found, &mut http);
        let http_weight = http.put;
        sink.put(b",\"severity\":\"");
        sink.put(self.severities.of(found.text(Field::Outcome)).as_bytes());
        // The record's key, by which the API recognises one that comes again.
        sink.put(b"\",\"insertId\":\"");
        sink.put(record.entry.key.to_string().as_bytes());
        sink.put(b"\",\"timestamp\":\"");
        sink.put(record.entry.time.to_rfc3339().as_bytes());
        sink.put(b"\"}");
        // JSON's names and quotes weigh more than tags and lengths, where each field has a name.
        sized(self.envelope.weight + scanned.weight) + http_weight + self.shared_weight + FIXED_WEIGHT
    }
}

/// Counts what goes through it.
struct Measured<'a, S: Sink> {
    sink: &'a mut S,
    put: u64,
}

impl<S: Sink> Sink for Measured<'_, S> {
    fn put(&mut self, bytes: &[u8]) {
        self.put += bytes.len() as u64;
        self.sink.put(bytes);
    }
}
