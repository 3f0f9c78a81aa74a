//! The transport that waits for acknowledgements, on a clock that moves as it waits.

use std::sync::Mutex;
use std::time::Duration;

use ::http::HeaderMap;

use super::super::ack::{AckTransport, Acknowledgement, AwaitAck, CHANNEL, NothingSent, Surroundings};
use super::*;
use crate::random::SeededRandom;
use crate::time::{Clock as _, ManualClock};
use crate::transport::pause::Pause;
use crate::transport::scripted::{ScriptedTransport, Step as Scripted};
use crate::transport::{SendError, Transport};

/// Moves the clock in place of waiting, and is interrupted at the so-and-so-manieth wait.
struct Moving {
    clock: Arc<ManualClock>,
    waits: Mutex<Vec<Duration>>,
    interrupted_at: usize,
}

impl Pause for Moving {
    fn wait(&self, time: Duration) -> Waited {
        let mut waits = self.waits.lock().unwrap();
        waits.push(time);
        if waits.len() >= self.interrupted_at {
            return Waited::Interrupted;
        }
        self.clock.advance(time);
        Waited::Enough
    }

    fn interrupt(&self) {}
}

struct World {
    wire: ScriptedTransport,
    pause: Arc<Moving>,
    transport: AckTransport,
}

const TIMEOUT: Duration = Duration::from_secs(60);

fn script(
    steps: impl IntoIterator<Item = Scripted>,
    then: Response<Vec<u8>>,
    interrupted_at: usize,
) -> World {
    let wire = ScriptedTransport::new(steps, Scripted::Answer(then));
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let pause = Arc::new(Moving {
        clock: clock.clone(),
        waits: Mutex::default(),
        interrupted_at,
    });
    let around = Surroundings {
        clock,
        pause: pause.clone(),
        random: Arc::new(SeededRandom::new(7)),
    };
    let url = format!("{URL}/services/collector/ack").parse().unwrap();
    let transport = AckTransport::new(Arc::new(wire.clone()), url, TIMEOUT, around);
    World {
        wire,
        pause,
        transport,
    }
}

fn data() -> Request<Vec<u8>> {
    let mut request = Request::post(format!("{URL}/services/collector/event"))
        .body(b"records".to_vec())
        .unwrap();
    request.extensions_mut().insert(AwaitAck);
    request
}

fn acks(text: &str) -> Response<Vec<u8>> {
    answer(200, &format!("{{\"acks\":{{{text}}}}}"))
}

fn on() -> Scripted {
    Scripted::Answer(acks("\"0\":false"))
}

fn takes(id: u64) -> Scripted {
    Scripted::Answer(answer(
        200,
        &format!("{{\"text\":\"Success\",\"code\":0,\"ackId\":{id}}}"),
    ))
}

impl World {
    fn send(&self) -> Response<Vec<u8>> {
        self.transport.send(&data()).unwrap()
    }

    fn received(&self) -> Acknowledgement {
        self.send()
            .extensions()
            .get::<Acknowledgement>()
            .cloned()
            .unwrap()
    }

    fn channels(&self) -> Vec<String> {
        let of = |request: &Request<Vec<u8>>| request.headers()[&CHANNEL].to_str().unwrap().to_owned();
        self.wire.received().iter().map(of).collect()
    }
}

#[test]
fn it_comes_back_when_the_very_number_is_true_and_not_before() {
    let steps = [
        on(),
        takes(3),
        Scripted::Answer(acks("\"3\":false")),
        // Another's number.
        Scripted::Answer(acks("\"0\":true")),
        Scripted::Answer(answer(200, "{\"acks\":true}")),
        Scripted::Answer(acks("\"3\":\"true\"")),
        Scripted::Answer(code(503, 9)),
        Scripted::Swallowed,
        Scripted::Answer(acks("\"3\":true")),
    ];
    let world = script(steps, code(500, 8), usize::MAX);
    assert_eq!(world.received(), Acknowledgement::Received);
    assert_eq!(world.wire.attempts(), 9);
    let asked = world.wire.received();
    assert!(
        asked[2..]
            .iter()
            .all(|question| question.body() == b"{\"acks\":[3]}")
    );
    assert!(
        asked[2..]
            .iter()
            .all(|question| question.uri().path() == "/services/collector/ack")
    );
    let channels = world.channels();
    assert!(
        channels.iter().all(|channel| *channel == channels[0]),
        "{channels:?}"
    );
    // 250 ms, then twice as long each time, up to ten seconds.
    let waits: Vec<u128> = world
        .pause
        .waits
        .lock()
        .unwrap()
        .iter()
        .map(Duration::as_millis)
        .collect();
    assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000]);
}

#[test]
fn what_never_comes_is_given_up_at_the_time_that_was_set() {
    let world = script([on(), takes(0)], acks("\"0\":false"), usize::MAX);
    let expected = Acknowledgement::Missing {
        waited: TIMEOUT,
        problem: None,
        end: Waited::Enough,
    };
    assert_eq!(world.received(), expected);
    assert_eq!(world.pause.clock.monotonic().0, 60_000_000_000);
}

#[test]
fn the_last_problem_is_told() {
    let world = script([on(), takes(0)], code(401, 2), usize::MAX);
    let Acknowledgement::Missing {
        problem: Some(problem),
        ..
    } = world.received()
    else {
        panic!("acknowledged")
    };
    assert!(problem.contains("401"), "{problem}");
}

#[test]
fn a_stop_asks_once_more_and_then_ends_the_wait() {
    let world = script([on(), takes(0)], acks("\"0\":false"), 3);
    let Acknowledgement::Missing {
        end: Waited::Interrupted,
        ..
    } = world.received()
    else {
        panic!("acknowledged")
    };
    // Whether it is on, the data, and a question after each of three waits.
    assert_eq!(world.wire.attempts(), 5);
    let steps = [on(), takes(0), Scripted::Answer(acks("\"0\":true"))];
    let world = script(steps, acks("\"0\":false"), 1);
    assert_eq!(world.received(), Acknowledgement::Received);
}

#[test]
fn nothing_is_sent_to_a_token_without_acknowledgement() {
    let world = script([], code(400, 14), usize::MAX);
    for _ in 0..2 {
        let response = world.send();
        assert_eq!(response.extensions().get(), Some(&NothingSent));
        let outcome = decode(&hec(""), 3, &response);
        let Outcome::Config { reason } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            reason.contains("nothing was sent") && reason.contains("useACK"),
            "{reason}"
        );
    }
    assert!(
        world
            .wire
            .received()
            .iter()
            .all(|asked| asked.uri().path() == "/services/collector/ack")
    );
    // What is wrong with the question itself is nobody's record.
    for (response, class) in [
        (code(403, 4), Class::Auth),
        (code(503, 9), Class::Throttled),
        (answer(503, ""), Class::Unavailable),
        (answer(500, ""), Class::Unavailable),
        (answer(413, ""), Class::Config),
        (code(400, 6), Class::Config),
        (answer(200, "<html>"), Class::Config),
        (code(200, 0), Class::Config),
    ] {
        let world = script([], response, usize::MAX);
        assert_eq!(contract::class(&decode(&hec(""), 3, &world.send())), class);
        assert_eq!(world.wire.attempts(), 1);
    }
    let world = script([Scripted::Swallowed], code(400, 14), usize::MAX);
    let error = world.transport.send(&data()).unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
}

#[test]
fn a_200_without_a_number_is_asked_about_anew_before_anything_else_goes() {
    let steps = [
        on(),
        Scripted::Answer(code(200, 0)),
        Scripted::Answer(code(400, 14)),
    ];
    let world = script(steps, code(500, 8), usize::MAX);
    assert_eq!(world.received(), Acknowledgement::NotOffered);
    assert_eq!(world.send().extensions().get(), Some(&NothingSent));
}

#[test]
fn a_channel_is_used_again_only_when_nothing_is_open_in_it() {
    let never = acks("\"0\":false");
    let steps = [on(), takes(0), Scripted::Answer(acks("\"0\":true"))];
    let world = script(steps, never, usize::MAX);
    world.send();
    world.wire.push([takes(0)]);
    world.send();
    world.wire.push([takes(0), Scripted::Answer(acks("\"0\":true"))]);
    world.send();
    let channels = world.channels();
    let distinct: std::collections::BTreeSet<&String> = channels.iter().collect();
    assert_eq!(distinct.len(), 2);
    assert_eq!(channels[0], channels[3], "acknowledged: used again");
    assert_ne!(
        channels[3],
        channels[channels.len() - 1],
        "not acknowledged: left behind"
    );
}

#[test]
fn a_channel_in_which_something_may_be_open_is_left_behind() {
    for (refusal, again) in [
        (code(400, 6), Again::Used),
        (code(429, 27), Again::Used),
        (answer(408, ""), Again::LeftBehind),
        (code(500, 8), Again::LeftBehind),
    ] {
        let status = refusal.status();
        let world = script(
            [on(), Scripted::Answer(refusal), takes(0)],
            acks("\"0\":true"),
            usize::MAX,
        );
        world.send();
        world.send();
        let channels = world.channels();
        let used = channels[1] == channels[2];
        assert_eq!(used, again == Again::Used, "{status}");
    }
}

#[derive(PartialEq)]
enum Again {
    Used,
    LeftBehind,
}

#[test]
fn questions_go_the_way_of_their_batch() {
    let mut taken = answer(200, "{\"text\":\"Success\",\"code\":0,\"ackId\":0}");
    for cookie in ["AWSALB=a; Path=/; HttpOnly", "other=b"] {
        taken
            .headers_mut()
            .append(header::SET_COOKIE, cookie.parse().unwrap());
    }
    let steps = [
        on(),
        Scripted::Answer(taken),
        Scripted::Answer(acks("\"0\":true")),
    ];
    let world = script(steps, code(500, 8), usize::MAX);
    assert_eq!(world.received(), Acknowledgement::Received);
    let sent = world.wire.received();
    assert_eq!(sent[2].headers()[header::COOKIE], "AWSALB=a; other=b");
    assert!(sent[2].headers()[header::COOKIE].is_sensitive());
    assert_eq!(sent[1].headers().get(header::COOKIE), None);
}

#[test]
fn other_requests_pass_as_they_are() {
    let world = script([], code(400, 5), usize::MAX);
    let request = Request::post(URL).body(Vec::new()).unwrap();
    let response = world.transport.send_with(&request, &HeaderMap::new()).unwrap();
    assert_eq!(response.extensions().get::<Acknowledgement>(), None);
    assert_eq!(world.wire.attempts(), 1);
    assert!(world.wire.received()[0].headers().is_empty());
}
