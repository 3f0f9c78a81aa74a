//! What is learned of the stream, and when it is asked.

use std::time::Duration;

use ::http::StatusCode;

use super::*;
use crate::time::ManualClock;
use crate::transport::Transport as _;
use crate::transport::paced::Rate;
use crate::transport::scripted::{ScriptedTransport, Step};

fn summary(mode: &str, shards: u64, kib: u64) -> Step {
    let body = json!({ "StreamDescriptionSummary": {
        "StreamStatus": "ACTIVE", "OpenShardCount": shards,
        "StreamModeDetails": { "StreamMode": mode }, "MaxRecordSizeInKiB": kib,
    }});
    Step::Answer(answers::ok(&body.to_string()))
}

fn done() -> Step {
    Step::status(StatusCode::OK)
}

struct World {
    to: Kinesis,
    receiver: ScriptedTransport,
    clock: Arc<ManualClock>,
    asking: Asking,
}

impl World {
    fn new(keys: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        let to = kinesis(keys);
        let receiver = ScriptedTransport::new(steps, done());
        let clock = Arc::new(ManualClock::at(MADE_AT));
        let asking = Asking::new(
            Arc::new(receiver.clone()),
            to.config.clone(),
            Arc::clone(&to.known),
            clock.clone(),
        );
        Self {
            to,
            receiver,
            clock,
            asking,
        }
    }

    /// Puts a record; how often the stream was asked so far.
    fn put(&self) -> usize {
        let request = encode(&self.to, &Rows::new(["{}"]).records());
        assert_eq!(self.asking.send(&request).unwrap().status(), StatusCode::OK);
        let received = self.receiver.received();
        let last = received.last().unwrap();
        assert_eq!(last.headers()["x-amz-target"], "Kinesis_20131202.PutRecords");
        let asked = |request: &&Request<Vec<u8>>| {
            request.headers()["x-amz-target"] == "Kinesis_20131202.DescribeStreamSummary"
        };
        received.iter().filter(asked).count()
    }

    fn record_bytes(&self) -> u64 {
        self.to.limits().record_bytes
    }

    fn rate(&self) -> Option<Rate> {
        self.to.known.rate()
    }
}

const MIB: u64 = 1024 * 1024;

fn shards(parts: u64) -> Rate {
    Rate {
        parts: parts.try_into().unwrap(),
        records: 1_000,
        bytes: 1_000_000,
    }
}

#[test]
fn the_stream_is_asked_before_the_first_put_and_again_after_ten_minutes() {
    let world = World::new("", [summary("PROVISIONED", 2, 2_048), done()]);
    // Nothing is given up on a guess.
    assert_eq!((world.record_bytes(), world.rate()), (10 * MIB, None));
    assert_eq!(world.put(), 1);
    assert_eq!((world.record_bytes(), world.rate()), (2 * MIB, Some(shards(2))));
    // A request of two seconds would only be thrown back, but the largest record must fit.
    assert_eq!(world.to.limits().bytes, 2 * MIB);
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(world.put(), 1);
    world.receiver.push([summary("PROVISIONED", 8, 1_024)]);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.put(), 2);
    assert_eq!((world.record_bytes(), world.to.limits().bytes), (MIB, 8_000_000));
}

/// The records of a field's value are all in one shard.
#[test]
fn with_a_field_as_key_no_more_goes_at_once_than_one_shard_takes() {
    let one = |keys: &str| World::new(keys, []).to.limits().bytes;
    assert_eq!(one("shards = 8\nmax_record_bytes = \"1MiB\""), 8_000_000);
    let keys = "shards = 8\npartition_key = \"host.name\"\nmax_record_bytes";
    assert_eq!(one(&format!("{keys} = \"1MiB\"")), MIB);
    assert_eq!(one(&format!("{keys} = \"2MiB\"")), 2 * MIB);
}

#[test]
fn a_stream_on_demand_is_not_paced() {
    let world = World::new("", [summary("ON_DEMAND", 4, 10_240)]);
    assert_eq!(world.put(), 1);
    assert_eq!((world.record_bytes(), world.rate()), (10 * MIB, None));
    assert_eq!(world.to.limits().bytes, 10 * MIB);
}

#[test]
fn no_answer_holds_nothing_and_a_refusal_is_not_repeated_for_an_hour() {
    for (first, again) in [
        (
            Step::Answer(answers::aws(400, "AccessDeniedException", "no")),
            3_600,
        ),
        (Step::Answer(answers::ok("nonsense")), 30),
        (Step::NotSent, 30),
    ] {
        let world = World::new("", [first]);
        world.put();
        assert_eq!((world.record_bytes(), world.rate()), (10 * MIB, None));
        let attempts = world.receiver.attempts();
        assert_eq!(attempts, 2);
        world.clock.advance(Duration::from_secs(again - 1));
        world.put();
        assert_eq!(world.receiver.attempts(), attempts + 1);
        world.clock.advance(Duration::from_secs(1));
        world.put();
        assert_eq!(world.receiver.attempts(), attempts + 3);
    }
}

#[test]
fn what_is_configured_is_not_asked_for() {
    let world = World::new("shards = 3\nmax_record_bytes = \"4MiB\"", []);
    assert_eq!(world.put(), 0);
    assert_eq!(world.record_bytes(), 4 * MIB);
    assert_eq!(world.rate(), Some(shards(3)));
    // One of the two is configured, and stays as it is.
    let world = World::new("shards = 3", [summary("PROVISIONED", 9, 1_024)]);
    assert_eq!(world.put(), 1);
    assert_eq!((world.record_bytes(), world.rate()), (MIB, Some(shards(3))));
}

#[test]
fn what_is_no_put_is_passed_on_as_it_is() {
    let world = World::new("", []);
    world.asking.send(&ask::question(&world.to.config)).unwrap();
    assert_eq!(world.receiver.attempts(), 1);
}

/// The pace is that of the shards, and a stop ends its waits.
#[test]
fn what_is_shipped_is_paced_and_a_stop_does_not_wait_for_it() {
    // Nobody listens there: a request that is sent is refused at once.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = config(&format!(
        "shards = 2\nmax_record_bytes = \"1MiB\"\nendpoint = \"http://{closed}\""
    ));
    let transport = route(&config).unwrap().transport;
    let mut request = encode(&Kinesis::new(config), &Rows::new(["{}"]).records());
    let Load(load) = request.extensions_mut().get_mut().unwrap();
    load[0].bytes = 3_600 * 1_000_000;
    let refused = transport.send(&request).unwrap_err().to_string();
    assert!(refused.contains("127.0.0.1"), "{refused}");
    // An hour's worth is out.
    transport.interrupt();
    let stopped = transport.send(&request).unwrap_err().to_string();
    assert!(stopped.contains("waited for its turn"), "{stopped}");
}
