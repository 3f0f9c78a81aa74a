//! Input made to exhaust stack, memory or time.

use super::*;

fn small() -> Settings {
    Settings {
        max_depth: 10,
        max_record_bytes: 1_000,
        ..Settings::default()
    }
}

/// What becomes of `wrong` between two good events.
fn between(settings: &Settings, wrong: &[u8]) -> Step {
    let good = event(&[0x80]);
    let mut run = run_with(settings, SourceFormat::FluentBit, &[&good, wrong, &good].concat());
    assert_eq!(run.records.first().map(String::as_str), Some("{}"));
    run.steps.remove(1)
}

fn fault(step: &Step) -> Fault {
    match step {
        Step::Undecodable { fault, .. } => *fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn depth_is_bounded_exactly_and_the_rest_goes_on() {
    let settings = small();
    let nested = |depth: usize| event(&[&[0x81, 0xa1, b'k'].repeat(depth - 1)[..], &[0x80]].concat());
    assert!(matches!(between(&settings, &nested(10)), Step::Record(_)));
    let deep = nested(11);
    let step = between(&settings, &deep);
    assert_eq!(fault(&step), Fault::TooDeep { max: 10 });
    let from = event(&[0x80]).len();
    assert!(matches!(step, Step::Undecodable { region, .. } if region == (from..from + deep.len())));
}

#[test]
fn a_million_levels_need_no_stack() {
    let settings = Settings::default();
    for opener in [&[0x91][..], &[0x81, 0xa1, b'k'], &[0x81, 0xc0], &[0x81]] {
        // As values, and (the last) as keys; ended by as many values as are missing, or not ended at all.
        let levels = 1_000_000;
        let open = opener.repeat(levels);
        let run = run(SourceFormat::FluentBit, &event(&open));
        assert_eq!(
            run.steps.iter().map(fault).collect::<Vec<_>>(),
            [Fault::Truncated]
        );
        let values = if opener == [0x81] { levels + 1 } else { 1 };
        let closed = [&open[..], &vec![0xc0; values]].concat();
        assert_eq!(
            fault(&between(&settings, &event(&closed))),
            Fault::TooDeep { max: 100 }
        );
        let metadata = [&[0x92, 0x92, 7], &closed[..], &[0x80]].concat();
        let step = between(&settings, &metadata);
        assert!(matches!(step, Step::Record(_) | Step::Undecodable { .. }));
    }
}

#[test]
fn claims_are_not_believed() {
    let settings = Settings::default();
    for claim in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf] {
        let body = [claim, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        assert_eq!(
            fault(&between(&settings, &event(&body))),
            Fault::Truncated,
            "{claim:02x}"
        );
        let metadata = [&[0x92, 0x92, 7], &body[..]].concat();
        assert!(
            matches!(between(&settings, &metadata), Step::Undecodable { .. }),
            "{claim:02x}"
        );
    }
}

#[test]
fn size_is_bounded_exactly_and_the_rest_goes_on() {
    let settings = small();
    // {"k":"…"} has eight bytes beside the text.
    let of = |len: usize| event(&map(&[(&text("k"), &text(&"x".repeat(len)))]));
    assert!(matches!(between(&settings, &of(992)), Step::Record(_)));
    assert_eq!(
        fault(&between(&settings, &of(993))),
        Fault::TooLarge { max: 1_000 }
    );
    assert_eq!(
        fault(&between(&settings, &of(5_000))),
        Fault::TooLarge { max: 1_000 }
    );
    // Many small values, escapes, base64, numbers, keys: each kind of growth meets the limit.
    for body in [
        [&[0xdc, 0x01, 0x00][..], &[0xc0; 256]].concat(),
        text(&"\u{0}".repeat(300)),
        [&[0xda, 0x02, 0x00][..], &[0xff; 512]].concat(),
        [&[0xc5, 0x03, 0x00][..], &[0xff; 768]].concat(),
        [&[0xc8, 0x03, 0x00, 5][..], &[0xff; 768]].concat(),
        map(&vec![(&[0xc3][..], &[1][..]); 200]),
    ] {
        assert_eq!(
            fault(&between(&settings, &event(&body))),
            Fault::TooLarge { max: 1_000 }
        );
    }
}

#[test]
fn keys_inside_keys_do_not_multiply_escapes_beyond_the_limit() {
    // Each level doubles the backslashes of the one inside.
    let mut key = text("\"");
    for _ in 0..60 {
        key = map(&[(&key, &[1])]);
    }
    let step = between(&Settings::default(), &event(&map(&[(&key, &[1])])));
    assert_eq!(fault(&step), Fault::TooLarge { max: 8 << 20 });
}

#[test]
fn fifty_megabytes_are_one_region_and_allocate_nothing_of_the_kind() {
    let settings = Settings::default();
    let mut body = vec![0xdb];
    body.extend_from_slice(&(50_u32 << 20).to_be_bytes());
    body.resize(body.len() + (50 << 20), b'x');
    let (good, huge) = (event(&[0x80]), event(&body));
    let run = run_with(
        &settings,
        SourceFormat::FluentBit,
        &[&good[..], &huge, &good].concat(),
    );
    assert_eq!(run.records, ["{}", "{}"]);
    assert_eq!(fault(&run.steps[1]), Fault::TooLarge { max: 8 << 20 });
    assert!(run.out.capacity() < 1 << 20, "{}", run.out.capacity());
    let line = [b"{\"k\":\"", &body[5..], b"\"}\n{}\n"].concat();
    let run = run_with(&settings, SourceFormat::Ndjson, &line);
    assert_eq!(run.records, ["{}"]);
    assert!(run.out.capacity() < 1 << 20, "{}", run.out.capacity());
}

#[test]
fn maps_of_many_keys_are_not_quadratic() {
    // Five times 10^9 comparisons each, were they.
    let a = text("a");
    let repeats = map(&vec![(&a[..], &[1][..]); 100_000]);
    assert_eq!(one(&repeats).1.members, 100_000);
    let keys: Vec<Vec<u8>> = (0..100_000)
        .map(|n| text(&format!("12345678{n:010}12345678")))
        .collect();
    let alike: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &[1][..])).collect();
    assert_eq!(one(&map(&alike)).1.members, 100_000);
}

#[test]
fn lines_are_as_bounded_as_chunks() {
    let deep = "[".repeat(1_000_000);
    let closed = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let input = format!("{{}}\n{deep}\n{closed}\n{{\"k\":{closed}}}\n{{}}\n");
    let run = run(SourceFormat::Ndjson, input.as_bytes());
    assert_eq!(run.records, ["{}", "{}"]);
    for step in &run.steps[1..4] {
        assert_eq!(fault(step), Fault::TooDeep { max: 100 });
    }
}
