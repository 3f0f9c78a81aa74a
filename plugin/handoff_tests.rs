use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;

impl Handoff {
    /// How many flushes are queued. Only while nobody takes.
    fn queued(&self) -> usize {
        let mut at = self.head.load(Ordering::Acquire);
        let mut count = 0;
        while at != EMPTY && at != CLOSED {
            // SAFETY: as in `Batch::ticket`: queued tickets are live, and nobody answers them meanwhile.
            at = unsafe { &*ptr::with_exposed_provenance::<Ticket>(at) }
                .next
                .load(Ordering::Relaxed);
            count += 1;
        }
        count
    }

    fn await_queued(&self, count: usize) {
        while self.queued() < count {
            thread::yield_now();
        }
    }
}

fn opened() -> Handoff {
    let handoff = Handoff::closed();
    handoff.open();
    handoff
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_closed_queue_answers_at_once() {
    assert_eq!(Handoff::closed().offer(b"x", c"tag"), Answer::Retry);
}

#[test]
fn the_instance_sees_the_hosts_bytes_and_the_host_the_answer() {
    let handoff = opened();
    let bytes = vec![7_u8; 3_000_000];
    thread::scope(|scope| {
        let flush = scope.spawn(|| handoff.offer(&bytes, c"audit.log"));
        handoff.await_queued(1);
        let batch = handoff.take(LONG);
        let seen: Vec<_> = batch.chunks().collect();
        assert_eq!(seen.len(), 1);
        assert_eq!(
            (seen[0].bytes.as_ptr(), seen[0].bytes.len()),
            (bytes.as_ptr(), bytes.len())
        );
        assert_eq!(seen[0].tag, c"audit.log");
        batch.settle([Answer::Accepted]);
        assert_eq!(flush.join().unwrap(), Answer::Accepted);
    });
}

#[test]
fn all_that_wait_come_in_one_batch_oldest_first() {
    use Answer::{Accepted, Retry};
    let handoff = opened();
    thread::scope(|scope| {
        let flushes: Vec<_> = (0..5_u8)
            .map(|nth| {
                let handoff = &handoff;
                let flush = scope.spawn(move || handoff.offer(&[nth], c""));
                handoff.await_queued(usize::from(nth) + 1);
                flush
            })
            .collect();
        let batch = handoff.take(LONG);
        let order: Vec<u8> = batch.chunks().map(|chunk| chunk.bytes[0]).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
        batch.settle([Accepted, Retry, Accepted, Retry]);
        let answers: Vec<_> = flushes.into_iter().map(|flush| flush.join().unwrap()).collect();

        assert_eq!(
            answers,
            [Accepted, Retry, Accepted, Retry, Retry],
            "no answer means retry"
        );
    });
}

#[test]
fn a_batch_that_is_dropped_tells_its_flushes_to_retry() {
    let handoff = opened();
    thread::scope(|scope| {
        let flushes = [
            scope.spawn(|| handoff.offer(b"a", c"")),
            scope.spawn(|| handoff.offer(b"b", c"")),
        ];
        handoff.await_queued(2);
        drop(handoff.take(LONG));
        for flush in flushes {
            assert_eq!(flush.join().unwrap(), Answer::Retry);
        }
    });
}

#[test]
fn closing_answers_those_who_wait_and_those_who_come_and_opening_lets_in_again() {
    let handoff = opened();
    thread::scope(|scope| {
        let flush = scope.spawn(|| handoff.offer(b"a", c""));
        handoff.await_queued(1);
        handoff.close();
        assert_eq!(flush.join().unwrap(), Answer::Retry);
        assert_eq!(handoff.offer(b"b", c""), Answer::Retry);
        handoff.open();
        let flush = scope.spawn(|| handoff.offer(b"c", c""));
        handoff.await_queued(1);
        handoff.take(LONG).settle([Answer::Accepted]);
        assert_eq!(flush.join().unwrap(), Answer::Accepted);
    });
}

#[test]
fn opening_twice_keeps_what_is_queued() {
    let handoff = opened();
    thread::scope(|scope| {
        let flush = scope.spawn(|| handoff.offer(b"a", c""));
        handoff.await_queued(1);
        handoff.open();
        handoff.take(LONG).settle([Answer::Accepted]);
        assert_eq!(flush.join().unwrap(), Answer::Accepted);
    });
}

#[test]
fn a_ring_and_a_flush_end_the_wait() {
    let handoff = opened();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| handoff.take(LONG).is_empty());
        // Rings until the waiter has heard one: the first may come before it sleeps.
        while !waiting.is_finished() {
            handoff.ring();
            thread::yield_now();
        }
        assert!(waiting.join().unwrap());
    });
    assert!(
        handoff.take(Duration::from_millis(1)).is_empty(),
        "patience ends by itself"
    );
}

/// Many host threads whose buffers are overwritten the moment their flush returns, against one instance thread that
/// takes, reads everything twice, and opens and closes the queue in between. Any use of a buffer after its flush has
/// returned, any lost or swapped answer, any flush left waiting shows.
#[test]
fn stress() {
    const HOSTS: usize = 6;
    const FLUSHES: u32 = if cfg!(miri) { 30 } else { 4_000 };
    let handoff = opened();
    let done = AtomicBool::new(false);
    let (accepted, largest) = thread::scope(|scope| {
        let instance = scope.spawn(|| {
            let (mut accepted, mut largest, mut turn) = (0_u32, 0, 0_u32);
            while !done.load(Ordering::Acquire) {
                turn += 1;
                let batch = handoff.take(Duration::from_millis(20));
                let chunks: Vec<_> = batch.chunks().collect();
                largest = largest.max(chunks.len());
                let answers: Vec<_> = chunks
                    .iter()
                    .map(|chunk| {
                        let number = u32::from_le_bytes(chunk.bytes[..4].try_into().unwrap());
                        for _ in 0..2 {
                            assert!(
                                chunk
                                    .bytes
                                    .chunks_exact(4)
                                    .all(|word| word == number.to_le_bytes())
                            );
                            thread::yield_now();
                        }
                        if number % 3 == 0 {
                            Answer::Retry
                        } else {
                            Answer::Accepted
                        }
                    })
                    .collect();
                accepted +=
                    u32::try_from(answers.iter().filter(|&&is| is == Answer::Accepted).count()).unwrap();
                batch.settle(answers);
                if turn % 64 == 0 {
                    handoff.close();
                    handoff.open();
                }
            }
            (accepted, largest)
        });
        let hosts: Vec<_> = (0..HOSTS)
            .map(|host| {
                let handoff = &handoff;
                scope.spawn(move || {
                    let mut accepted = 0;
                    let mut buffer = [0_u8; 256];
                    for nth in 0..FLUSHES {
                        let number = nth * u32::try_from(HOSTS).unwrap() + u32::try_from(host).unwrap();
                        loop {
                            for word in buffer.chunks_exact_mut(4) {
                                word.copy_from_slice(&number.to_le_bytes());
                            }
                            let answer = handoff.offer(&buffer, c"stress");
                            buffer.fill(0xff);
                            std::hint::black_box(&buffer);
                            if answer == Answer::Accepted {
                                assert_ne!(number % 3, 0, "an answer of another flush");
                                accepted += 1;
                                break;
                            }
                            if number % 3 == 0 {
                                break;
                            }
                            // The queue was closed.
                            thread::yield_now();
                        }
                    }
                    accepted
                })
            })
            .collect();
        let told: u32 = hosts.into_iter().map(|host| host.join().unwrap()).sum();
        done.store(true, Ordering::Release);
        handoff.ring();
        let (accepted, largest) = instance.join().unwrap();
        assert_eq!(told, accepted, "every acceptance was told, and nothing else");
        (accepted, largest)
    });
    let numbers = FLUSHES * u32::try_from(HOSTS).unwrap();
    assert_eq!(
        accepted,
        numbers - numbers.div_ceil(3),
        "all but the multiples of three"
    );
    assert!(largest >= 2, "several waited together");
}
