//! The contract that every destination keeps, as named checks that each runs from its own `tests.rs`.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use ::http::{HeaderName, HeaderValue, Response, StatusCode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sha2::{Digest, Sha256};

use super::{
    Attempt, Batch, BodyDigest, Bounds, Compression, Context, Destination, Format, Limits, Outcome, Record,
    Verdict,
};
use crate::deliver::search::{Evidence, Finding, Search};
use crate::spool::draft::TableEntry;
use crate::spool::identity::{Epoch, Key, RecordId, SpoolId};
use crate::time::Timestamp;

/// A destination under test, and what the suite cannot know of it.
pub(super) struct Subject {
    pub(super) destination: Arc<dyn Destination>,
    /// How records lie in a plain body.
    pub(super) layout: Layout,
    /// Texts that must appear nowhere.
    pub(super) secrets: Vec<&'static str>,
    /// Every form in which something of it is shown: `Debug` of configuration, destination and transport.
    pub(super) shown: Vec<String>,
    /// The statuses that may lead to "stored"; no other may.
    pub(super) stored: Vec<u16>,
    /// Answers, whether the batch was sent before, and what each must mean.
    pub(super) answers: Vec<(Response<Vec<u8>>, u32, Class)>,
}

/// An object inside of a request.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// How records lie in a plain body, and what of it the API counts against its limits.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    /// As NDJSON or an array, whatever the journal says; every byte counts, and the request carries the batch's name.
    Lines,
    /// As [`Layout::Lines`], in an object that is a part of the request.
    Part {
        /// The object's name and its bytes as an independent reader of the API's requests finds them.
        read: fn(&::http::Request<Vec<u8>>) -> Part,
    },
    /// In a request of the API's own ([`Format::Native`]).
    Own {
        /// What the API counts, by its documentation.
        counted: fn(&[u8]) -> u64,
        /// The records as an independent reader of the API's requests finds them.
        records: fn(&[u8]) -> Vec<serde_json::Value>,
    },
}

impl Layout {
    fn counted(self, plain: &[u8]) -> u64 {
        match self {
            Self::Lines | Self::Part { .. } => plain.len() as u64,
            Self::Own { counted, .. } => counted(plain),
        }
    }

    /// The body of the batch in its request, plain.
    fn plain(self, request: &::http::Request<Vec<u8>>, compression: Compression) -> Vec<u8> {
        match self {
            Self::Part { read } => plain(&read(request).bytes, compression),
            Self::Lines | Self::Own { .. } => plain(request.body(), compression),
        }
    }
}

/// Among the extensions of the answer that stores everything, where what it says depends on the request: makes another one
/// for any request.
#[derive(Clone, Copy)]
pub(super) struct StoredFor(pub(super) fn(&::http::Request<Vec<u8>>) -> Response<Vec<u8>>);

/// The kind of an [`Outcome`], to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Verdicts,
    Stored,
    Exists,
    Taken,
    Throttled,
    Unavailable,
    Auth,
    Config,
    TooLarge,
    Refused,
    Unclear,
    Unacknowledged,
}

pub(super) fn class(outcome: &Outcome) -> Class {
    match outcome {
        Outcome::Verdicts(_) => Class::Verdicts,
        Outcome::Stored => Class::Stored,
        Outcome::Exists { .. } => Class::Exists,
        Outcome::Taken { .. } => Class::Taken,
        Outcome::Throttled { .. } => Class::Throttled,
        Outcome::Unavailable { .. } => Class::Unavailable,
        Outcome::Auth { .. } => Class::Auth,
        Outcome::Config { .. } => Class::Config,
        Outcome::TooLarge { .. } => Class::TooLarge,
        Outcome::Refused { .. } => Class::Refused,
        Outcome::Unclear { .. } => Class::Unclear,
        Outcome::Unacknowledged { .. } => Class::Unacknowledged,
    }
}

/// Runs every check.
pub(super) fn suite(subject: &Subject) {
    limits_can_be_kept(subject);
    no_body_is_larger_than_its_account(subject);
    a_second_sending_is_the_first_one_again(subject);
    the_journal_beats_the_configuration(subject);
    names_are_pure_short_and_apart(subject);
    every_answer_has_its_meaning(subject);
    no_answer_is_stored_by_default(subject);
    a_damaged_answer_is_no_defect(subject);
    a_refusal_is_traced_to_its_records(subject);
    no_secret_is_shown(subject);
}

/// JSON lines with their table, from which batches are borrowed.
pub(super) struct Lines(Vec<(RecordId, TableEntry, Vec<u8>)>);

impl Lines {
    pub(super) fn new(lines: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let id = |seq| RecordId {
            spool: SpoolId([7; 16]),
            epoch: Epoch(9),
            seq,
        };
        let entry = |line: &Vec<u8>, seq: u64| TableEntry {
            len: u32::try_from(line.len() + 1).unwrap(),
            added: 0,
            flags: 0,
            time: Timestamp(1_000 * i64::try_from(seq).unwrap()),
            // As unlike one another as those of a spool are.
            key: Key(*blake3::hash(&seq.to_le_bytes()).as_bytes().first_chunk().unwrap()),
            categories: 0,
            id_hash: 0,
        };
        Self(
            lines
                .into_iter()
                .zip(100..)
                .map(|(line, seq)| (id(seq), entry(&line, seq), line))
                .collect(),
        )
    }

    pub(super) fn records(&self) -> Vec<Record<'_>> {
        self.0
            .iter()
            .map(|(id, entry, json)| Record { id: *id, entry, json })
            .collect()
    }

    pub(super) fn set_time(&mut self, place: usize, time: Timestamp) {
        self.0[place].1.time = time;
    }

    pub(super) fn bounds(&self) -> Bounds {
        let (first, last) = (&self.0[0], &self.0[self.0.len() - 1]);
        Bounds {
            first: first.0,
            last: last.0,
            earliest: first.1.time,
            latest: last.1.time,
            count: u32::try_from(self.0.len()).unwrap(),
        }
    }
}

// 2026-01-02T03:04:05Z
const MADE_AT: Timestamp = Timestamp(1_767_323_045_000_000_000);
const CONTEXT: Context = Context { now: MADE_AT };

/// The attempt that the journal would hold for a new batch of `lines`.
pub(super) fn attempt(destination: &dyn Destination, lines: &Lines) -> Attempt {
    let (format, compression) = destination.body();
    let nonce = 0xfeed;
    Attempt {
        nonce,
        made_at: MADE_AT,
        name: destination.name(&lines.bounds(), MADE_AT, nonce),
        format,
        compression,
        earlier: 0,
    }
}

pub(super) fn plain(body: &[u8], compression: Compression) -> Vec<u8> {
    let mut plain = Vec::new();
    match compression {
        Compression::None => plain.extend_from_slice(body),
        Compression::Gzip => {
            flate2::read::GzDecoder::new(body)
                .read_to_end(&mut plain)
                .unwrap();
        }
        Compression::Zstd => {
            zstd::stream::read::Decoder::new(body)
                .unwrap()
                .read_to_end(&mut plain)
                .unwrap();
        }
    }
    plain
}

fn check<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    test: impl Fn(T) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config).run(&strategy, test).unwrap();
}

fn some_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = "[ -~äöü\u{0}-\u{1f}]{0,80}";
    let line = prop_oneof![
        Just(b"{}".to_vec()),
        text.prop_map(|text| serde_json::to_vec(&serde_json::json!({ "message": text })).unwrap()),
        (0_usize..5_000).prop_map(|size| format!("{{\"a\":\"{}\"}}", "x".repeat(size)).into_bytes()),
    ];
    proptest::collection::vec(line, 1..40)
}

fn limits_can_be_kept(subject: &Subject) {
    let limits = subject.destination.limits();
    assert!((1..=Limits::MAX_RECORDS).contains(&limits.records), "{limits:?}");
    assert!(
        (1..=Limits::MAX_IN_FLIGHT).contains(&limits.in_flight),
        "{limits:?}"
    );
    assert!(
        limits.bytes > u64::from(limits.overhead) + u64::from(limits.envelope),
        "{limits:?}"
    );
}

/// What a packer adds up (JSON, overhead, envelope) is at least what is sent: so no batch inside the limits, however it
/// was packed, makes a request outside them.
fn no_body_is_larger_than_its_account(subject: &Subject) {
    let destination = &*subject.destination;
    let limits = destination.limits();
    check(some_lines(), |lines| {
        let lines = Lines::new(lines);
        let account = lines
            .0
            .iter()
            .fold(u64::from(limits.envelope), |sum, (id, entry, json)| {
                let record = Record { id: *id, entry, json };
                sum + destination.size(&record) + u64::from(limits.overhead)
            });
        let attempt = attempt(destination, &lines);
        let batch = Batch {
            records: &lines.records(),
            attempt: &attempt,
        };
        let request = destination.encode(&batch, &CONTEXT).unwrap();
        let plain = subject.layout.plain(&request, attempt.compression);
        let counted = subject.layout.counted(&plain);
        prop_assert!(counted <= account, "{counted} > {account}");
        Ok(())
    });
}

fn a_second_sending_is_the_first_one_again(subject: &Subject) {
    let destination = &*subject.destination;
    check(some_lines(), |lines| {
        let lines = Lines::new(lines);
        let first = attempt(destination, &lines);
        let second = Attempt {
            earlier: 3,
            ..first.clone()
        };
        let records = lines.records();
        let encode = |attempt| {
            let batch = Batch {
                records: &records,
                attempt,
            };
            destination.encode(&batch, &CONTEXT).unwrap()
        };
        let (one, two) = (encode(&first), encode(&second));
        prop_assert_eq!(one.body(), two.body());
        prop_assert_eq!(one.headers(), two.headers());
        prop_assert_eq!((one.method(), one.uri()), (two.method(), two.uri()));
        let plain = subject.layout.plain(&one, first.compression);
        let digest: [u8; 32] = Sha256::digest(&plain).into();
        prop_assert_eq!(one.extensions().get(), Some(&BodyDigest(digest)));
        // Every record, in order, untouched.
        if let Layout::Own { records: read, .. } = subject.layout {
            let sent = records
                .iter()
                .map(|record| serde_json::from_slice::<serde_json::Value>(record.json));
            prop_assert_eq!(read(&plain), sent.collect::<Result<Vec<_>, _>>().unwrap());
            return Ok(());
        }
        let mut rest = plain.as_slice();
        for record in &records {
            let at = rest
                .windows(record.json.len())
                .position(|window| window == record.json);
            prop_assert!(at.is_some(), "{:?} is missing", record.id);
            rest = &rest[at.unwrap_or(0) + record.json.len()..];
        }
        Ok(())
    });
}

/// A batch keeps its format, compression and name, whatever the configuration has become meanwhile.
fn the_journal_beats_the_configuration(subject: &Subject) {
    let destination = &*subject.destination;
    let lines = Lines::new([b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
    let formats: &[Format] = match subject.layout {
        Layout::Lines | Layout::Part { .. } => &[Format::Ndjson, Format::JsonArray],
        Layout::Own { .. } => &[Format::Native],
    };
    for &format in formats {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let attempt = Attempt {
                format,
                compression,
                ..attempt(destination, &lines)
            };
            let batch = Batch {
                records: &lines.records(),
                attempt: &attempt,
            };
            let request = destination.encode(&batch, &CONTEXT).unwrap();
            let plain = subject.layout.plain(&request, compression);
            match (format, subject.layout) {
                (_, Layout::Own { records, .. }) => {
                    assert_eq!(
                        records(&plain),
                        [serde_json::json!({"a": 1}), serde_json::json!({"b": 2})]
                    );
                }
                (Format::Ndjson, _) => assert_eq!(plain, b"{\"a\":1}\n{\"b\":2}\n"),
                (_, _) => assert_eq!(plain, b"[{\"a\":1},{\"b\":2}]"),
            }
            let told = request.headers().get(::http::header::CONTENT_ENCODING);
            if let Some(told) = told {
                assert_eq!(told.to_str().ok(), compression.content_encoding());
            }
            if let Layout::Own { .. } = subject.layout {
                continue;
            }
            if let Layout::Part { read } = subject.layout {
                assert_eq!(read(&request).name, attempt.name);
                continue;
            }
            let name = attempt.name.as_bytes();
            let in_headers = request.headers().values().any(|value| value.as_bytes() == name);
            let in_path = request.uri().path().as_bytes().ends_with(name);
            assert!(in_headers || in_path, "the request does not carry its name");
        }
    }
}

fn names_are_pure_short_and_apart(subject: &Subject) {
    let destination = &*subject.destination;
    let id = |seq| RecordId {
        spool: SpoolId([0xff; 16]),
        epoch: Epoch(u64::MAX),
        seq,
    };
    let bounds = |first, last, time| Bounds {
        first: id(first),
        last: id(last),
        earliest: Timestamp(time),
        latest: Timestamp(time),
        count: 1,
    };
    let input = (
        any::<u64>(),
        any::<u64>(),
        any::<i64>(),
        any::<i64>(),
        any::<u64>(),
        any::<u64>(),
    );
    check(input, |(first, last, time, made_at, nonce, other)| {
        let bounds = bounds(first, last, time);
        let name = destination.name(&bounds, Timestamp(made_at), nonce);
        prop_assert!(!name.is_empty() && name.len() <= 1024, "{}", name);
        prop_assert_eq!(&name, &destination.name(&bounds, Timestamp(made_at), nonce));
        if other != nonce {
            prop_assert_ne!(&name, &destination.name(&bounds, Timestamp(made_at), other));
        }
        prop_assert!(HeaderValue::from_str(&name).is_ok());
        Ok(())
    });
}

fn decode(destination: &dyn Destination, response: &Response<Vec<u8>>, earlier: u32) -> Outcome {
    let lines = Lines::new([b"{}".to_vec(), b"{}".to_vec(), b"{}".to_vec()]);
    let attempt = Attempt {
        earlier,
        ..attempt(destination, &lines)
    };
    let batch = Batch {
        records: &lines.records(),
        attempt: &attempt,
    };
    let outcome = destination.decode(&batch, response);
    if let Outcome::Verdicts(verdicts) = &outcome {
        assert_eq!(verdicts.len(), 3, "one verdict for each record");
    }
    outcome
}

fn every_answer_has_its_meaning(subject: &Subject) {
    for (response, earlier, expected) in &subject.answers {
        let outcome = decode(&*subject.destination, response, *earlier);
        assert_eq!(
            class(&outcome),
            *expected,
            "{} sent {earlier} times before",
            response.status()
        );
    }
}

fn no_answer_is_stored_by_default(subject: &Subject) {
    let headers = proptest::collection::vec(
        (
            prop_oneof![
                Just("retry-after"),
                Just("date"),
                Just("location"),
                Just("content-type"),
                Just("x-error")
            ],
            proptest::collection::vec(any::<u8>(), 0..40),
        ),
        0..5,
    );
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        Just(b"{\"errors\":true}".to_vec()),
        Just(b"OK stored success".to_vec()),
        Just(vec![0xff; 300]),
    ];
    check(
        (100_u16..1000, headers, body, 0_u32..3),
        |(status, headers, body, earlier)| {
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    response
                        .headers_mut()
                        .append(HeaderName::from_static(name), value);
                }
            }
            let outcome = decode(&*subject.destination, &response, earlier);
            if matches!(outcome, Outcome::Stored) {
                prop_assert!(subject.stored.contains(&status), "{} means stored", status);
            }
            Ok(())
        },
    );
    // The property above may miss a status.
    for status in (100..1000).filter(|status| !subject.stored.contains(status)) {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let outcome = decode(&*subject.destination, &response, 0);
        assert_ne!(class(&outcome), Class::Stored, "{status}");
    }
}

/// Each answer that is known, cut short or with another byte in it: no panic, and one verdict for each record if any.
fn a_damaged_answer_is_no_defect(subject: &Subject) {
    let known = 0..subject.answers.len();
    check(
        (known, any::<usize>(), proptest::option::of(any::<u8>())),
        |(which, at, other)| {
            let (mut response, earlier, known) = subject.answers[which].clone();
            let body = response.body_mut();
            let at = at % (body.len() + 1);
            match other {
                Some(byte) if at < body.len() => body[at] = byte,
                _ => body.truncate(at),
            }
            let stored = matches!(decode(&*subject.destination, &response, earlier), Outcome::Stored);
            let may_store = known == Class::Stored || subject.stored.contains(&response.status().as_u16());
            prop_assert!(!stored || may_store);
            Ok(())
        },
    );
}

/// A receiver that refuses every request with a poisoned record in it, and says no more than that.
struct Refusing<'a> {
    subject: &'a Subject,
    stored: &'a Response<Vec<u8>>,
    refused: &'a Response<Vec<u8>>,
}

impl Refusing<'_> {
    /// What the destination makes of the answer to the records of `lines` at `range`.
    fn send(&self, lines: &Lines, range: std::ops::Range<usize>) -> Outcome {
        let destination = &*self.subject.destination;
        let attempt = attempt(destination, lines);
        let batch = Batch {
            records: &lines.records()[range],
            attempt: &attempt,
        };
        let request = destination.encode(&batch, &CONTEXT).unwrap();
        let plain = self.subject.layout.plain(&request, attempt.compression);
        let records = match (self.subject.layout, attempt.format) {
            (Layout::Own { records, .. }, _) => records(&plain),
            (Layout::Lines | Layout::Part { .. }, Format::JsonArray) => {
                serde_json::from_slice(&plain).unwrap()
            }
            (Layout::Lines | Layout::Part { .. }, _) => serde_json::Deserializer::from_slice(&plain)
                .into_iter()
                .collect::<Result<_, _>>()
                .unwrap(),
        };
        assert_eq!(records.len(), batch.records.len());
        let poisoned = records.iter().any(|record| record.get("poison").is_some());
        let stored = match self.stored.extensions().get::<StoredFor>() {
            Some(StoredFor(answer)) => answer(&request),
            None => self.stored.clone(),
        };
        destination.decode(&batch, if poisoned { self.refused } else { &stored })
    }
}

/// Bisection finds `k` records among `n` in at most `k * ceil(log2 n) + 2k + 1` requests, and all others are stored in
/// their order. A destination that never refuses a batch for what is in it has nothing to show.
fn a_refusal_is_traced_to_its_records(subject: &Subject) {
    let answer = |class| {
        let mut answers = subject.answers.iter();
        answers.find_map(|(response, earlier, means)| (*means == class && *earlier == 0).then_some(response))
    };
    // Where there is a verdict for each record, the first such answer of a table stores all of them.
    let stored = answer(Class::Stored).or_else(|| answer(Class::Verdicts));
    let (Some(stored), Some(refused)) = (stored, answer(Class::Refused)) else {
        return;
    };
    let receiver = Refusing {
        subject,
        stored,
        refused,
    };
    let poison = proptest::collection::btree_set(0_usize..1_000, 0..6);
    check((2_usize..80, poison), |(count, poison)| {
        // The first is sound: a destination that has stored nothing yet may be what is wrong.
        let poison: BTreeSet<usize> = poison
            .into_iter()
            .map(|seed| 1 + seed % (count - 1).max(1))
            .collect();
        prop_assume!(poison.len() < count);
        let lines = Lines::new((0..count).map(|nth| match poison.contains(&nth) {
            true => format!("{{\"n\":{nth},\"poison\":true}}").into_bytes(),
            false => format!("{{\"n\":{nth}}}").into_bytes(),
        }));
        let mut pending: Vec<u32> = (0..u32::try_from(count).unwrap()).collect();
        let (mut search, mut evidence) = (Search::new(), Evidence::None);
        let (mut requests, mut found, mut taken) = (0, BTreeSet::new(), Vec::new());
        while let Some(range) = search.next(&pending, evidence) {
            requests += 1;
            prop_assert!(requests < 10_000);
            let sent: Vec<u32> = pending
                .iter()
                .copied()
                .filter(|place| range.contains(place))
                .collect();
            // What is pending of a run has no gaps but for what was found: those are not sent again.
            let chosen = Lines(
                sent.iter()
                    .map(|&place| {
                        let (id, entry, json) = &lines.0[usize::try_from(place).unwrap()];
                        (*id, *entry, json.clone())
                    })
                    .collect(),
            );
            let outcome = match receiver.send(&chosen, 0..sent.len()) {
                Outcome::Verdicts(verdicts) if verdicts.iter().all(|one| *one == Verdict::Stored) => {
                    Outcome::Stored
                }
                outcome => outcome,
            };
            match outcome {
                Outcome::Refused { .. } => match search.refused(&range, &pending, evidence) {
                    Finding::Narrowed => {}
                    Finding::Cause(place) => {
                        found.insert(usize::try_from(place).unwrap());
                        pending.retain(|other| *other != place);
                        search.settled();
                    }
                    Finding::Hold => search.probe(),
                },
                Outcome::Stored => {
                    taken.extend(sent);
                    pending.retain(|place| !range.contains(place));
                    evidence = Evidence::Stored;
                    search.settled();
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let log = usize::try_from(count.next_power_of_two().trailing_zeros()).unwrap();
        prop_assert!(
            requests <= poison.len() * log + 2 * poison.len() + 1,
            "{} requests",
            requests
        );
        prop_assert!(taken.is_sorted());
        prop_assert_eq!(taken.len() + found.len(), count);
        prop_assert_eq!(found, poison);
        Ok(())
    });
}

/// Not in what is shown, and not in a reason when the receiver says it back.
fn no_secret_is_shown(subject: &Subject) {
    let destination = &*subject.destination;
    let mut shown = subject.shown.clone();
    shown.push(destination.target());
    shown.push(destination.kind().to_owned());
    for status in 100..1000 {
        for secret in &subject.secrets {
            let mut response = Response::new(format!("you sent {secret}!").into_bytes());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let location = format!("https://elsewhere.example/?{secret}");
            response
                .headers_mut()
                .insert(::http::header::LOCATION, location.parse().unwrap());
            shown.push(format!("{:?}", decode(destination, &response, 1)));
        }
    }
    for secret in &subject.secrets {
        let leak = shown.iter().find(|shown| shown.contains(secret));
        assert_eq!(leak, None, "holds a secret");
    }
}
