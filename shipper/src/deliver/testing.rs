//! A destination and a receiver that do what a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::destination::{
    Batch, BodyDigest, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits,
    Outcome, Permissions, Record, Verdict,
};
use crate::time::Timestamp;
use crate::transport::SendError;

pub(in crate::deliver) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A destination whose requests and answers are as plain as can be.
#[derive(Clone)]
pub(in crate::deliver) struct Plain {
    pub(in crate::deliver) limits: Limits,
    pub(in crate::deliver) fingerprint: Fingerprint,
    pub(in crate::deliver) format: Format,
    /// What every record weighs beside its JSON: an escape, an envelope.
    pub(in crate::deliver) weight: u64,
    /// A body says when its entry was made, which is believed for so long.
    pub(in crate::deliver) stamped: Option<Duration>,
}

impl Default for Plain {
    fn default() -> Self {
        Self {
            limits: Limits {
                bytes: 400,
                records: 10,
                overhead: 1,
                envelope: 0,
                record_bytes: 100,
                span: None,
                in_flight: 1,
            },
            fingerprint: [1; 16],
            format: Format::Ndjson,
            weight: 0,
            stamped: None,
        }
    }
}

impl Destination for Plain {
    fn kind(&self) -> &'static str {
        "plain"
    }

    fn target(&self) -> String {
        String::from("a test")
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn size(&self, record: &Record<'_>) -> u64 {
        record.json.len() as u64 + self.weight
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn body(&self) -> (Format, Compression) {
        (self.format, Compression::None)
    }

    fn name(&self, bounds: &Bounds, _: Timestamp, nonce: u64) -> String {
        format!("{}-{}-{nonce:016x}", bounds.first.seq, bounds.last.seq)
    }

    fn encode(&self, batch: &Batch<'_>, _: &Context) -> Result<http::Request<Vec<u8>>, EncodeError> {
        let mut body = Vec::new();
        if self.stamped.is_some() {
            body.extend_from_slice(format!("{}\n", batch.attempt.made_at.0).as_bytes());
        }
        for record in batch.records {
            body.extend_from_slice(record.json);
            body.push(if batch.attempt.format == Format::Ndjson {
                b'\n'
            } else {
                b','
            });
        }
        let sum: u64 = batch.records.iter().map(|record| self.size(record) + 1).sum();
        assert!(
            sum <= self.limits.bytes || batch.records.len() == 1,
            "a request inside the limits"
        );
        assert!(batch.records.len() <= self.limits.records as usize);
        let digest = BodyDigest(Sha256::digest(&body).into());
        let mut request = http::Request::put(&batch.attempt.name).body(body).unwrap();
        request.extensions_mut().insert(digest);
        Ok(request)
    }

    fn is_stale(&self, batch: &Batch<'_>, now: Timestamp) -> bool {
        let until = |believed| batch.attempt.made_at.plus(believed);
        self.stamped.is_some_and(|believed| until(believed) < now)
    }

    fn query(&self, batch: &Batch<'_>) -> String {
        batch.attempt.name.clone()
    }

    fn permissions(&self) -> Permissions {
        Permissions::Other(String::from("nothing"))
    }

    fn decode(&self, _: &Batch<'_>, response: &http::Response<Vec<u8>>) -> Outcome {
        let reason = format!("status {}", response.status().as_u16());
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        match response.status().as_u16() {
            200 | 201 => Outcome::Stored,
            202 => Outcome::Unacknowledged { again: 1, reason },
            207 => Outcome::Verdicts(
                response
                    .body()
                    .iter()
                    .map(|byte| match byte {
                        b's' => Verdict::Stored,
                        b'x' => Verdict::Rejected {
                            code: String::from("bad"),
                            reason: String::from("no"),
                        },
                        b'n' => Verdict::NotKept {
                            code: String::from("old"),
                            reason: String::from("too old"),
                        },
                        b'u' => Verdict::Unclear,
                        b'o' => Verdict::Retry {
                            after: Some(Duration::ZERO),
                        },
                        _ => Verdict::Retry { after: None },
                    })
                    .collect(),
            ),
            400 => Outcome::Refused {
                code: String::from("400"),
                reason,
            },
            401 | 403 => Outcome::Auth { reason },
            404 => Outcome::Config { reason },
            409 => Outcome::Taken { reason },
            412 => Outcome::Exists { reason },
            413 => Outcome::TooLarge { reason },
            429 => Outcome::Throttled { after, reason },
            500 | 503 => Outcome::Unavailable { after, reason },
            _ => Outcome::Unclear { reason },
        }
    }
}

pub(in crate::deliver) fn response(status: u16, body: &str) -> http::Response<Vec<u8>> {
    http::Response::builder()
        .status(status)
        .body(body.as_bytes().to_vec())
        .unwrap()
}

/// What a receiver does with a name that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::deliver) enum Handle {
    /// 412.
    CreateOnly,
    /// The answer that it gave then.
    Idempotent,
    /// It stores once more.
    None,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::deliver) enum Fault {
    None,
    NotSent,
    /// It comes in, but the answer gets lost.
    AnswerLost,
    /// It gets lost itself.
    RequestLost,
    Status(u16),
    /// Some records are to be tried again.
    Partial,
    /// It comes in, and nobody ever says that it is stored.
    Unacknowledged,
}

/// The other side.
pub(in crate::deliver) struct Receiver {
    pub(in crate::deliver) handle: Handle,
    /// Records whose request is refused with 400.
    pub(in crate::deliver) poison: BTreeSet<u64>,
    /// Records that are rejected by a verdict.
    pub(in crate::deliver) rejected: BTreeSet<u64>,
    /// Records that are taken and not kept.
    pub(in crate::deliver) not_kept: BTreeSet<u64>,
    /// Records at which it stops: it has stored what stands in front of them, and does not say so.
    pub(in crate::deliver) stops: BTreeSet<u64>,
    /// Requests with more records are too large.
    pub(in crate::deliver) room: usize,
    /// How often each record was stored, and in which order.
    pub(in crate::deliver) stored: Vec<u64>,
    names: BTreeMap<String, (Vec<u8>, u16, String)>,
    bodies: BTreeMap<String, Vec<u8>>,
    /// Names that have had a clear answer other than "try again": they must not come again, unless there is a crash.
    closed: BTreeSet<String>,
    pub(in crate::deliver) requests: usize,
}

impl Receiver {
    pub(in crate::deliver) fn new(handle: Handle) -> Self {
        Self {
            handle,
            poison: BTreeSet::new(),
            rejected: BTreeSet::new(),
            not_kept: BTreeSet::new(),
            stops: BTreeSet::new(),
            room: usize::MAX,
            stored: Vec::new(),
            names: BTreeMap::new(),
            bodies: BTreeMap::new(),
            closed: BTreeSet::new(),
            requests: 0,
        }
    }

    /// Whether a request came under `name`.
    pub(in crate::deliver) fn has(&self, name: &str) -> bool {
        self.bodies.keys().any(|uri| uri.ends_with(name))
    }

    /// How many names it has seen.
    pub(in crate::deliver) fn names(&self) -> usize {
        self.bodies.len()
    }

    /// The sender died: it may come again with anything that it has journalled.
    pub(in crate::deliver) fn sender_died(&mut self) {
        self.closed.clear();
    }

    pub(in crate::deliver) fn receive(
        &mut self,
        request: &http::Request<Vec<u8>>,
        fault: Fault,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        let name = request.uri().to_string();
        let body = request.body();
        self.requests += 1;
        let before = self.bodies.entry(name.clone()).or_insert_with(|| body.clone());
        assert_eq!(before, body, "{name} has two bodies");
        assert!(!self.closed.contains(&name), "{name} comes again without a fault");
        let lost = Err(SendError::Unanswered {
            reason: String::from("no answer"),
        });
        match fault {
            Fault::NotSent => {
                return Err(SendError::NotSent {
                    reason: String::from("refused"),
                });
            }
            Fault::RequestLost => return lost,
            Fault::Status(status) => return self.answer(&name, status, ""),
            Fault::None | Fault::AnswerLost | Fault::Partial | Fault::Unacknowledged => {}
        }
        let (status, text) = self.take(&name, body, fault);
        match fault {
            Fault::AnswerLost => lost,
            Fault::Unacknowledged => self.answer(&name, 202, ""),
            _ => self.answer(&name, status, &text),
        }
    }

    fn take(&mut self, name: &str, body: &[u8], fault: Fault) -> (u16, String) {
        match (self.names.get(name), self.handle) {
            (Some(_), Handle::CreateOnly) => return (412, String::new()),
            (Some((_, status, text)), Handle::Idempotent) => return (*status, text.clone()),
            (_, _) => {}
        }
        let seqs = seqs(body);
        if seqs.len() > self.room {
            return (413, String::new());
        }
        if seqs.iter().any(|seq| self.poison.contains(seq)) {
            return (400, String::new());
        }
        if let Some(stop) = seqs.iter().position(|seq| self.stops.contains(seq)) {
            self.stored.extend(&seqs[..stop]);
            let rest = seqs.len() - stop - 1;
            return (207, format!("{}x{}", "u".repeat(stop), "r".repeat(rest)));
        }
        let whole = self.handle == Handle::CreateOnly || fault != Fault::Partial;
        let mut text = String::new();
        for (place, seq) in seqs.iter().enumerate() {
            let verdict = match () {
                () if self.rejected.contains(seq) => 'x',
                () if self.not_kept.contains(seq) => 'n',
                () if whole || place % 2 == 0 => 's',
                () => 'r',
            };
            if verdict == 's' {
                self.stored.push(*seq);
            }
            text.push(verdict);
        }
        let (status, text) = if text.bytes().all(|byte| byte == b's') {
            (201, String::new())
        } else {
            (207, text)
        };
        self.names
            .insert(name.to_owned(), (body.to_vec(), status, text.clone()));
        (status, text)
    }

    fn answer(&mut self, name: &str, status: u16, text: &str) -> Result<http::Response<Vec<u8>>, SendError> {
        if matches!(status, 200 | 201 | 207 | 400 | 413) {
            self.closed.insert(name.to_owned());
        }
        Ok(response(status, text))
    }

    /// How often each of `head` records was stored.
    pub(in crate::deliver) fn times(&self, head: u64) -> Vec<usize> {
        let mut times = vec![0; usize::try_from(head).unwrap()];
        for seq in &self.stored {
            times[usize::try_from(*seq).unwrap()] += 1;
        }
        times
    }
}

pub(in crate::deliver) fn seqs(body: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(body).unwrap();
    let numbers = text.split("{\"seq\":").skip(1);
    numbers
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect()
}
