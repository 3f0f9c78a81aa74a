use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use auditship::time::SystemClock;

use super::*;

/// What senders get at a stop.
const PATIENCE: Duration = Duration::from_millis(7);

/// What a fake intake tells of its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Opened,
    Accepting(Vec<Vec<u8>>),
    Ticked,
    Restarted(String),
    Stopped(Duration),
    Dropped(String),
}

/// Does what the first byte of a chunk says.
struct Fake {
    events: Sender<Event>,
    gate: Arc<Mutex<Receiver<()>>>,
}

impl Intake for Fake {
    fn accept(&mut self, chunks: &[Offered<'_>], answers: &mut [Answer]) {
        let bytes = chunks.iter().map(|chunk| chunk.bytes.to_vec()).collect();
        self.events.send(Event::Accepting(bytes)).unwrap();
        for (chunk, answer) in chunks.iter().zip(answers) {
            match chunk.bytes.first() {
                Some(b'a') => *answer = Answer::Accepted,
                Some(b'g') => {
                    self.gate.lock().unwrap().recv().unwrap();
                    *answer = Answer::Accepted;
                }
                Some(b'p') => panic!("no such record: {}", chunk.bytes.len()),
                _ => {}
            }
        }
    }

    fn tick(&mut self) {
        let _after_the_test = self.events.send(Event::Ticked);
    }

    fn restarted(&mut self, why: &str) {
        self.events.send(Event::Restarted(why.to_owned())).unwrap();
    }

    fn stop(self: Box<Self>, patience: Duration) {
        self.events.send(Event::Stopped(patience)).unwrap();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let name = thread_name();
        let _after_the_test = self.events.send(Event::Dropped(name));
    }
}

fn thread_name() -> String {
    std::fs::read_to_string("/proc/thread-self/comm")
        .unwrap()
        .trim_end()
        .to_owned()
}

struct Setup {
    instance: &'static Instance,
    events: Receiver<Event>,
    gate: Sender<()>,
}

impl Setup {
    /// An instance whose openings have the given outcomes, and then succeed.
    fn new(name: &str, outcomes: Vec<Result<(), &'static str>>) -> Result<Self, String> {
        let (events, told) = channel();
        let (gate, passes) = channel();
        let passes = Arc::new(Mutex::new(passes));
        let mut outcomes = outcomes.into_iter();
        let instance = Instance::start(
            name,
            Arc::new(SystemClock::new()),
            Box::new(move || {
                outcomes.next().unwrap_or(Ok(()))?;
                events.send(Event::Opened).unwrap();
                Ok(Box::new(Fake {
                    events: events.clone(),
                    gate: Arc::clone(&passes),
                }))
            }),
        )?;
        Ok(Self {
            instance,
            events: told,
            gate,
        })
    }

    fn offer(&self, bytes: &'static [u8]) -> thread::JoinHandle<Answer> {
        let instance = self.instance;
        thread::spawn(move || instance.handoff().offer(bytes, c"tag"))
    }

    /// The next event that is not a tick.
    fn event(&self) -> Event {
        loop {
            match self.events.recv_timeout(Duration::from_secs(30)).unwrap() {
                Event::Ticked => {}
                event => return event,
            }
        }
    }
}

fn accepting(chunks: &[&[u8]]) -> Event {
    Event::Accepting(chunks.iter().map(|chunk| chunk.to_vec()).collect())
}

#[test]
fn chunks_are_accepted_on_a_thread_of_ours_until_the_stop() {
    let setup = Setup::new("first-instance", vec![]).unwrap();
    assert_eq!(setup.event(), Event::Opened);
    assert_eq!(setup.offer(b"a1").join().unwrap(), Answer::Accepted);
    assert_eq!(setup.event(), accepting(&[b"a1"]));
    assert_eq!(setup.offer(b"full").join().unwrap(), Answer::Retry);
    assert_eq!(setup.event(), accepting(&[b"full"]));
    setup.instance.stop(PATIENCE);
    assert_eq!(setup.event(), Event::Stopped(PATIENCE));
    assert_eq!(
        setup.event(),
        Event::Dropped("aship-first-ins".into()),
        "the name is cut at 15 bytes"
    );
    assert_eq!(setup.offer(b"a2").join().unwrap(), Answer::Retry, "after the end");
    setup.instance.stop(PATIENCE);
    assert!(setup.events.try_recv().is_err(), "a second stop does nothing");
}

#[test]
fn chunks_that_wait_while_one_is_accepted_are_accepted_together() {
    let setup = Setup::new("group", vec![]).unwrap();
    assert_eq!(setup.event(), Event::Opened);
    let slow = setup.offer(b"g");
    assert_eq!(setup.event(), accepting(&[b"g"]));
    let others = [setup.offer(b"a"), setup.offer(b"a"), setup.offer(b"a")];
    // Three rings after the first say that three flushes are queued.
    while setup.instance.handoff().bell_count() < 4 {
        thread::yield_now();
    }
    setup.gate.send(()).unwrap();
    assert_eq!(setup.event(), accepting(&[b"a", b"a", b"a"]));
    for flush in others.into_iter().chain([slow]) {
        assert_eq!(flush.join().unwrap(), Answer::Accepted);
    }
    setup.instance.stop(PATIENCE);
}

#[test]
fn a_panic_tells_all_who_wait_to_retry_and_the_intake_is_opened_again() {
    guest::set_panic_hook();
    let setup = Setup::new("panics", vec![Ok(()), Err("still locked"), Ok(())]).unwrap();
    assert_eq!(setup.event(), Event::Opened);
    let slow = setup.offer(b"g");
    assert_eq!(setup.event(), accepting(&[b"g"]));
    let hit = setup.offer(b"panic");
    while setup.instance.handoff().bell_count() < 2 {
        thread::yield_now();
    }
    let beside = setup.offer(b"a");
    while setup.instance.handoff().bell_count() < 3 {
        thread::yield_now();
    }
    setup.gate.send(()).unwrap();
    assert_eq!(
        slow.join().unwrap(),
        Answer::Accepted,
        "its batch was done before"
    );
    assert_eq!(setup.event(), accepting(&[b"panic", b"a"]));
    assert_eq!(hit.join().unwrap(), Answer::Retry);
    assert_eq!(
        beside.join().unwrap(),
        Answer::Retry,
        "the intake's state is not to be trusted after a panic"
    );
    assert_eq!(
        setup.event(),
        Event::Stopped(SENDERS),
        "the broken intake is ended"
    );
    assert_eq!(setup.event(), Event::Dropped("aship-panics".into()));
    assert_eq!(
        setup.event(),
        Event::Opened,
        "and opened again, at the second attempt"
    );
    match setup.event() {
        Event::Restarted(why) => {
            assert!(
                why.starts_with("no such record: 5 (plugin/instance_tests.rs:"),
                "{why}"
            );
        }
        other => panic!("{other:?}"),
    }
    // The queue opens right after that.
    while setup.offer(b"a").join().unwrap() == Answer::Retry {}
    setup.instance.stop(PATIENCE);
}

#[test]
fn an_opening_that_fails_or_panics_fails_the_start() {
    guest::set_panic_hook();
    let failed = Setup::new("fails", vec![Err("the spool is locked")]).map(|_| ());
    assert_eq!(failed, Err("the spool is locked".into()));
    let panicked = Instance::start("x", Arc::new(SystemClock::new()), Box::new(|| panic!("oh"))).map(|_| ());
    let why = panicked.unwrap_err();
    assert!(
        why.starts_with("a defect in auditship: oh (plugin/instance_tests.rs:"),
        "{why}"
    );
}

#[test]
fn a_stop_during_the_pause_after_a_panic_does_not_wait_for_it() {
    guest::set_panic_hook();
    let refusals = vec![Ok(()); 1]
        .into_iter()
        .chain(vec![Err("locked"); 1_000])
        .collect();
    let setup = Setup::new("pausing", refusals).unwrap();
    assert_eq!(setup.offer(b"p").join().unwrap(), Answer::Retry);
    let clock = SystemClock::new();
    setup.instance.stop(PATIENCE);
    assert!(clock.monotonic().since(Monotonic(0)) < Duration::from_secs(5));
}

#[test]
fn the_intake_ticks_while_nothing_happens() {
    let setup = Setup::new("ticks", vec![]).unwrap();
    assert_eq!(
        setup.events.recv_timeout(Duration::from_secs(30)).unwrap(),
        Event::Opened
    );
    for _ in 0..3 {
        assert_eq!(
            setup.events.recv_timeout(Duration::from_secs(30)).unwrap(),
            Event::Ticked
        );
    }
    setup.instance.stop(PATIENCE);
}

#[test]
fn the_thread_blocks_every_signal_but_those_it_raises_itself_and_the_caller_keeps_its_own() {
    let mask = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("SigBlk:")).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let before = mask();
    let (send, receive) = channel();
    let thread = Thread::spawn("mask", STACK, move || send.send((mask(), thread_name())).unwrap()).unwrap();
    thread.join();
    assert_eq!(mask(), before);
    let (blocked, name) = receive.recv().unwrap();
    assert_eq!(name, "aship-mask");
    for signal in 1..=31 {
        let is_blocked = blocked & (1 << (signal - 1)) != 0;
        let never = [libc::SIGKILL, libc::SIGSTOP];
        let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];
        let expected = !never.contains(&signal) && !faults.contains(&signal);
        assert_eq!(is_blocked, expected, "signal {signal}");
    }
}
