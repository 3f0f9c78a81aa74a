//! The layouts of events, group markers, times, and what is found in a record on the way.

use super::*;
use crate::time::Timestamp;

fn host_time(time: &[u8]) -> Step {
    let event = [&[0x92], time, &[0x80]].concat();
    run(SourceFormat::FluentBit, &event).steps.remove(0)
}

#[test]
fn both_layouts_and_every_time() {
    let event_time = [0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 9];
    let same = Timestamp(0x6500_0000 * 1_000_000_000 + 9);
    for (chunk, time) in [
        (&[&[0x92][..], &event_time, &[0x80]].concat()[..], same),
        (&[&[0x92, 0x92][..], &event_time, &[0x80, 0x80]].concat(), same),
        (
            &[&[0x92, 0x92][..], &event_time, &[0x81, 0xa1, b'm', 0x90, 0x80]].concat(),
            same,
        ),
        (
            &[
                &[0xdc, 0, 2, 0xdd, 0, 0, 0, 2, 0xc7, 8][..],
                &event_time[1..],
                &[0xde, 0, 0, 0x80],
            ]
            .concat(),
            same,
        ),
        (&[0x92, 5, 0x80], Timestamp(5_000_000_000)),
        (
            &[0x92, 0x92, 0xce, 0, 0, 0, 5, 0x80, 0x80],
            Timestamp(5_000_000_000),
        ),
        (&[0x92, 0xd0, 5, 0x80], Timestamp(5_000_000_000)),
        (&[0x92, 0xca, 0x3f, 0xc0, 0, 0, 0x80], Timestamp(1_500_000_000)),
        (
            &[0x92, 0xcb, 0x40, 0x04, 0, 0, 0, 0, 0, 0, 0x80],
            Timestamp(2_500_000_000),
        ),
        (&[0x92, 0, 0x80], Timestamp(0)),
    ] {
        let run = run(SourceFormat::FluentBit, chunk);
        let [Step::Record(meta)] = &run.steps[..] else {
            panic!("{chunk:02x?}: {:?}", run.steps);
        };
        assert_eq!(meta.host_time, Some(time), "{chunk:02x?}");
        assert_eq!(run.records, ["{}"]);
    }
}

#[test]
fn markers_are_no_records_and_other_negative_times_no_events() {
    for time in [
        &[0xff][..],
        &[0xfe],
        &[0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xd7, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        &[0xd7, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0],
        &[0xca, 0xbf, 0x80, 0, 0],
    ] {
        assert_eq!(host_time(time), Step::GroupMarker, "{time:02x?}");
    }
    for time in [
        &[0xfd][..],
        &[0xd7, 0, 0xff, 0xff, 0xff, 0xfd, 0, 0, 0, 0],
        &[0xd7, 0, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0xca, 0xbf, 0xc0, 0, 0],
        &[0xca, 0x7f, 0xc0, 0, 0],
        &[0xca, 0x7f, 0x80, 0, 0],
        &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xce, 0xff, 0xff, 0xff, 0xff, 0xff][..5],
    ] {
        let is_late = time == [0xce, 0xff, 0xff, 0xff, 0xff];
        match host_time(time) {
            Step::Undecodable { fault, .. } => {
                assert_eq!(fault, Fault::NotAnEvent(NotAnEvent::TimeRange), "{time:02x?}");
            }
            Step::Record(meta) if is_late => {
                assert_eq!(meta.host_time, Some(Timestamp(4_294_967_295_000_000_000)));
            }
            other => panic!("{time:02x?}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_event_is_left_out_alone() {
    let good = event(&[0x80]);
    for (wrong, fault) in [
        (&[0x01][..], NotAnEvent::Root),
        (&[0x93, 1, 0x80, 0x80], NotAnEvent::Root),
        (&[0x91, 1], NotAnEvent::Root),
        (&[0x80], NotAnEvent::Root),
        (&[0x92, 0x91, 1, 0x80], NotAnEvent::Header),
        (&[0x92, 0x93, 1, 0x80, 0x80, 0x80], NotAnEvent::Header),
        (&[0x92, 0x92, 1, 0xc0, 0x80], NotAnEvent::Header),
        (&[0x92, 0xa1, b'x', 0x80], NotAnEvent::Time),
        (&[0x92, 0xc0, 0x80], NotAnEvent::Time),
        (&[0x92, 0xd7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80], NotAnEvent::Time),
        (&[0x92, 0xd6, 0, 0, 0, 0, 0, 0x80], NotAnEvent::Time),
        (
            &[0x92, 0x92, 0xfd, 0x81, 0xa1, b'm', 1, 0x80],
            NotAnEvent::TimeRange,
        ),
    ] {
        let chunk = [&good, wrong, &good].concat();
        let run = run(SourceFormat::FluentBit, &chunk);
        assert_eq!(run.records, ["{}", "{}"], "{wrong:02x?}");
        let fault = Fault::NotAnEvent(fault);
        let region = good.len()..good.len() + wrong.len();
        assert_eq!(
            run.steps[1],
            Step::Undecodable {
                region,
                line: None,
                fault
            },
            "{wrong:02x?}"
        );
    }
}

#[test]
fn damage_takes_the_rest_and_nothing_before_it() {
    let good = event(&[0x81, 0xa1, b'k', 0x90]);
    for (damage, fault) in [
        (&[0xc1][..], Fault::ReservedByte),
        (
            &[0x92, 7, 0x81, 0xa1, b'k', 0xc1, 0x92, 7, 0x80],
            Fault::ReservedByte,
        ),
        (&[0x92], Fault::Truncated),
        (&[0x92, 7], Fault::Truncated),
        (&[0x92, 7, 0x81, 0xa1, b'k'], Fault::Truncated),
        (&[0x92, 7, 0xda, 0xff, 0xff, 0x92, 7, 0x80], Fault::Truncated),
        (
            &[0x92, 7, 0xdf, 0xff, 0xff, 0xff, 0xff, 0x92, 7, 0x80],
            Fault::Truncated,
        ),
        // No event, and broken further on: nobody knows where the next one starts.
        (&[0x93, 7, 0xc1, 7], Fault::ReservedByte),
    ] {
        let chunk = [&good, damage].concat();
        let run = run(SourceFormat::FluentBit, &chunk);
        assert_eq!(run.records, [r#"{"k":[]}"#], "{damage:02x?}");
        let region = good.len()..chunk.len();
        assert_eq!(
            run.steps[1..],
            [Step::Undecodable {
                region,
                line: None,
                fault
            }],
            "{damage:02x?}"
        );
    }
}

#[test]
fn every_truncation_keeps_all_whole_events() {
    let events = [
        event(&map(&[
            (&text("a"), &[0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0]),
            (&[0xc4, 1, 1], &[0x91, 0xd4, 1, 1]),
        ])),
        [
            &[0x92, 0x92, 0xd7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x81, 0xa1, b'm', 1],
            &map(&[(&text("b"), &text("text"))])[..],
        ]
        .concat(),
        event(&text("tail")),
    ];
    let chunk = events.concat();
    for cut in 0..=chunk.len() {
        let mut ends = 0;
        let whole = events
            .iter()
            .take_while(|event| {
                ends += event.len();
                ends <= cut
            })
            .count();
        let run = run(SourceFormat::FluentBit, &chunk[..cut]);
        assert_eq!(run.records.len(), whole, "{cut}");
        let at_an_end = cut == events[..whole].iter().map(Vec::len).sum::<usize>();
        assert_eq!(run.steps.len(), whole + usize::from(!at_an_end), "{cut}");
    }
}

#[test]
fn the_id_is_the_first_text_or_number_at_its_path() {
    let event_ = text("event");
    let (id, dotted) = (text("id"), text("event.id"));
    let nested = |value: &[u8]| map(&[(&id, value)]);
    let found = |body: &[u8]| {
        let (_, meta, out) = one(body);
        meta.id(&out).map(|id| id.into_owned())
    };
    let abc = text("abc");
    assert_eq!(
        found(&map(&[(&event_, &nested(&abc))])),
        Some(String::from("abc"))
    );
    assert_eq!(found(&map(&[(&dotted, &abc)])), Some(String::from("abc")));
    assert_eq!(found(&map(&[(&dotted, &[0xd0, 0xfb])])), Some(String::from("-5")));
    assert_eq!(
        found(&map(&[(&dotted, &text("q\"\n"))])),
        Some(String::from("q\"\n"))
    );
    assert_eq!(
        found(&map(&[(&dotted, &[0xc0]), (&event_, &nested(&[9]))])),
        Some(String::from("9"))
    );
    assert_eq!(
        found(&map(&[(&dotted, &abc), (&event_, &nested(&[9]))])),
        Some(String::from("abc"))
    );
    for none in [
        &[0xa0][..],
        &[0xc0],
        &[0xc3],
        &[0x91, 1],
        &[0x81, 0xa2, b'i', b'd', 1],
        &[0xca, 0x7f, 0xc0, 0, 0],
    ] {
        assert_eq!(found(&map(&[(&dotted, none)])), None, "{none:02x?}");
    }
    // In an array, below another key, in a key: not at the path.
    let in_array = [&[0x91], &nested(&abc)[..]].concat();
    assert_eq!(found(&map(&[(&event_, &in_array)])), None);
    assert_eq!(found(&map(&[(&text("x"), &map(&[(&dotted, &abc)]))])), None);
    assert_eq!(found(&map(&[(&map(&[(&dotted, &abc)]), &[1])])), None);
}

#[test]
fn the_keys_of_fields_can_be_chosen() {
    let settings = Settings {
        id_key: KeyPath::new("a.b.c"),
        time_key: KeyPath::new("when"),
        category_key: KeyPath::new("kind"),
        ..Settings::default()
    };
    let body = map(&[
        (&text("a.b"), &map(&[(&text("c"), &[5])])),
        (&text("when"), &text("2026-01-02T03:04:05+01:00")),
        (&text("kind"), &text("iam")),
        (&text("event"), &map(&[(&text("category"), &text("file"))])),
    ]);
    let run = run_with(&settings, SourceFormat::FluentBit, &event(&body));
    let [Step::Record(meta)] = &run.steps[..] else {
        panic!("{:?}", run.steps)
    };
    assert_eq!(meta.id(&run.out).as_deref(), Some("5"));
    assert_eq!(
        meta.time.map(Timestamp::to_rfc3339).as_deref(),
        Some("2026-01-02T02:04:05.000000000Z")
    );
    assert_eq!(meta.categories.to_string(), "iam");
    assert!(!meta.has_timestamp);
}

#[test]
fn a_timestamp_counts_when_it_is_valid_and_stays_when_it_is_not() {
    let at = |value: &[u8]| {
        let (json, meta, _) = one(&map(&[(&text("@timestamp"), value)]));
        assert!(json.starts_with(r#"{"@timestamp":"#));
        assert!(meta.has_timestamp);
        meta.time
    };
    assert_eq!(
        at(&text("1970-01-01T00:00:01.5Z")),
        Some(Timestamp(1_500_000_000))
    );
    assert_eq!(
        at(&text("1970-01-01T01:00:01+01:00")),
        Some(Timestamp(1_000_000_000))
    );
    for invalid in [
        &text("yesterday")[..],
        &text("2026-13-01T00:00:00Z"),
        &text("2026-01-01T00:00:00"),
        &text("9999-01-01T00:00:00Z"),
        &[5],
        &[0xc0],
    ] {
        assert_eq!(at(invalid), None);
    }
    let nested = map(&[(&text("@timestamp"), &text("1970-01-01T00:00:01Z"))]);
    let (_, meta, _) = one(&map(&[(&text("x"), &nested)]));
    assert_eq!((meta.has_timestamp, meta.time), (false, None));
}

#[test]
fn categories_of_all_forms_and_repeats_add_up() {
    let (nest, key, dotted) = (text("event"), text("category"), text("event.category"));
    let iam_web = [&[0x92], &text("iam")[..], &text("web")].concat();
    let found = |members: &[(&[u8], &[u8])]| one(&map(members)).1.categories.to_string();
    assert_eq!(found(&[(&dotted, &text("iam"))]), "iam");
    assert_eq!(found(&[(&nest, &map(&[(&key, &iam_web)]))]), "iam,web");
    assert_eq!(
        found(&[(&dotted, &text("file")), (&nest, &map(&[(&key, &iam_web)]))]),
        "file,iam,web"
    );
    let twice = map(&[(&key, &text("file")), (&key, &text("host"))]);
    assert_eq!(
        found(&[(&nest, &twice), (&nest, &map(&[(&key, &text("iam"))]))]),
        "file,host,iam"
    );
    assert_eq!(found(&[(&dotted, &text("auth"))]), "authentication");
    for none in [&[0xc0][..], &[0x90], &[0x91, 0xc0]] {
        assert_eq!(found(&[(&dotted, none)]), "", "{none:02x?}");
    }
    for unknown in [
        &text("IAM")[..],
        &text(""),
        &[5],
        &[0xc2],
        &[0x80],
        &[0x91, 5],
        &[0x91, 0x91, 0xa3, b'i', b'a', b'm'],
        &[0xc4, 1, 1],
    ] {
        assert_eq!(found(&[(&dotted, unknown)]), "unknown", "{unknown:02x?}");
    }
    let mixed = [&[0x93], &text("iam")[..], &text("b\"],"), &text("web")].concat();
    assert_eq!(found(&[(&dotted, &mixed)]), "iam,web,unknown");
    // What is no name hides none behind it: a number, an array with a name and a bracket in it, an object.
    for no_name in [&[5][..], &[0x91, 0xa2, b']', b','], &[0x81, 0xa1, b'a', 0x90]] {
        let before = [&[0x92], no_name, &text("iam")].concat();
        assert_eq!(found(&[(&dotted, &before)]), "iam,unknown", "{no_name:02x?}");
    }
}

#[test]
fn resync_finds_the_next_event_behind_damage() {
    let good = [
        0x92, 0x92, 0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 9, 0x80, 0x81, 0xa1, b'k', 1,
    ];
    let legacy = [0x92, 0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 9, 0x80];
    let integer = [0x92, 0xce, 0x65, 0, 0, 0, 0x80];
    // What is left of a header in front of a V1 event makes a V2 header, which nobody can tell from a real one.
    let beheaded = [&[0x92][..], &[0x92, 0x92], &[0x92, 0x92, 0xd7, 0]];
    let others = [&[0xc1][..], &[0x92, 5, 0x80, 0xc1], b"plain text"];
    let cases = (beheaded.iter().map(|damage| (damage, &good[..])))
        .chain(others.iter().map(|damage| (damage, &good[..])))
        .chain(others.iter().map(|damage| (damage, &legacy[..])))
        .chain(others.iter().map(|damage| (damage, &integer[..])));
    for (damage, event) in cases {
        let chunk = [damage, event].concat();
        assert_eq!(resync(&chunk, 0), Some(damage.len()), "{chunk:02x?}");
        assert_eq!(resync(&chunk, damage.len()), Some(damage.len()));
        assert_eq!(resync(&chunk, damage.len() + 2), None, "{chunk:02x?}");
    }
    assert_eq!(resync(&[], 0), None);
    assert_eq!(resync(&good, 99), None);
}
