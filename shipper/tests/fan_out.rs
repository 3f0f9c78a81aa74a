//! Six destinations from one spool in one process, with 2,000 records a second: one dead, one slow, one that rejects
//! everything, and three that must not notice; and a seventh, that takes nine of ten records and rejects the tenth by name.
//! 30 seconds; ten minutes in `make soak`. The spool's `max_bytes` is 2 GiB.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

mod cli_support;
#[path = "support/intake.rs"]
mod intake;

use std::net::TcpListener;
use std::ops::Range;
use std::time::Duration;

use auditship::control::status::{Activity, DestinationStatus};
use auditship::instance::Instance;
use auditship::spool::cursor::HoldKind;
use auditship::time::{Clock, Monotonic, SystemClock};
use auditship_testkit::receiver::{Received, Receiver, Reply};
use serde_json::{Value, json};

use cli_support::auditship;

const A_SECOND: u64 = 2_000;
/// So often records are handed over, and the destinations looked at.
const TICKS_A_SECOND: u64 = 10;
/// How far behind the head a destination may be that works.
const LAG: Duration = Duration::from_secs(2);
/// For what is left when the last record was handed over.
const PATIENCE: Duration = Duration::from_secs(30);
/// Every third record is about iam.
const IAM: u64 = 3;
/// Every tenth record is none for the destination that has a verdict for each.
const UNWANTED: u64 = 10;
/// So many dead letters a minute are not too many, by the documentation of `dead_letter_rate`, however few records there are.
const LETTERS_A_MINUTE: u64 = 10;

const ARCHIVE: usize = 0;
const COLLECTOR: usize = 1;
const IAM_ONLY: usize = 2;
const DEAD: usize = 3;
const SLOW: usize = 4;
const REJECTING: usize = 5;
const PICKY: usize = 6;

fn seconds() -> u64 {
    match std::env::var_os("AUDITSHIP_SOAK") {
        Some(_) => 600,
        None => 30,
    }
}

fn lines(numbers: Range<u64>) -> String {
    let line = |n: u64| {
        let category = if n.is_multiple_of(IAM) { "iam" } else { "file" };
        format!(
            "{{\"n\":{n},\"event\":{{\"id\":\"id-{n}\",\"category\":[\"{category}\"],\"outcome\":\"success\"}},\"message\":\"{}\"}}\n",
            "m".repeat(250)
        )
    };
    numbers.map(line).collect()
}

fn number(line: &str) -> u64 {
    let record: Value = serde_json::from_str(line).unwrap();
    record["n"].as_u64().unwrap()
}

/// A receiver that must get each record once, in order, and does not keep them.
struct Ordered {
    receiver: Receiver,
    next: u64,
    step: u64,
}

impl Ordered {
    fn new(step: u64) -> Self {
        Self {
            receiver: Receiver::start([], Reply::Status(200)),
            next: 0,
            step,
        }
    }

    fn look(&mut self) {
        for request in self.receiver.take() {
            for line in String::from_utf8(request.plain).unwrap().lines() {
                assert_eq!(number(line), self.next, "each record once, in order");
                self.next += self.step;
            }
        }
    }
}

/// What `_bulk` answers: every document is created, but for those that are unwanted.
fn verdicts(request: &Received) -> Reply {
    let text = String::from_utf8_lossy(&request.plain);
    let lines: Vec<&str> = text.lines().collect();
    let item = |pair: &[&str]| {
        let action: Value = serde_json::from_str(pair[0]).unwrap();
        let id = &action["create"]["_id"];
        match number(pair[1]).is_multiple_of(UNWANTED) {
            true => {
                let error = json!({ "type": "document_parsing_exception", "reason": "not this one" });
                json!({ "create": { "_id": id, "status": 400, "error": error } })
            }
            false => json!({ "create": { "_id": id, "status": 201, "result": "created" } }),
        }
    };
    let items: Vec<Value> = lines.chunks_exact(2).map(item).collect();
    Reply::text(200, &json!({ "errors": true, "items": items }).to_string())
}

/// What a destination says of itself adds up to what came in.
fn assert_balanced(status: &DestinationStatus, written: u64) {
    let counts = &status.counts;
    let sum = counts.delivered + counts.dead_lettered + counts.filtered + status.backlog.pending;
    assert_eq!(sum, written, "{status:?}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "records come at a rate, which only the clock gives"
)]
fn soak_destinations_at_once_do_not_notice_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let (mut collector, mut iam) = (Ordered::new(1), Ordered::new(IAM));
    let slow = Receiver::start(
        [],
        Reply::After(Duration::from_secs(2), Box::new(Reply::Status(200))),
    );
    let rejecting = Receiver::start([], Reply::text(400, "not today"));
    let picky = Receiver::answering(TcpListener::bind("127.0.0.1:0").unwrap(), None, verdicts);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "[spool]\npath = \"{0}/spool\"\nid = \"test\"\nmax_bytes = \"2GiB\"\n\
         [[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{0}/out\"\nbatch_max_age = \"1s\"\n\
         [[destination]]\nid = \"collector\"\ntype = \"http\"\nurl = \"{1}\"\n\
         [[destination]]\nid = \"iam\"\ntype = \"http\"\nurl = \"{2}\"\ninclude = {{ category = \"iam\" }}\n\
         [[destination]]\nid = \"dead\"\ntype = \"http\"\nurl = \"http://{nobody}/\"\n\
         [[destination]]\nid = \"slow\"\ntype = \"http\"\nurl = \"{3}\"\n\
         [[destination]]\nid = \"rejecting\"\ntype = \"http\"\nurl = \"{4}\"\n\
         [[destination]]\nid = \"picky\"\ntype = \"elastic\"\nurl = \"{5}\"\nindex = \"audit\"\n",
        directory.path().display(),
        collector.receiver.url("/"),
        iam.receiver.url("/"),
        slow.url("/"),
        rejecting.url("/"),
        picky.url(""),
    );
    let clock = SystemClock::new();
    let mut instance = Instance::start(&intake::config(&text), &intake::outside()).unwrap();
    let statuses = |instance: &Instance| instance.shipper().unwrap().statuses();

    let (mut written, mut furthest) = (0, [Duration::ZERO; 3]);
    for tick in 0..seconds() * TICKS_A_SECOND {
        let due =
            Monotonic(0).plus(Duration::from_millis(1_000 / TICKS_A_SECOND) * u32::try_from(tick).unwrap());
        std::thread::sleep(due.since(clock.monotonic()));
        let lines = lines(written..written + A_SECOND / TICKS_A_SECOND);
        written += A_SECOND / TICKS_A_SECOND;
        intake::hand_over(&mut instance, &lines);
        instance.tick();
        collector.look();
        iam.look();
        let now = clock.wall();
        let seen = statuses(&instance);
        for (working, furthest) in [ARCHIVE, COLLECTOR, IAM_ONLY].into_iter().zip(&mut furthest) {
            let status = &seen[working];
            let lag = status.backlog.oldest.map_or(Duration::ZERO, |oldest| {
                Duration::from_nanos(u64::try_from(now.0 - oldest.0).unwrap_or(0))
            });
            assert!(lag <= LAG, "{lag:?} behind the head: {status:?}");
            *furthest = lag.max(*furthest);
        }
    }
    println!("the furthest behind the head: {furthest:?}, of {written} records");

    let iam_records = written.div_ceil(IAM);
    let expected = [
        (ARCHIVE, written, 0),
        (COLLECTOR, written, 0),
        (IAM_ONLY, iam_records, written - iam_records),
    ];
    let end = clock.monotonic().plus(PATIENCE);
    let arrived = |seen: &[DestinationStatus]| {
        expected.iter().all(|(place, delivered, filtered)| {
            (seen[*place].counts.delivered, seen[*place].counts.filtered) == (*delivered, *filtered)
        })
    };
    while !arrived(&statuses(&instance)) {
        assert!(clock.monotonic() < end, "{:?}", statuses(&instance));
        std::thread::sleep(Duration::from_millis(10));
    }
    collector.look();
    iam.look();
    assert_eq!((collector.next, iam.next), (written, iam_records * IAM));

    let seen = statuses(&instance);
    seen.iter().for_each(|status| assert_balanced(status, written));
    assert!(
        matches!(seen[DEAD].activity, Activity::BackingOff { .. }),
        "{:?}",
        seen[DEAD]
    );
    assert_eq!(
        (seen[DEAD].counts.delivered, seen[DEAD].backlog.pending),
        (0, written)
    );
    assert!(seen[SLOW].counts.delivered > 0, "{:?}", seen[SLOW]);
    assert_eq!(seen[SLOW].counts.dead_lettered, 0);
    let held = matches!(&seen[REJECTING].activity, Activity::Held { kind: HoldKind::Refused, reason, .. } if reason.contains("400"));
    assert!(held, "{:?}", seen[REJECTING]);
    assert_eq!(
        (
            seen[REJECTING].counts.dead_lettered,
            seen[REJECTING].backlog.pending
        ),
        (0, written)
    );
    let held = matches!(&seen[PICKY].activity, Activity::Held { kind: HoldKind::Rate, reason, .. } if reason.contains("not this one"));
    assert!(held, "{:?}", seen[PICKY]);
    let counts = &seen[PICKY].counts;
    assert!(
        counts.dead_lettered <= LETTERS_A_MINUTE * seconds().div_ceil(60),
        "{:?}",
        seen[PICKY]
    );
    assert!(
        counts.delivered > 0 && seen[PICKY].backlog.pending > 0,
        "{:?}",
        seen[PICKY]
    );
    instance.stop(Duration::ZERO);

    let out = directory.path().join("out").display().to_string();
    let mut archived: Vec<u64> = auditship(&["cat", &out]).stdout.lines().map(number).collect();
    archived.sort_unstable();
    assert!(
        archived.into_iter().eq(0..written),
        "the archive has each record once"
    );
}
