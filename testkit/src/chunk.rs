//! Records as a host hands them over: msgpack values one after another, made from lines of JSON.
//!
//! The order of members, and numbers as they are written (integers, floats), are kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The two forms of a record in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layout {
    /// `[TIME, BODY]`: hosts before 2.1.
    V1,
    /// `[[TIME, METADATA], BODY]`: hosts from 2.1 on.
    V2,
}

/// A chunk of the given lines, each record with the time `seconds` and as many nanoseconds as it has lines before it.
///
/// # Errors
/// The first line that is not JSON, with its number from 1.
pub fn from_ndjson(
    ndjson: &str,
    layout: Layout,
    seconds: u32,
) -> Result<Vec<u8>, (usize, serde_json::Error)> {
    let mut out = Vec::with_capacity(ndjson.len());
    for (index, line) in ndjson
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let nanos = u32::try_from(index).unwrap_or(u32::MAX);
        record(line, layout, seconds, nanos, &mut out).map_err(|why| (index + 1, why))?;
    }
    Ok(out)
}

/// Appends the record of one JSON text.
///
/// # Errors
/// The text is not JSON; `out` holds a part of the record then.
pub fn record(
    json: &str,
    layout: Layout,
    seconds: u32,
    nanos: u32,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    out.push(0x92);
    match layout {
        Layout::V1 => time(seconds, nanos, out),
        Layout::V2 => {
            out.push(0x92);
            time(seconds, nanos, out);
            out.push(0x80);
        }
    }
    let mut json = serde_json::Deserializer::from_str(json);
    ToMsgpack(out).deserialize(&mut json)?;
    json.end()
}

/// The host's own time: ext 0 with big-endian seconds and nanoseconds.
fn time(seconds: u32, nanos: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xd7, 0x00]);
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanos.to_be_bytes());
}

/// Writes what it is deserialised from.
struct ToMsgpack<'a>(&'a mut Vec<u8>);

/// Writing into memory does not fail.
fn written<T, E>(result: Result<T, E>) {
    debug_assert!(result.is_ok());
}

impl<'de> DeserializeSeed<'de> for ToMsgpack<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ToMsgpack<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        written(rmp::encode::write_nil(self.0));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        written(rmp::encode::write_bool(self.0, value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        written(rmp::encode::write_sint(self.0, value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        written(rmp::encode::write_uint(self.0, value));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        written(rmp::encode::write_f64(self.0, value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        written(rmp::encode::write_str(self.0, value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut inner = Vec::new();
        let mut count = 0;
        while items.next_element_seed(ToMsgpack(&mut inner))?.is_some() {
            count += 1;
        }
        written(rmp::encode::write_array_len(self.0, count));
        self.0.append(&mut inner);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut inner = Vec::new();
        let mut count = 0;
        while members.next_key_seed(ToMsgpack(&mut inner))?.is_some() {
            members.next_value_seed(ToMsgpack(&mut inner))?;
            count += 1;
        }
        written(rmp::encode::write_map_len(self.0, count));
        self.0.append(&mut inner);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_by_hand() {
        // By the msgpack specification: fixarray 0x9n, fixmap 0x8n, fixstr 0xan, fixext8 0xd7.
        let v1 = from_ndjson("{\"a\":1}\n", Layout::V1, 2).unwrap();
        assert_eq!(v1, [0x92, 0xd7, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0x81, 0xa1, b'a', 1]);
        let v2 = from_ndjson("\n{\"a\":-1}", Layout::V2, 2).unwrap();
        assert_eq!(
            v2,
            [
                0x92, 0x92, 0xd7, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0x80, 0x81, 0xa1, b'a', 0xff
            ]
        );
    }

    #[test]
    fn the_order_of_members_and_every_kind_are_kept() {
        let mut out = Vec::new();
        record(r#"{"z":[null,true,1.5],"a":{}}"#, Layout::V1, 0, 0, &mut out).unwrap();
        let body = &out[11..];
        let float = 1.5_f64.to_be_bytes();
        let mut expected = vec![0x82, 0xa1, b'z', 0x93, 0xc0, 0xc3, 0xcb];
        expected.extend_from_slice(&float);
        expected.extend_from_slice(&[0xa1, b'a', 0x80]);
        assert_eq!(body, expected);
    }

    #[test]
    fn a_line_that_is_not_json_is_named() {
        assert_eq!(from_ndjson("{}\n{\n", Layout::V2, 0).unwrap_err().0, 2);
    }
}
