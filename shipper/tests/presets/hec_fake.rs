//! Splunk's HTTP Event Collector on loopback, by its documentation: one or several indexers behind a load balancer.
//!
//! Strict where the real one is (token, channel, index, size, what an event is), and with the faults that a test asks for.
//! What it takes it has only taken; a record is *indexed* once its acknowledgement is ready.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use auditship_testkit::receiver::{Received, Reply};
use serde_json::{Value, json};

use super::fake::{self, Fake};

/// What becomes of acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    /// The token has no indexer acknowledgement.
    Off,
    /// Ready at the so-and-so-manieth question.
    After(u32),
    /// Never ready.
    Never,
    /// The first so many are lost with what they stand for, as when an indexer dies; then they are ready at once.
    Lost(u32),
}

/// How requests find an indexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    /// The next one gets the next request.
    RoundRobin,
    /// A cookie keeps them together.
    Sticky,
    /// Records find the first, and questions the second.
    Astray,
}

/// How it is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) acks: Acks,
    pub(crate) indexers: usize,
    pub(crate) balance: Balance,
    /// The most bytes of a body.
    pub(crate) max_content_length: usize,
    /// Answered before anything else, one after another: status, code, text.
    pub(crate) first: VecDeque<(u16, u32, &'static str)>,
    /// An event with this in it is refused for its indexed fields (code 15).
    pub(crate) poison: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            acks: Acks::After(1),
            indexers: 1,
            balance: Balance::Sticky,
            max_content_length: 1_000_000,
            first: VecDeque::new(),
            poison: "\"poison\":true",
        }
    }
}

/// What is known of it.
#[derive(Default)]
pub(crate) struct Store {
    /// How often each record was taken, by its number.
    pub(crate) taken: BTreeMap<u64, u32>,
    /// The records that an acknowledgement has said to be indexed.
    pub(crate) acknowledged: BTreeSet<u64>,
    /// How often acknowledgements were asked for.
    pub(crate) questions: u32,
    /// The records that stood in front of an event that was refused: indexed, though the answer was a refusal.
    pub(crate) in_front: BTreeSet<u64>,
    /// Bodies of data that were taken.
    pub(crate) batches: u32,
    /// The most batches whose acknowledgement was open at a time.
    pub(crate) most_open: usize,
    indexers: Vec<Indexer>,
    next: usize,
    lost: u32,
    setup: Setup,
}

/// Each has its channels for itself.
#[derive(Default)]
struct Indexer {
    channels: BTreeMap<String, Channel>,
}

#[derive(Default)]
struct Channel {
    next: u64,
    open: BTreeMap<u64, Open>,
}

/// Of a body in which an event is not taken. What stands in front of that has been passed on by then.
struct Refusal {
    in_front: Vec<u64>,
    reply: Reply,
}

struct Open {
    records: Vec<u64>,
    asked: u32,
    lost: bool,
}

pub(crate) const TOKEN: &str = "00000000-1111-2222-3333-444444444444";

fn answer(status: u16, body: &Value, cookie: Option<usize>) -> Reply {
    let cookie = cookie.map(|place| ("Set-Cookie", format!("AWSALB=indexer{place}; Path=/; HttpOnly")));
    fake::json(status, cookie.as_slice(), body)
}

fn code(status: u16, code: u32, text: &str) -> Reply {
    answer(status, &json!({ "text": text, "code": code }), None)
}

fn at(code: u32, text: &str, number: usize) -> Reply {
    let body = json!({ "text": text, "code": code, "invalid-event-number": number });
    answer(400, &body, None)
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.concat().chars().all(|found| found.is_ascii_hexdigit())
}

impl Store {
    fn reply(&mut self, request: &Received) -> Reply {
        match request.header("authorization") {
            None => return code(401, 2, "Token is required"),
            Some(given) => match given.strip_prefix("Splunk ") {
                None => return code(401, 3, "Invalid authorization"),
                Some(TOKEN) => {}
                Some(_) => return code(403, 4, "Invalid token"),
            },
        }
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let raw = path == "/services/collector/raw";
        match (request.method.as_str(), path) {
            ("POST", "/services/collector/event" | "/services/collector/raw") => {}
            ("POST", "/services/collector/ack") => return self.acknowledge(request),
            _ => return Reply::Status(404),
        }
        if request.body.is_empty() {
            return code(400, 5, "No data");
        }
        if let Some((status, number, text)) = self.setup.first.pop_front() {
            return code(status, number, text);
        }
        if request.plain.len() > self.setup.max_content_length {
            return Reply::text(413, "<html>Content-Length too large</html>");
        }
        let channel = request.header("x-splunk-request-channel").unwrap_or_default();
        if self.setup.acks != Acks::Off || raw {
            if channel.is_empty() {
                return code(400, 10, "Data channel is missing");
            }
            if !is_guid(channel) {
                return code(400, 11, "Invalid data channel");
            }
        }
        let events = match raw {
            true => raw_events(&request.plain, query),
            false => self.events(&request.plain),
        };
        match events {
            Err(refusal) => {
                self.count(&refusal.in_front);
                self.in_front.extend(refusal.in_front);
                refusal.reply
            }
            Ok(records) => self.take(records, channel),
        }
    }

    /// One event after the other, up to the first that is refused.
    fn events(&self, body: &[u8]) -> Result<Vec<u64>, Refusal> {
        let mut in_front = Vec::new();
        for (number, event) in serde_json::Deserializer::from_slice(body)
            .into_iter::<Value>()
            .enumerate()
        {
            match self.event(event, number) {
                Ok(seq) => in_front.push(seq),
                Err(reply) => return Err(Refusal { in_front, reply }),
            }
        }
        Ok(in_front)
    }

    fn event(&self, event: serde_json::Result<Value>, number: usize) -> Result<u64, Reply> {
        let Ok(Value::Object(event)) = event else {
            return Err(at(6, "Invalid data format", number));
        };
        let known = ["time", "host", "source", "sourcetype", "index", "event", "fields"];
        if event.keys().any(|key| !known.contains(&key.as_str())) {
            return Err(at(6, "Invalid data format", number));
        }
        if event.get("index").is_some_and(|index| index != "audit") {
            return Err(at(7, "Incorrect index", number));
        }
        if !event["time"].is_number() {
            return Err(at(6, "Invalid data format", number));
        }
        match event.get("event") {
            None => Err(at(12, "Event field is required", number)),
            Some(Value::String(text)) if text.is_empty() => {
                Err(at(13, "Event field cannot be blank", number))
            }
            Some(record) if record.to_string().contains(self.setup.poison) => {
                Err(at(15, "Error in handling indexed fields", number))
            }
            Some(record) => Ok(record["auditship"]["seq"].as_u64().expect("a number")),
        }
    }

    fn count(&mut self, records: &[u64]) {
        for seq in records {
            *self.taken.entry(*seq).or_default() += 1;
        }
    }

    fn take(&mut self, records: Vec<u64>, channel: &str) -> Reply {
        self.count(&records);
        self.batches += 1;
        if self.setup.acks == Acks::Off {
            return code(200, 0, "Success");
        }
        let place = match self.setup.balance {
            Balance::Astray => 0,
            Balance::RoundRobin | Balance::Sticky => self.next % self.setup.indexers,
        };
        self.next += 1;
        let lost = matches!(self.setup.acks, Acks::Lost(first) if self.lost < first);
        self.lost += u32::from(lost);
        let slot = self.indexers[place]
            .channels
            .entry(channel.to_owned())
            .or_default();
        let id = slot.next;
        slot.next += 1;
        slot.open.insert(
            id,
            Open {
                records,
                asked: 0,
                lost,
            },
        );
        let open = self.indexers.iter().flat_map(|indexer| indexer.channels.values());
        self.most_open = self.most_open.max(open.map(|channel| channel.open.len()).sum());
        let cookie = (self.setup.balance == Balance::Sticky).then_some(place);
        answer(200, &json!({ "text": "Success", "code": 0, "ackId": id }), cookie)
    }

    fn acknowledge(&mut self, request: &Received) -> Reply {
        self.questions += 1;
        if self.setup.acks == Acks::Off {
            return code(400, 14, "ACK is disabled");
        }
        let Some(channel) = request.header("x-splunk-request-channel") else {
            return code(400, 10, "Data channel is missing");
        };
        let Ok(asked) = serde_json::from_slice::<Value>(&request.plain) else {
            return code(400, 6, "Invalid data format");
        };
        let by_cookie = request
            .header("cookie")
            .and_then(|cookie| cookie.strip_prefix("AWSALB=indexer")?.parse().ok());
        let place = by_cookie.unwrap_or_else(|| match self.setup.balance {
            Balance::Astray => 1,
            Balance::RoundRobin | Balance::Sticky => {
                self.next += 1;
                self.next % self.setup.indexers
            }
        });
        let acks = self.setup.acks;
        let slot = self.indexers[place]
            .channels
            .entry(channel.to_owned())
            .or_default();
        let mut answers = serde_json::Map::new();
        for id in asked["acks"].as_array().expect("a list") {
            let id = id.as_u64().expect("a number");
            let ready = match (slot.open.get_mut(&id), acks) {
                (None, _) | (Some(_), Acks::Off | Acks::Never) => false,
                (Some(open), Acks::Lost(_)) => !open.lost,
                (Some(open), Acks::After(questions)) => {
                    open.asked += 1;
                    open.asked >= questions
                }
            };
            // A status that was read as true is gone.
            if ready && let Some(open) = slot.open.remove(&id) {
                self.acknowledged.extend(open.records);
            }
            answers.insert(id.to_string(), Value::Bool(ready));
        }
        answer(200, &json!({ "acks": answers }), None)
    }
}

/// One event a line; where it goes is in the query.
fn raw_events(body: &[u8], query: &str) -> Result<Vec<u64>, Refusal> {
    if !query.split('&').any(|pair| pair == "index=audit") {
        return Err(Refusal {
            in_front: Vec::new(),
            reply: code(400, 7, "Incorrect index"),
        });
    }
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let record = |line| serde_json::from_slice::<Value>(line).expect("a record a line");
    Ok(lines
        .map(|line| record(line)["auditship"]["seq"].as_u64().expect("a number"))
        .collect())
}

/// A running collector.
pub(crate) fn start(setup: Setup) -> Fake<Store> {
    let store = Store {
        indexers: (0..setup.indexers).map(|_| Indexer::default()).collect(),
        setup,
        ..Store::default()
    };
    Fake::start(store, Store::reply)
}

/// What becomes of acknowledgements from now on.
pub(crate) fn set(hec: &Fake<Store>, acks: Acks) {
    hec.change(|store| store.setup.acks = acks);
}
