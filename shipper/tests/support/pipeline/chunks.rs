//! Numbered chunks as a host hands them over, and what an honest clerk would write down about each.

use std::collections::{BTreeMap, BTreeSet};

use auditship::spool::count::Tally;
use auditship_testkit::chunk::{Layout, from_ndjson};

/// The category that ingest excludes.
pub(crate) const EXCLUDED: &str = "authentication";
/// The category that the `http` lane filters.
pub(crate) const FILTERED: &str = "web";
/// What the receiver refuses for ever is marked so.
pub(crate) const POISON: &str = "\"poison\":true";

/// The records of chunk `number`: some of every kind. None of the last chunks of a feed is poison, so that one always
/// has company.
fn lines(number: u64) -> Vec<String> {
    // Long and short ones, so that blocks end anywhere in a sector.
    let pad = "x".repeat(usize::try_from(number * 37 % 211).unwrap_or(0));
    let with_id = |id: String, category: &str, more: &str| {
        format!("{{\"event\":{{\"id\":\"{id}\",\"category\":[\"{category}\"]}}{more}}}")
    };
    let first = |number: u64| with_id(format!("c{number}-0"), "iam", "");
    let mut lines = vec![first(number)];
    if number % 5 == 3 {
        lines.push(with_id(format!("p{number}"), "iam", &format!(",{POISON}")));
    }
    lines.push(with_id(
        format!("c{number}-1"),
        "file",
        &format!(",\"pad\":\"{pad}\""),
    ));
    lines.push(format!("{{\"anonymous\":{number}}}"));
    if number % 2 == 1 {
        lines.push(with_id(format!("x{number}"), EXCLUDED, ""));
    }
    if number % 3 == 1 {
        lines.push(first(number - 1));
    }
    if number % 3 == 2 {
        lines.push(with_id(format!("c{}-0", number - 1), "iam", ",\"changed\":true"));
    }
    if number % 4 == 2 {
        lines.push(with_id(format!("w{number}"), FILTERED, ""));
    }
    lines
}

/// A byte that begins no msgpack value.
const GARBAGE: &[u8] = &[0xc1, 0xc1, 0xc1];

fn garbage(number: u64) -> &'static [u8] {
    if number % 4 == 3 { GARBAGE } else { &[] }
}

/// The bytes of chunk `number`.
pub(crate) fn bytes(number: u64) -> Vec<u8> {
    let seconds = u32::try_from(1_700_000_000 + number).expect("a small number");
    let text = lines(number).join("\n");
    let mut bytes = from_ndjson(&text, Layout::V2, seconds).expect("the lines are JSON");
    bytes.extend_from_slice(garbage(number));
    bytes
}

/// Ids of records, with how many different contents each has.
pub(crate) fn ids(chunks: impl Iterator<Item = u64>) -> BTreeMap<String, usize> {
    let mut contents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in chunks.flat_map(lines) {
        if let (Some(id), false) = (id_of(&line), line.contains(EXCLUDED)) {
            contents.entry(id).or_default().insert(line);
        }
    }
    contents
        .into_iter()
        .map(|(id, contents)| (id, contents.len()))
        .collect()
}

fn id_of(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("\"id\":\"")?;
    rest.split('"').next().map(str::to_owned)
}

/// What the spool must say of the chunks that it took, kept by the plainest means.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clerk {
    pub(crate) tally: Tally,
    /// Contents by id.
    known: BTreeMap<String, BTreeSet<String>>,
}

impl Clerk {
    /// Chunk `number` was taken.
    pub(crate) fn enter(&mut self, number: u64) {
        self.enter_records(number);
        let garbage = garbage(number);
        self.tally.undecodable_regions += u64::from(!garbage.is_empty());
        self.tally.undecodable_bytes += garbage.len() as u64;
    }

    /// The first block of chunk `number` was taken: all but what cannot be decoded.
    pub(crate) fn enter_records(&mut self, number: u64) {
        let tally = &mut self.tally;
        for line in lines(number) {
            tally.received += 1;
            if line.contains(EXCLUDED) {
                tally.excluded += 1;
                continue;
            }
            if let Some(id) = id_of(&line) {
                let contents = self.known.entry(id).or_default();
                if contents.contains(&line) {
                    tally.duplicate += 1;
                    continue;
                }
                tally.id_conflict += u64::from(!contents.is_empty());
                contents.insert(line);
            }
            tally.spooled += 1;
        }
    }
}
