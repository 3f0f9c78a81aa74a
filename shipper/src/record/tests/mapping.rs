//! Every msgpack format by its first byte, and each documented mapping, one by one.

use super::*;

#[test]
fn every_format_of_the_specification() {
    let cases: &[(&[u8], &str)] = &[
        (&[0x00], "0"),
        (&[0x7f], "127"),
        (&[0xe0], "-32"),
        (&[0xff], "-1"),
        (&[0xcc, 0xff], "255"),
        (&[0xcd, 0xff, 0xfe], "65534"),
        (&[0xce, 0xff, 0xff, 0xff, 0xfe], "4294967294"),
        (
            &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            "18446744073709551615",
        ),
        (&[0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1], "9007199254740993"),
        (&[0xd0, 0x80], "-128"),
        (&[0xd1, 0x80, 0x00], "-32768"),
        (&[0xd2, 0x80, 0, 0, 0], "-2147483648"),
        (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
        (&[0xd3, 0, 0, 0, 0, 0, 0, 0, 5], "5"),
        (&[0xc0], "null"),
        (&[0xc2], "false"),
        (&[0xc3], "true"),
        (&[0xca, 0x3d, 0xcc, 0xcc, 0xcd], "0.1"),
        (&[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], "0.1"),
        (
            &[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0xa0, 0, 0, 0],
            "0.10000000149011612",
        ),
        (&[0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0], "2.0"),
        (&[0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0], "-0.0"),
        (&[0xa0], r#""""#),
        (&[0xa3, b'a', b'"', b'b'], r#""a\"b""#),
        (&[0xd9, 1, b'x'], r#""x""#),
        (&[0xda, 0, 1, b'x'], r#""x""#),
        (&[0xdb, 0, 0, 0, 1, b'x'], r#""x""#),
        (&[0xc4, 2, 0xfb, 0xff], r#""+/8=""#),
        (&[0xc5, 0, 0], r#""""#),
        (&[0xc6, 0, 0, 0, 1, b'M'], r#""TQ==""#),
        (&[0x90], "[]"),
        (&[0x92, 1, 0x91, 0xc0], "[1,[null]]"),
        (&[0xdc, 0, 1, 1], "[1]"),
        (&[0xdd, 0, 0, 0, 2, 1, 2], "[1,2]"),
        (&[0x80], "{}"),
        (&[0x82, 0xa1, b'b', 1, 0xa1, b'a', 0x80], r#"{"b":1,"a":{}}"#),
        (&[0xde, 0, 1, 0xa1, b'a', 1], r#"{"a":1}"#),
        (&[0xdf, 0, 0, 0, 1, 0xa1, b'a', 1], r#"{"a":1}"#),
        (&[0xd4, 5, 0xff], r#"{"type":5,"data":"/w=="}"#),
        (&[0xd5, 0x80, 0xff, 0xff], r#"{"type":-128,"data":"//8="}"#),
        (&[0xd6, 1, 0, 0, 0, 0], r#"{"type":1,"data":"AAAAAA=="}"#),
        (
            &[0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            r#"{"type":0,"data":"AAAAAAAAAAA="}"#,
        ),
        (
            &[0xd8, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            r#"{"type":2,"data":"AAAAAAAAAAAAAAAAAAAAAA=="}"#,
        ),
        (&[0xc7, 0, 9], r#"{"type":9,"data":""}"#),
        (&[0xc8, 0, 1, 9, 0], r#"{"type":9,"data":"AA=="}"#),
        (&[0xc9, 0, 0, 0, 1, 9, 0], r#"{"type":9,"data":"AA=="}"#),
    ];
    for (msgpack, json) in cases {
        assert_eq!(value(msgpack), *json, "{msgpack:02x?}");
    }
}

#[test]
fn floats_that_json_lacks_are_null() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(value(&[&[0xcb], &float.to_be_bytes()[..]].concat()), "null");
        assert_eq!(
            value(&[&[0xca], &(float as f32).to_be_bytes()[..]].concat()),
            "null"
        );
    }
}

#[test]
fn timestamps_of_msgpack_are_rfc_3339() {
    let cases: &[(&[u8], &str)] = &[
        (&[0xd6, 0xff, 0, 0, 0, 1], r#""1970-01-01T00:00:01.000000000Z""#),
        // 30 bits of nanoseconds, 34 bits of seconds: 1 ns, 2^32 s.
        (
            &[0xd7, 0xff, 0, 0, 0, 0x05, 0, 0, 0, 0],
            r#""2106-02-07T06:28:16.000000001Z""#,
        ),
        (
            &[
                0xc7, 12, 0xff, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            r#""1969-12-31T23:59:59.000000005Z""#,
        ),
        // A billion nanoseconds and more, a length of no timestamp, a year that RFC 3339 lacks.
        (
            &[0xd7, 0xff, 0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0],
            r#"{"type":-1,"data":"/////AAAAAA="}"#,
        ),
        (&[0xd4, 0xff, 0], r#"{"type":-1,"data":"AA=="}"#),
        (
            &[
                0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            r#"{"type":-1,"data":"AAAAAH//////////"}"#,
        ),
    ];
    for (msgpack, json) in cases {
        assert_eq!(value(msgpack), *json, "{msgpack:02x?}");
    }
}

#[test]
fn keys_that_are_no_text_become_their_json_text() {
    let cases: &[(&[u8], &str)] = &[
        (&[0x07], "7"),
        (&[0xff], "-1"),
        (&[0xc0], "null"),
        (&[0xc3], "true"),
        (&[0xca, 0x3f, 0xc0, 0, 0], "1.5"),
        (&[0xca, 0x7f, 0xc0, 0, 0], "null"),
        (&[0xc4, 1, b'M'], "TQ=="),
        (&[0x92, 1, 0xa1, b'"'], r#"[1,\"\\\"\"]"#),
        (&[0x81, 0xa1, b'a', 0xc0], r#"{\"a\":null}"#),
        (&[0xd4, 5, 0xff], r#"{\"type\":5,\"data\":\"/w==\"}"#),
        (&[0xd6, 0xff, 0, 0, 0, 1], "1970-01-01T00:00:01.000000000Z"),
    ];
    for (key, json) in cases {
        let (line, _, _) = one(&map(&[(key, &[1])]));
        assert_eq!(line, format!(r#"{{"{json}":1}}"#), "{key:02x?}");
    }
}

#[test]
fn keys_repeat_as_they_are_written_not_as_they_are_encoded() {
    let a = text("a");
    let seven = text("7");
    let (json, _, _) = one(&map(&[
        (&a, &[1]),
        (&[7], &[2]),
        (&a, &[3]),
        (&seven, &[4]),
        (&[0xd9, 1, b'a'], &[5]),
    ]));
    assert_eq!(json, r#"{"a":1,"7":2,"a#2":3,"7#2":4,"a#3":5}"#);
    // Both keys are U+FFFD once they are text.
    let (json, meta, _) = one(&map(&[(&[0xa1, 0xfe], &[1]), (&[0xa1, 0xff], &[2])]));
    assert_eq!(json, "{\"\u{fffd}\":1,\"\u{fffd}#2\":2}");
    assert!(meta.repaired);
}

#[test]
fn a_record_may_have_its_own_auditship() {
    let ours = text("auditship");
    let original = text("auditship_original");
    let inner = map(&[(&ours, &[1])]);
    let (json, _, _) = one(&map(&[(&ours, &inner)]));
    assert_eq!(json, r#"{"auditship_original":{"auditship":1}}"#);
    let (json, _, _) = one(&map(&[(&original, &[1]), (&ours, &[2]), (&ours, &[3])]));
    assert_eq!(
        json,
        r#"{"auditship_original":1,"auditship_original#2":2,"auditship_original#3":3}"#
    );
    let (json, _, _) = one(&map(&[(&ours, &[1]), (&original, &[2])]));
    assert_eq!(json, r#"{"auditship_original":1,"auditship_original#2":2}"#);
}

#[test]
fn a_body_that_is_no_map_is_a_message() {
    for (body, json) in [
        (&[0xa2, b'h', b'i'][..], r#"{"message":"hi"}"#),
        (&[0x92, 1, 2], r#"{"message":[1,2]}"#),
        (&[0xc0], r#"{"message":null}"#),
        (&[0xcd, 1, 0], r#"{"message":256}"#),
        (&[0xc4, 1, b'M'], r#"{"message":"TQ=="}"#),
    ] {
        assert_eq!(one(body).0, json);
    }
}

#[test]
fn text_that_is_not_utf8_is_replaced_and_told() {
    let (json, meta, _) = one(&map(&[(&text("k"), &[0xa3, b'a', 0xff, b'b'])]));
    assert_eq!(json, "{\"k\":\"a\u{fffd}b\"}");
    assert!(meta.repaired);
    assert!(!one(&map(&[(&text("k"), &text("röle"))])).1.repaired);
}
