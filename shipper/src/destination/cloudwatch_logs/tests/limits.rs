//! No request exceeds a limit, and a batch closes only when the next record does not fit.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::deliver::pack::{Batching, Fit, Packer};

const WIDE: Batching = Batching {
    bytes: u64::MAX,
    records: u32::MAX,
    age: Duration::ZERO,
};

/// Whether the API takes these events in one request, by its documentation.
fn fits(events: &[(i64, String)]) -> bool {
    let bytes: usize = events.iter().map(|(_, message)| message.len() + 26).sum();
    let times = || events.iter().map(|(time, _)| *time);
    let span = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    bytes <= 1_048_576 && events.len() <= 10_000 && span <= DAY
}

fn packs_to_the_limits(keys: &str, rows: &[(i64, String)]) -> Result<(), TestCaseError> {
    let to = cloudwatch(keys);
    let check = |rows: &[(i64, String)]| {
        if rows.is_empty() {
            return Ok(());
        }
        let borrowed = Rows::new(rows.iter().map(|(time, json)| (*time, json.as_str())));
        let request = encode(&to, &borrowed);
        let events = events(request.body());
        prop_assert!(
            fits(&events),
            "{} events, {} bytes",
            events.len(),
            counted(request.body())
        );
        prop_assert!(events.is_sorted_by_key(|(time, _)| *time));
        prop_assert_eq!(events.len(), rows.len());
        Ok(())
    };
    let limits = to.limits();
    let (mut packer, mut inside) = (Packer::new(&limits, &WIDE), Vec::new());
    for (time, json) in rows {
        let one = Rows::new([(*time, json.as_str())]);
        let size = to.size(&one.records()[0]);
        let time_ns = one.records()[0].entry.time;
        let mut fit = packer.offer(size, time_ns);
        if fit == Fit::Next {
            let mut more = inside.clone();
            more.push((*time, json.clone()));
            prop_assert!(!fits(&more), "closed although the next record fits");
            check(&inside)?;
            inside.clear();
            packer = Packer::new(&limits, &WIDE);
            fit = packer.offer(size, time_ns);
        }
        match fit {
            Fit::Taken => inside.push((*time, json.clone())),
            Fit::Never { limit } => prop_assert!(limit == 1_048_550 && json.len() > 1_048_550),
            Fit::Next => prop_assert!(false, "an empty batch takes no record"),
        }
    }
    check(&inside)
}

fn json_of(size: usize) -> String {
    // As long in UTF-8 as it is written; in JSON within JSON it is longer.
    let text: String = "\"\\a ".chars().cycle().take(size.saturating_sub(8)).collect();
    let text = text.replace('"', "'").replace('\\', "/");
    let mut json = format!("{{\"a\":\"{text}\"}}");
    json.truncate(size);
    json
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(sizes in prop::collection::vec(prop_oneof![
        8 => 1_000_usize..300_000,
        2 => 1_048_540_usize..1_048_560,
        2 => 524_255_usize..524_270,
        4 => 8_usize..60,
    ], 1..30)) {
        let rows: Vec<_> = sizes.iter().map(|size| (MADE_AT, json_of(*size))).collect();
        packs_to_the_limits("", &rows)?;
    }

    #[test]
    fn span(times in prop::collection::vec(prop_oneof![
        -1_000_i64..1_000, DAY - 3..DAY + 3, -DAY - 3..-DAY + 3, -3 * DAY..3 * DAY,
    ], 1..60)) {
        let rows: Vec<_> = times.iter().map(|time| (MADE_AT + time, String::from("{}"))).collect();
        packs_to_the_limits("", &rows)?;
        packs_to_the_limits("too_old = \"restamp\"", &rows)?;
    }

    #[test]
    fn span_around_the_ages_that_are_restamped(times in prop::collection::vec(prop_oneof![
        -14 * DAY - 5 * 3_600_000..-14 * DAY + 30 * 3_600_000, -20 * 3_600_000_i64..30 * 3_600_000,
    ], 1..60)) {
        let mut times = times;
        times.sort_unstable();
        let rows: Vec<_> = times.iter().map(|time| (MADE_AT + time, String::from("{}"))).collect();
        packs_to_the_limits_restamped(&rows)?;
    }
}

/// Closing cannot be judged by what is sent here: batches are made by the records' own times.
fn packs_to_the_limits_restamped(rows: &[(i64, String)]) -> Result<(), TestCaseError> {
    let to = cloudwatch("too_old = \"restamp\"");
    let limits = to.limits();
    let mut rest = rows;
    while !rest.is_empty() {
        let mut packer = Packer::new(&limits, &WIDE);
        let taken = rest
            .iter()
            .take_while(|(time, json)| {
                packer.offer(json.len() as u64, Timestamp(time * 1_000_000)) == Fit::Taken
            })
            .count();
        let (batch, after) = rest.split_at(taken);
        let borrowed = Rows::new(batch.iter().map(|(time, json)| (*time, json.as_str())));
        let events = events(encode(&to, &borrowed).body());
        prop_assert!(fits(&events));
        for (time, _) in &events {
            // Nothing is left that the service would reject.
            prop_assert!(
                *time > MADE_AT - 14 * DAY && *time < MADE_AT + 2 * 3_600_000,
                "{}",
                time - MADE_AT
            );
        }
        rest = after;
    }
    Ok(())
}

#[test]
fn count() {
    let rows = vec![(MADE_AT, String::from("{}")); 20_001];
    packs_to_the_limits("", &rows).unwrap();
}

#[test]
fn the_26_bytes_of_each_event_count() {
    // 10,000 events of 78 bytes fill the request but for 8,576 bytes; of 79 they do not fit.
    for (size, fitting) in [(78, 10_000), (79, 9_986)] {
        let mut packer = Packer::new(&cloudwatch("").limits(), &WIDE);
        let taken = (0..20_000).take_while(|_| packer.offer(size, Timestamp(0)) == Fit::Taken);
        assert_eq!(taken.count(), fitting, "{size}");
    }
}

#[test]
fn a_region_with_smaller_events_has_its_own_limit() {
    let mut packer = Packer::new(&cloudwatch("max_event_bytes = 262118").limits(), &WIDE);
    assert_eq!(packer.offer(262_119, Timestamp(0)), Fit::Never { limit: 262_118 });
    assert_eq!(packer.offer(262_118, Timestamp(0)), Fit::Taken);
}
