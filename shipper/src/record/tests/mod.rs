//! Tests of records: tables from the msgpack specification and the documented mappings, properties against references
//! that were written apart, hostile input.

mod event;
mod hostile;
mod mapping;
mod ndjson;
mod property;

use super::*;

/// What one run over an input gave.
pub(super) struct Run {
    pub(super) steps: Vec<Step>,
    pub(super) out: Vec<u8>,
    /// Each record's JSON.
    pub(super) records: Vec<String>,
}

/// Runs over a whole input and checks what holds for every one: progress, no byte unaccounted for, valid JSON.
pub(super) fn run_with(settings: &Settings, source: SourceFormat, input: &[u8]) -> Run {
    let mut transcoder = Transcoder::new(settings);
    let mut at = Position::default();
    let mut run = Run {
        steps: Vec::new(),
        out: Vec::new(),
        records: Vec::new(),
    };
    loop {
        let (before, start) = (at.offset, run.out.len());
        let step = transcoder.next(source, input, &mut at, &mut run.out);
        let json = &run.out[start..];
        match &step {
            Step::End => {
                assert_eq!(at.offset, input.len());
                assert!(json.is_empty());
                assert_eq!(transcoder.next(source, input, &mut at, &mut run.out), Step::End);
                return run;
            }
            Step::Record(meta) => {
                assert!(json.len() <= settings.max_record_bytes);
                let text = std::str::from_utf8(json).unwrap();
                let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(text) {
                    Ok(object) => object,
                    // The grammar allows numbers that no float holds; serde_json does not.
                    Err(error) if source == SourceFormat::Ndjson && error.to_string().contains("range") => {
                        serde_json::from_str::<serde::de::IgnoredAny>(text).unwrap();
                        serde_json::Map::new()
                    }
                    Err(error) => panic!("{error}: {text}"),
                };
                assert!(
                    object.is_empty() || object.len() == meta.members,
                    "a repeated name: {text}"
                );
                assert!(!object.contains_key("auditship"));
                run.records.push(text.to_owned());
            }
            Step::GroupMarker => assert!(json.is_empty()),
            Step::Undecodable { region, line, .. } => {
                assert!(json.is_empty());
                assert_eq!(line.is_some(), source == SourceFormat::Ndjson);
                assert!(region.start >= before && region.end <= at.offset && !region.is_empty());
                if source == SourceFormat::FluentBit {
                    assert_eq!(*region, before..at.offset);
                }
            }
        }
        assert!(at.offset > before);
        run.steps.push(step);
    }
}

pub(super) fn run(source: SourceFormat, input: &[u8]) -> Run {
    run_with(&Settings::default(), source, input)
}

/// A V1 event at second 7 with this body.
pub(super) fn event(body: &[u8]) -> Vec<u8> {
    [&[0x92, 7], body].concat()
}

/// The JSON and the findings of a chunk that is one event with this body.
pub(super) fn one(body: &[u8]) -> (String, Meta, Vec<u8>) {
    let mut run = run(SourceFormat::FluentBit, &event(body));
    match (run.steps.pop(), run.steps.pop(), run.records.pop()) {
        (Some(Step::Record(meta)), None, Some(json)) => (json, meta, run.out),
        other => panic!("{other:?}"),
    }
}

/// The JSON of a value that stands in a map at `k`.
pub(super) fn value(msgpack: &[u8]) -> String {
    let (json, _, _) = one(&[&[0x81, 0xa1, b'k'], msgpack].concat());
    let inside = json
        .strip_prefix(r#"{"k":"#)
        .and_then(|json| json.strip_suffix('}'));
    inside.unwrap().to_owned()
}

/// A short msgpack str.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmp::encode::write_str(&mut bytes, text).unwrap();
    bytes
}

/// A msgpack map of members that are msgpack already.
pub(super) fn map(members: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmp::encode::write_map_len(&mut bytes, u32::try_from(members.len()).unwrap()).unwrap();
    for (key, value) in members {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
    }
    bytes
}
