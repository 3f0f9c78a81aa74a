//! Lines of JSON: what is kept as it came, what is renamed, what is refused.

use super::*;
use crate::time::Timestamp;

fn lines(input: &str) -> Run {
    run(SourceFormat::Ndjson, input.as_bytes())
}

#[test]
fn a_line_is_kept_as_it_came() {
    for line in [
        r#"{}"#,
        r#"{ }"#,
        r#"{"z":1,"a":{"y":[1,2 , 3],"b":null}}"#,
        r#"{"n":[1.0,1e5,1E+05,-0,0.10,123456789012345678901234567890,1e999]}"#,
        r#"{"t":"\u00e9\/\ud83d\ude00 röle","\u0061":1}"#,
        r#"{	"a" : true , "b":false}"#,
    ] {
        assert_eq!(lines(line).records, [line]);
    }
}

#[test]
fn around_the_object_nothing_is_kept() {
    let run = lines("\u{feff} {\"a\":1}\t \r\n\n  \r\n{\"b\":2}");
    assert_eq!(run.records, [r#"{"a":1}"#, r#"{"b":2}"#]);
    assert_eq!(run.steps.len(), 2);
}

#[test]
fn a_value_that_is_no_object_is_a_message() {
    let run = lines("\"hi\"\n[1, 2]\nnull\n 1.50 \ntrue\n");
    assert_eq!(
        run.records,
        [
            r#"{"message":"hi"}"#,
            r#"{"message":[1, 2]}"#,
            r#"{"message":null}"#,
            r#"{"message":1.50}"#,
            r#"{"message":true}"#
        ]
    );
}

#[test]
fn names_repeat_whatever_their_escapes() {
    let run = lines(r#"{"a":1,"\u0061":{"b":2,"b":3},"a":4,"\u0061#2":5,"auditship":6,"\u0061uditship":7}"#);
    assert_eq!(
        run.records,
        [
            r#"{"a":1,"\u0061#2":{"b":2,"b#2":3},"a#3":4,"\u0061#2#2":5,"auditship_original":6,"auditship_original#2":7}"#
        ]
    );
}

#[test]
fn half_a_surrogate_and_bytes_that_are_not_utf8_are_replaced_and_told() {
    for (line, json) in [
        (&br#"{"a":"x\ud800y"}"#[..], r#"{"a":"x\ufffdy"}"#),
        (br#"{"a":"\udc00\ud800"}"#, r#"{"a":"\ufffd\ufffd"}"#),
        (br#"{"\ud800":1,"\udfff":2}"#, r#"{"\ufffd":1,"\ufffd#2":2}"#),
        (br#"{"a":"\ud800\u0041"}"#, r#"{"a":"\ufffd\u0041"}"#),
        (b"{\"a\":\"x\xff\"}", "{\"a\":\"x\u{fffd}\"}"),
    ] {
        let run = run(SourceFormat::Ndjson, line);
        assert_eq!(run.records, [json]);
        assert!(matches!(&run.steps[0], Step::Record(meta) if meta.repaired));
    }
    assert!(matches!(&lines(r#"{"a":"\ud83d\ude00"}"#).steps[0], Step::Record(meta) if !meta.repaired));
}

#[test]
fn a_line_that_is_not_json_is_told_by_its_number_and_the_rest_goes_on() {
    for (wrong, column, expected) in [
        ("plain text", 1, "a value"),
        ("{", 2, "a key in quotes"),
        ("{\"a\":1", 7, "`,` or `}`"),
        ("{\"a\" 1}", 6, "`:`"),
        ("{\"a\":1,}", 8, "a key in quotes"),
        ("[1,]", 4, "a value"),
        ("[1 2]", 4, "`,` or `]`"),
        ("{} {}", 4, "the end of the line"),
        ("{\"a\":01}", 7, "`,` or `}`"),
        ("{\"a\":1.}", 8, "a digit"),
        ("{\"a\":-}", 7, "a digit"),
        ("{\"a\":1e}", 8, "a digit"),
        ("{\"a\":nul}", 6, "a value"),
        ("{\"a\":\"b}", 9, "the end of a string"),
        ("{\"a\":\"\t\"}", 7, "a control character to be escaped"),
        ("{\"a\":\"\\x\"}", 8, "an escape"),
        ("{\"a\":\"\\u12g4\"}", 7, "four hexadecimal digits"),
        ("{\"a\":\"\\u12", 7, "four hexadecimal digits"),
        ("{\"a\":\"\\", 8, "an escape"),
        ("\u{feff}{}", 1, "a value"),
    ] {
        let input = format!("{{\"n\":1}}\n\n{wrong}\n{{\"n\":2}}\n");
        let run = lines(&input);
        assert_eq!(run.records, [r#"{"n":1}"#, r#"{"n":2}"#], "{wrong}");
        let step = Step::Undecodable {
            region: 9..9 + wrong.len(),
            line: Some(3),
            fault: Fault::NotJson { column, expected },
        };
        assert_eq!(run.steps[1], step, "{wrong}");
    }
    let text = Fault::NotJson {
        column: 6,
        expected: "`:`",
    };
    assert_eq!(text.to_string(), "not JSON: expected `:` at column 6");
}

#[test]
fn a_line_too_large_is_refused_alone() {
    let settings = Settings {
        max_record_bytes: 20,
        ..Settings::default()
    };
    let exact = r#"{"a":"xxxxxxxxxxxx"}"#;
    let grows = r#"{"auditship":123456}"#;
    let input = format!("{exact}\n{}\n{grows}\n{exact}", exact.replace("a", "aa"));
    let run = run_with(&settings, SourceFormat::Ndjson, input.as_bytes());
    assert_eq!(run.records, [exact, exact]);
    assert!(run.steps[1..3].iter().all(|step| matches!(
        step,
        Step::Undecodable {
            fault: Fault::TooLarge { max: 20 },
            ..
        }
    )));
}

#[test]
fn fields_are_found_as_in_chunks() {
    let run = lines(concat!(
        r#"{"@timestamp" : "1970-01-01T00:00:02Z" , "event":{"\u0069d" : "a\u0062c" , "category" : [ "i\u0061m" , null , "web" ] }}"#,
        "\n",
        r#"{"event.id":-1.50e3,"event.category":"session","@timestamp":7}"#,
        "\n",
        r#"{"event":[{"id":1}],"event.category":[["iam"]]}"#,
    ));
    let metas: Vec<&Meta> = run
        .steps
        .iter()
        .map(|step| match step {
            Step::Record(meta) => meta,
            other => panic!("{other:?}"),
        })
        .collect();
    let ids: Vec<_> = metas.iter().map(|meta| meta.id(&run.out)).collect();
    assert_eq!(ids, [Some("abc".into()), Some("-1.50e3".into()), None]);
    let categories: Vec<_> = metas.iter().map(|meta| meta.categories.to_string()).collect();
    assert_eq!(categories, ["iam,web", "session", "unknown"]);
    let times: Vec<_> = metas.iter().map(|meta| (meta.has_timestamp, meta.time)).collect();
    assert_eq!(
        times,
        [
            (true, Some(Timestamp(2_000_000_000))),
            (true, None),
            (false, None)
        ]
    );
    assert!(metas.iter().all(|meta| meta.host_time.is_none()));
}
