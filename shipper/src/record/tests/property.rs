//! Random values against a second, slow conversion that shares no code with the first; random bytes against the
//! invariants.

use std::collections::HashSet;

use base64::Engine as _;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

/// A msgpack value as a tree.
#[derive(Clone, Debug)]
enum Value {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Str(Vec<u8>),
    Bin(Vec<u8>),
    Ext(i8, Vec<u8>),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

/// Which of the formats that can hold a value is taken.
#[derive(Clone, Copy, Debug)]
enum Width {
    Shortest,
    Longest,
}

fn encode(value: &Value, width: Width, to: &mut Vec<u8>) {
    use rmp::encode as e;
    let len32 = |marker: u8, len: usize, to: &mut Vec<u8>| {
        to.push(marker);
        to.extend_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
    };
    let len = |len: usize| u32::try_from(len).unwrap();
    match (value, width) {
        (Value::Nil, _) => to.push(0xc0),
        (Value::Bool(value), _) => e::write_bool(to, *value).unwrap(),
        (Value::Unsigned(number), Width::Shortest) => drop(e::write_uint(to, *number).unwrap()),
        (Value::Unsigned(number), Width::Longest) => e::write_u64(to, *number).unwrap(),
        (Value::Signed(number), Width::Shortest) => drop(e::write_sint(to, *number).unwrap()),
        (Value::Signed(number), Width::Longest) => e::write_i64(to, *number).unwrap(),
        (Value::F32(number), _) => e::write_f32(to, *number).unwrap(),
        (Value::F64(number), _) => e::write_f64(to, *number).unwrap(),
        (Value::Str(bytes), _) => {
            match width {
                Width::Shortest => drop(e::write_str_len(to, len(bytes.len())).unwrap()),
                Width::Longest => len32(0xdb, bytes.len(), to),
            }
            to.extend_from_slice(bytes);
        }
        (Value::Bin(bytes), _) => {
            match width {
                Width::Shortest => drop(e::write_bin_len(to, len(bytes.len())).unwrap()),
                Width::Longest => len32(0xc6, bytes.len(), to),
            }
            to.extend_from_slice(bytes);
        }
        (Value::Ext(kind, bytes), _) => {
            match width {
                Width::Shortest => drop(e::write_ext_meta(to, len(bytes.len()), *kind).unwrap()),
                Width::Longest => {
                    len32(0xc9, bytes.len(), to);
                    to.extend_from_slice(&kind.to_be_bytes());
                }
            }
            to.extend_from_slice(bytes);
        }
        (Value::Array(values), _) => {
            match width {
                Width::Shortest => drop(e::write_array_len(to, len(values.len())).unwrap()),
                Width::Longest => len32(0xdd, values.len(), to),
            }
            values.iter().for_each(|value| encode(value, width, to));
        }
        (Value::Map(members), _) => {
            match width {
                Width::Shortest => drop(e::write_map_len(to, len(members.len())).unwrap()),
                Width::Longest => len32(0xdf, members.len(), to),
            }
            for (key, value) in members {
                encode(key, width, to);
                encode(value, width, to);
            }
        }
    }
}

/// The reference: the documented mappings, written down a second time without a thought for speed.
fn reference(value: &Value, outermost: bool) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    match value {
        Value::Nil => String::from("null"),
        Value::Bool(value) => value.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        // serde_json writes null for what is not finite.
        Value::F32(number) => serde_json::to_string(number).unwrap(),
        Value::F64(number) => serde_json::to_string(number).unwrap(),
        Value::Str(bytes) => quoted(&String::from_utf8_lossy(bytes)),
        Value::Bin(bytes) => quoted(&base64(bytes)),
        Value::Ext(kind, bytes) => format!(r#"{{"type":{kind},"data":{}}}"#, quoted(&base64(bytes))),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| reference(value, false)).collect();
            format!("[{}]", values.join(","))
        }
        Value::Map(members) => {
            let mut taken = HashSet::new();
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    let json = reference(key, false);
                    let mut name: String = serde_json::from_str(&json).unwrap_or(json);
                    if outermost && name == "auditship" {
                        name = String::from("auditship_original");
                    }
                    let mut unique = name.clone();
                    let mut number = 2;
                    while !taken.insert(unique.clone()) {
                        unique = format!("{name}#{number}");
                        number += 1;
                    }
                    format!("{}:{}", quoted(&unique), reference(value, false))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// All categories by name that stand at a path, however its dots are taken.
fn reference_categories(value: &Value, path: &str, found: &mut HashSet<String>) {
    let Value::Map(members) = value else { return };
    for (key, value) in members {
        let json = reference(key, false);
        let name: String = serde_json::from_str(&json).unwrap_or(json);
        let mut see = |value: &Value| match value {
            Value::Nil => {}
            // They become `null`: what counts is the record as it is kept, whichever way it came.
            Value::F32(number) if !number.is_finite() => {}
            Value::F64(number) if !number.is_finite() => {}
            Value::Str(text) => {
                let name = String::from_utf8_lossy(text).into_owned();
                let known = Categories::from_name(&name).map(|known| known.to_string());
                found.insert(known.unwrap_or_else(|| String::from("unknown")));
            }
            _ => drop(found.insert(String::from("unknown"))),
        };
        if name == path {
            match value {
                Value::Array(values) => values.iter().for_each(see),
                other => see(other),
            }
        } else if let Some(rest) = path.strip_prefix(&format!("{name}.")) {
            reference_categories(value, rest, found);
        }
    }
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z]{0,12}".prop_map(String::into_bytes),
        2 => "\\PC{0,20}".prop_map(String::into_bytes),
        2 => prop::sample::select(vec![
            "event", "id", "category", "event.id", "event.category", "@timestamp", "auditship", "auditship_original", "a", "a#2",
            "iam", "web", "auth", "",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(0_u8..0x30, 0..20),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(Value::Unsigned),
        (0_u64..300).prop_map(Value::Unsigned),
        (i64::MIN..0).prop_map(Value::Signed),
        (-300_i64..0).prop_map(Value::Signed),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        any_text().prop_map(Value::Str),
        any_text().prop_map(Value::Str),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bin),
        (0_i8..=i8::MAX, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(kind, data)| Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(5, 60, 24, |inner| {
        let key = prop_oneof![8 => any_text().prop_map(Value::Str), 1 => inner.clone()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..24).prop_map(Value::Map),
        ]
    })
}

/// Bytes that look like msgpack more often than random ones do.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (0x80_u8..=0xdf).prop_map(|byte| vec![byte]),
        Just(vec![0x92, 0x92, 0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 0, 0x80]),
        Just(vec![0x92, 7, 0x82]),
        Just(vec![0xa1, b'k']),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any_text().prop_map(|text| Json::from(String::from_utf8_lossy(&text))),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let key = any_text().prop_map(|text| String::from_utf8_lossy(&text).into_owned());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn msgpack_becomes_what_the_reference_says(
        body in any_value(),
        width in prop_oneof![Just(Width::Shortest), Just(Width::Longest)],
    ) {
        let mut bytes = Vec::new();
        encode(&body, width, &mut bytes);
        let (json, meta, _) = one(&bytes);
        match &body {
            Value::Map(_) => {
                prop_assert_eq!(json, reference(&body, true));
                let mut expected = HashSet::new();
                reference_categories(&body, "event.category", &mut expected);
                let found = meta.categories.to_string();
                let found = found.split(',').filter(|name| !name.is_empty()).map(String::from).collect();
                prop_assert_eq!(expected, found);
            }
            other => prop_assert_eq!(json, format!(r#"{{"message":{}}}"#, reference(other, false))),
        }
    }

    #[test]
    fn any_bytes_are_accounted_for(bytes in any_bytes(), small in any::<bool>()) {
        let mut settings = Settings::default();
        if small {
            settings.max_depth = 3;
            settings.max_record_bytes = 40;
        }
        // `run_with` asserts the invariants.
        run_with(&settings, SourceFormat::FluentBit, &bytes);
        run_with(&settings, SourceFormat::Ndjson, &bytes);
        let mut from = 0;
        while let Some(at) = resync(&bytes, from) {
            prop_assert!(at >= from && at < bytes.len());
            from = at + 1;
        }
    }

    #[test]
    fn a_change_of_one_byte_spoils_no_event_before_it(
        bodies in prop::collection::vec(any_value(), 1..4),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut chunk = Vec::new();
        let mut ends = Vec::new();
        for body in &bodies {
            let mut bytes = Vec::new();
            encode(body, Width::Shortest, &mut bytes);
            chunk.extend_from_slice(&event(&bytes));
            ends.push(chunk.len());
        }
        let whole = run(SourceFormat::FluentBit, &chunk);
        let place = place.index(chunk.len());
        chunk[place] = byte;
        let changed = run(SourceFormat::FluentBit, &chunk);
        let before = ends.iter().filter(|end| **end <= place).count();
        prop_assert_eq!(&changed.records[..before], &whole.records[..before]);
    }

    #[test]
    fn lines_of_json_are_kept(value in any_json(), blanks in any::<bool>()) {
        let line = if blanks {
            // Indented JSON with its line ends made white space of another kind.
            serde_json::to_string_pretty(&value).unwrap().replace('\n', "\t \r")
        } else {
            serde_json::to_string(&value).unwrap()
        };
        let run = run(SourceFormat::Ndjson, line.as_bytes());
        prop_assert_eq!(run.records.len(), 1);
        match &value {
            serde_json::Value::Object(members) if members.contains_key("auditship") => {
                let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&run.records[0]).unwrap();
                prop_assert_eq!(read.len(), members.len());
            }
            serde_json::Value::Object(_) => prop_assert_eq!(&run.records[0], &line),
            _ => prop_assert_eq!(&run.records[0], &format!(r#"{{"message":{line}}}"#)),
        }
    }

    #[test]
    fn what_is_json_is_decided_as_serde_json_does(
        value in any_json(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(
            b"\"\\{}[]:,0123456789eE+-.truefalsn u\tbd8\x00\xff".to_vec(),
        )), 0..4),
    ) {
        let mut line = serde_json::to_vec(&value).unwrap();
        for (place, byte) in edits {
            let place = place.index(line.len());
            line[place] = byte;
        }
        let repaired = String::from_utf8_lossy(&line);
        let is_json = serde_json::from_str::<IgnoredAny>(&repaired).is_ok();
        let is_blank = repaired.bytes().all(|byte| byte.is_ascii_whitespace());
        let run = run(SourceFormat::Ndjson, &line);
        prop_assert_eq!(run.records.len(), usize::from(is_json && !is_blank), "{}", repaired);
    }
}
