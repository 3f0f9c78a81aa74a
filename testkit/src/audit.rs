//! Synthetic ECS audit records, the same for the same seed: what the audit log of a build cluster looks like.
//!
//! Sign-ins (authentication), SCIM user changes (iam) and reads, writes and deletes of a cache (file), about 8 : 2 : 90.
//! Every record has its own, increasing `event.id` and a 0-based `event.sequence`, so that a receiver can count what is
//! lost, doubled or out of order.

use std::borrow::Cow;

/// How `event.category` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Category {
    /// As plain text.
    Text,
    /// As an array, as ECS defines it.
    Array,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its time, in milliseconds since 1970.
    pub millis: u64,
    body: Node,
}

/// An endless sequence of records.
#[derive(Clone, Debug)]
pub struct Records {
    random: SplitMix,
    category: Category,
    next: u64,
    millis: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(Cow<'static, str>),
    Number(u64),
    List(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
}

const FIRST: [&str; 10] = [
    "ada", "grace", "linus", "barbara", "edsger", "tony", "donald", "frances", "ken", "radia",
];
const LAST: [&str; 10] = [
    "moore", "hill", "ito", "garcia", "novak", "okafor", "silva", "kim", "weber", "rossi",
];
const AGENTS: [&str; 4] = [
    "bazel/8.4.1",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "grpc-java-netty/1.71.0",
    "scim-client/2.3 (+https://idp.example.com)",
];
const ROLES: [&[&str]; 4] = [
    &["user"],
    &["user", "cache-writer"],
    &["admin"],
    &["global-admin", "user"],
];
const CACHE_ACTIONS: [(&str, &str); 7] = [
    ("cas-read", "access"),
    ("cas-read", "access"),
    ("cas-read", "access"),
    ("cas-write", "creation"),
    ("ac-read", "access"),
    ("ac-write", "creation"),
    ("ac-delete", "deletion"),
];
const USER_ACTIONS: [(&str, &str); 3] = [
    ("user-create", "creation"),
    ("user-update", "change"),
    ("user-delete", "deletion"),
];
/// 2026-01-01T00:00:00Z.
const START_MILLIS: u64 = 1_767_225_600_000;

impl Records {
    /// The sequence of this seed.
    pub fn new(seed: u64, category: Category) -> Self {
        Self {
            random: SplitMix(seed),
            category,
            next: 0,
            millis: START_MILLIS,
        }
    }

    fn email(&mut self, domain: &str) -> Node {
        let (first, last) = (self.random.pick(&FIRST), self.random.pick(&LAST));
        Node::text(format!("{first}.{last}@{domain}"))
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        use Node::Object;
        let sequence = self.next;
        self.next += 1;
        self.millis += 1 + self.random.below(19);
        let kind = match self.random.below(100) {
            0..8 => "authentication",
            8..10 => "iam",
            _ => "file",
        };
        let user = self.email("example.com");
        let ok = self.random.below(100) < 97;
        let category = match self.category {
            Category::Text => Node::fixed(kind),
            Category::Array => Node::List(vec![Node::fixed(kind)]),
        };
        let mut event = vec![
            ("id", Node::text(format!("{sequence:016x}"))),
            ("sequence", Node::Number(sequence)),
            ("kind", Node::fixed("event")),
            ("category", category),
            ("outcome", Node::fixed(if ok { "success" } else { "failure" })),
            ("dataset", Node::fixed("cluster.audit")),
        ];
        let roles = self
            .random
            .pick(&ROLES)
            .iter()
            .map(|role| Node::fixed(role))
            .collect();
        let mut user_fields = vec![("email", user.clone()), ("roles", Node::List(roles))];
        let (b, c, d) = (
            self.random.below(256),
            self.random.below(256),
            1 + self.random.below(253),
        );
        let ip = format!("10.{b}.{c}.{d}");
        let agent = *self.random.pick(&AGENTS);
        let host = format!("worker-{:02}", self.random.below(64));
        let mut rest = Vec::new();
        let (action, types) = match kind {
            "authentication" => {
                let pair = self
                    .random
                    .pick(&[("user-login", "start"), ("user-logout", "end")]);
                (pair.0, vec![Node::fixed(pair.1)])
            }
            "iam" => {
                let (action, change) = *self.random.pick(&USER_ACTIONS);
                let target = self.email("example.org");
                user_fields.push(("target", Object(vec![("email", target)])));
                (action, vec![Node::fixed("user"), Node::fixed(change)])
            }
            _ => {
                let (action, access) = *self.random.pick(&CACHE_ACTIONS);
                let hash = Node::text(self.random.hex(4));
                let size = Node::Number(1 + self.random.below((1 << 26) - 1));
                rest.push((
                    "file",
                    Object(vec![("hash", Object(vec![("sha256", hash)])), ("size", size)]),
                ));
                let invocation = Node::text(self.random.hex(2));
                rest.push((
                    "labels",
                    Object(vec![
                        ("invocation_id", invocation),
                        ("instance", Node::fixed("default")),
                    ]),
                ));
                (action, vec![Node::fixed(access)])
            }
        };
        event.push(("action", Node::fixed(action)));
        event.push(("type", Node::List(types)));
        if let (false, Node::Text(user)) = (ok, &user) {
            let message = format!("caller \"{user}\" may not do that: r\u{f4}le missing");
            let code = Node::fixed("PERMISSION_DENIED");
            rest.push((
                "error",
                Object(vec![("code", code), ("message", Node::text(message))]),
            ));
        }
        let mut body = vec![
            ("@timestamp", Node::text(rfc3339(self.millis))),
            ("ecs", Object(vec![("version", Node::fixed("8.17.0"))])),
            ("event", Object(event)),
            ("user", Object(user_fields)),
            ("source", Object(vec![("ip", Node::text(ip))])),
            ("user_agent", Object(vec![("original", Node::fixed(agent))])),
            ("host", Object(vec![("name", Node::text(host))])),
        ];
        body.append(&mut rest);
        Some(Record {
            millis: self.millis,
            body: Object(body),
        })
    }
}

impl Record {
    /// Appends the record as a line of JSON.
    pub fn write_line(&self, to: &mut Vec<u8>) {
        self.body.write_json(to);
        to.push(b'\n');
    }

    /// Appends the record as a Fluent Bit event (V2, without metadata).
    pub fn write_event(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&[0x92, 0x92, 0xd7, 0x00]);
        let (seconds, nanos) = (self.millis / 1_000, self.millis % 1_000 * 1_000_000);
        to.extend_from_slice(&(seconds << 32 | nanos).to_be_bytes());
        to.push(0x80);
        self.body.write_msgpack(to);
    }
}

/// Chunks of Fluent Bit events as a host hands them over: closed by the event that makes them `bytes` long or longer.
pub fn chunks(records: impl IntoIterator<Item = Record>, bytes: usize) -> Vec<Vec<u8>> {
    let mut chunks = vec![Vec::new()];
    for record in records {
        if chunks.last().is_some_and(|chunk| chunk.len() >= bytes) {
            chunks.push(Vec::new());
        }
        if let Some(chunk) = chunks.last_mut() {
            record.write_event(chunk);
        }
    }
    chunks
}

impl Node {
    fn text(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    fn fixed(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    fn write_json(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_json_text(text, to),
            Self::Number(number) => to.extend_from_slice(number.to_string().as_bytes()),
            Self::List(nodes) => {
                to.push(b'[');
                for (place, node) in nodes.iter().enumerate() {
                    if place > 0 {
                        to.push(b',');
                    }
                    node.write_json(to);
                }
                to.push(b']');
            }
            Self::Object(members) => {
                to.push(b'{');
                for (place, (name, node)) in members.iter().enumerate() {
                    if place > 0 {
                        to.push(b',');
                    }
                    write_json_text(name, to);
                    to.push(b':');
                    node.write_json(to);
                }
                to.push(b'}');
            }
        }
    }

    fn write_msgpack(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_msgpack_text(text, to),
            Self::Number(number) => match *number {
                0..=0x7f => to.push(number.to_be_bytes()[7]),
                0x80..=0xff => to.extend_from_slice(&[0xcc, number.to_be_bytes()[7]]),
                0x100..=0xffff => write_msgpack_head(0xcd, &number.to_be_bytes()[6..], to),
                0x1_0000..=0xffff_ffff => write_msgpack_head(0xce, &number.to_be_bytes()[4..], to),
                _ => write_msgpack_head(0xcf, &number.to_be_bytes(), to),
            },
            // No record has more than fifteen entries at any place.
            Self::List(nodes) => {
                to.push(0x90 | nodes.len().to_be_bytes()[7]);
                nodes.iter().for_each(|node| node.write_msgpack(to));
            }
            Self::Object(members) => {
                to.push(0x80 | members.len().to_be_bytes()[7]);
                for (name, node) in members {
                    write_msgpack_text(name, to);
                    node.write_msgpack(to);
                }
            }
        }
    }
}

/// No text of ours holds a control character.
fn write_json_text(text: &str, to: &mut Vec<u8>) {
    to.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            to.push(b'\\');
        }
        to.push(byte);
    }
    to.push(b'"');
}

fn write_msgpack_head(marker: u8, number: &[u8], to: &mut Vec<u8>) {
    to.push(marker);
    to.extend_from_slice(number);
}

/// No text of ours is longer than 255 bytes.
fn write_msgpack_text(text: &str, to: &mut Vec<u8>) {
    let len = text.len().to_be_bytes()[7];
    if len < 32 {
        to.push(0xa0 | len);
    } else {
        to.extend_from_slice(&[0xd9, len]);
    }
    to.extend_from_slice(text.as_bytes());
}

/// Milliseconds since 1970 as RFC 3339 in UTC, for 2026 to 2099.
fn rfc3339(millis: u64) -> String {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    // Days since 2024-01-01, which begins a cycle of four years: 1461 days, the first year being the leap year.
    let days = days - 19_723;
    let (cycle, day) = (days / 1_461, days % 1_461);
    let (year, mut day) = if day < 366 {
        (0, day)
    } else {
        (1 + (day - 366) / 365, (day - 366) % 365)
    };
    let february = if year == 0 { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!(
        "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        2024 + cycle * 4 + year,
        day + 1,
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1_000 % 60,
        of_day % 1_000
    )
}

/// SplitMix64: small, good enough for test data, the same everywhere.
#[derive(Clone, Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let place = self.below(from.len() as u64);
        &from[usize::try_from(place).unwrap_or(0)]
    }

    fn hex(&mut self, words: usize) -> String {
        (0..words).map(|_| format!("{:016x}", self.next())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (millis, text) in [
            (START_MILLIS, "2026-01-01T00:00:00.000Z"),
            (1_772_323_199_999, "2026-02-28T23:59:59.999Z"),
            (1_772_323_200_000, "2026-03-01T00:00:00.000Z"),
            (1_835_395_200_000, "2028-02-29T00:00:00.000Z"),
            (1_861_919_999_000, "2028-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(millis), text);
        }
    }

    #[test]
    fn records_are_json_in_the_shape_of_an_audit_log() {
        let mut shares = [0; 3];
        for (sequence, record) in Records::new(1, Category::Array).take(5_000).enumerate() {
            let mut line = Vec::new();
            record.write_line(&mut line);
            let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(json["event"]["id"], format!("{sequence:016x}"));
            assert_eq!(json["event"]["sequence"], sequence);
            assert_eq!(json["error"].is_object(), json["event"]["outcome"] == "failure");
            let kinds = ["authentication", "iam", "file"];
            let kind = kinds
                .iter()
                .position(|kind| json["event"]["category"][0] == *kind)
                .unwrap();
            shares[kind] += 1;
        }
        assert!(
            (300..500).contains(&shares[0]) && (50..150).contains(&shares[1]),
            "{shares:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_records() {
        let of = |seed| chunks(Records::new(seed, Category::Text).take(100), 10_000);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(1).len() > 3 && of(1).iter().rev().skip(1).all(|chunk| chunk.len() >= 10_000));
    }
}
