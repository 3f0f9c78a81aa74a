//! How long to wait after a failure: exponential, with full jitter, without end. Pure.
//!
//! Invariant: a wait lies between zero and the cap of its policy, whatever a receiver asks for.

use std::time::Duration;

use crate::random::Random;

/// Bounds of a wait. The `n`th failure in a row waits a uniformly random time up to `base * 2^n`, at most `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    base: Duration,
    cap: Duration,
    longest_asked: Duration,
}

impl Policy {
    /// Outages and throttling: up to half a second at first, up to a minute later; a receiver may ask for ten minutes.
    pub const RETRY: Self = Self {
        base: Duration::from_millis(500),
        cap: Duration::from_secs(60),
        longest_asked: Duration::from_secs(600),
    };

    /// A held destination is asked less often: what is wrong waits for a person, and a wrong password that is offered
    /// too often may lock an account.
    pub const PROBE: Self = Self {
        base: Duration::from_secs(2),
        cap: Duration::from_secs(300),
        longest_asked: Duration::from_secs(600),
    };

    /// After a failure of our own disk or code: soon, as nobody outside is asked.
    pub const REOPEN: Self = Self {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(10),
        longest_asked: Duration::from_secs(10),
    };

    /// A policy of waits from up to `base` to up to `cap`, which is made at least `base`; a receiver's own wish is
    /// followed up to `longest_asked`.
    pub fn new(base: Duration, cap: Duration, longest_asked: Duration) -> Self {
        Self {
            base,
            cap: cap.max(base),
            longest_asked,
        }
    }

    /// The longest wait before try `failures + 1`, jitter left out.
    fn ceiling(&self, failures: u32) -> Duration {
        let doubled = 1u32
            .checked_shl(failures)
            .and_then(|factor| self.base.checked_mul(factor));
        doubled.unwrap_or(self.cap).min(self.cap)
    }

    /// How long to wait after `failures` failures in a row (the first is 0). `asked` is what the receiver asked for: not
    /// before that long, with the first step's jitter added so that all who were told the same do not come together.
    ///
    /// Without randomness the whole ceiling is waited: slower, never harder on the receiver.
    pub fn wait(&self, failures: u32, asked: Option<Duration>, random: &dyn Random) -> Duration {
        let spread = |ceiling: Duration| {
            let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
            match random.next_u64() {
                // The high half of a 128-bit product scales without the bias and the division of a remainder.
                Ok(bits) => Duration::from_nanos(
                    u64::try_from((u128::from(bits) * (u128::from(nanos) + 1)) >> 64).unwrap_or(nanos),
                ),
                Err(_) => ceiling,
            }
        };
        match asked {
            Some(asked) => {
                (asked.min(self.longest_asked) + spread(self.base)).min(self.longest_asked.max(self.cap))
            }
            None => spread(self.ceiling(failures)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{NoRandomness, SeededRandom};

    struct Constant(u64);

    impl Random for Constant {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
            bytes.copy_from_slice(&self.0.to_le_bytes()[..bytes.len()]);
            Ok(())
        }
    }

    struct Nothing;

    impl Random for Nothing {
        fn fill(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
            Err(NoRandomness)
        }
    }

    const POLICY: Policy = Policy {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(10),
        longest_asked: Duration::from_secs(30),
    };

    #[test]
    fn the_jitter_is_full_at_both_ends() {
        assert_eq!(POLICY.wait(3, None, &Constant(0)), Duration::ZERO);
        assert_eq!(
            POLICY.wait(3, None, &Constant(u64::MAX)),
            Duration::from_millis(800)
        );
    }

    #[test]
    fn ceilings_double_up_to_the_cap_and_never_overflow() {
        let longest = |failures| POLICY.wait(failures, None, &Constant(u64::MAX));
        assert_eq!(longest(0), Duration::from_millis(100));
        assert_eq!(longest(6), Duration::from_millis(6400));
        assert_eq!(longest(7), Duration::from_secs(10));
        assert_eq!(longest(u32::MAX), Duration::from_secs(10));
    }

    #[test]
    fn the_mean_of_full_jitter_is_half_the_ceiling() {
        let random = SeededRandom::new(7);
        let sum: Duration = (0..10_000).map(|_| POLICY.wait(2, None, &random)).sum();
        let mean = sum / 10_000;
        assert!(
            mean > Duration::from_millis(195) && mean < Duration::from_millis(205),
            "{mean:?}"
        );
    }

    #[test]
    fn what_a_receiver_asks_for_is_followed_inside_bounds() {
        let asked = |secs| POLICY.wait(9, Some(Duration::from_secs(secs)), &Constant(u64::MAX));
        assert_eq!(asked(0), Duration::from_millis(100));
        assert_eq!(asked(20), Duration::from_millis(20_100));
        assert_eq!(asked(1_000_000), Duration::from_secs(30));
        assert_eq!(
            POLICY.wait(0, Some(Duration::MAX), &Constant(0)),
            Duration::from_secs(30)
        );
    }

    #[test]
    fn without_randomness_the_whole_ceiling_is_waited() {
        assert_eq!(POLICY.wait(1, None, &Nothing), Duration::from_millis(200));
    }
}
