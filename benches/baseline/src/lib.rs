//! What reading msgpack and writing JSON costs with the usual crates, for the benchmark of ingest.
//!
//! Both ways are given the bodies of the events: they need not read headers, and find no categories, ids, repeated names
//! or times.

use std::error::Error;
use std::io::Cursor;

use serde::Deserialize as _;
use serde::de::IgnoredAny;

/// How many bytes the header of a V2 event with an EventTime and without metadata has.
const HEADER: usize = 13;

/// The bodies of a chunk of such events. Not part of what is measured.
pub fn bodies(chunk: &[u8]) -> Result<Vec<&[u8]>, Box<dyn Error>> {
    let mut rest = chunk;
    let mut bodies = Vec::new();
    while let Some(body) = rest.get(HEADER..) {
        let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(body));
        IgnoredAny::deserialize(&mut deserializer)?;
        let (body, after) = body.split_at(usize::try_from(deserializer.position())?);
        bodies.push(body);
        rest = after;
    }
    Ok(bodies)
}

/// rmp-serde into a `serde_json::Value`, and that out again.
pub fn through_a_tree(bodies: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    for body in bodies {
        let value: serde_json::Value = rmp_serde::from_slice(body)?;
        out.extend_from_slice(&serde_json::to_vec(&value)?);
        out.push(b'\n');
    }
    Ok(())
}

/// rmp-serde streamed into serde_json, without a tree.
pub fn streamed(bodies: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    for body in bodies {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(*body);
        serde_transcode::transcode(&mut deserializer, &mut serde_json::Serializer::new(&mut *out))?;
        out.push(b'\n');
    }
    Ok(())
}
