//! Many lives of one spool: what was spooled once is told from news, wherever its segment has gone meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::storage::sim::Crash;
use super::*;
use crate::random::Random;
use crate::time::Clock;

/// A number below `bound`.
fn below(random: &SeededRandom, bound: u64) -> u64 {
    random.next_u64().unwrap() % bound
}

/// One life: chunks of old and new records, a cursor that follows, time that passes, at the end a kill.
fn live(rig: &Rig, random: &SeededRandom, known: &mut BTreeSet<u64>) {
    let mut feed = rig.open();
    let expected = known.len() as u64;
    assert_eq!(
        feed.writer.totals().spooled,
        expected,
        "spooled before this life, of {expected} different records"
    );
    for _ in 0..below(random, 4) {
        let newest = known.len() as u64;
        let mut lines = String::new();
        for _ in 0..below(random, 5) {
            lines.push_str(&event(&below(random, newest.max(1)).to_string()));
        }
        let new = newest..newest + below(random, 3);
        lines.extend(new.clone().map(|id| event(&id.to_string())));
        // Ids are given out in order, so that an old one is known unless it is 0 in an empty spool.
        known.extend(new);
        known.extend(lines.contains("\"0\"").then_some(0));
        feed.put_and_sync(&lines);
        assert_eq!(feed.writer.totals().spooled, known.len() as u64);
    }
    if below(random, 3) > 0 {
        let committed = feed.writer.next().seq;
        rig.commit_cursor(&feed, "only", committed);
    }
    if below(random, 3) == 0 {
        rig.clock.advance(Duration::from_secs(2));
        feed.writer.maintain(rig.clock.wall());
    }
}

#[test]
fn what_is_handed_over_again_is_told_however_many_lives_ago_its_segment_went() {
    for seed in 0..40 {
        let random = SeededRandom::new(seed);
        let mut rig = Rig::new();
        rig.options.retain = Duration::from_secs(1);
        let mut known = BTreeSet::new();
        for life in 0..20 {
            live(&rig, &random, &mut known);
            rig = rig.crashed(Crash::Kill, seed * 100 + life);
        }
        assert!(known.len() > 10, "seed {seed}");
    }
}
