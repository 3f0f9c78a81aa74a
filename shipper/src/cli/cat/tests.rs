use std::io::Write as _;

use super::*;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("into memory");
    encoder.finish().expect("into memory")
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).expect("into memory")
}

fn record(spool: &str, seq: u64) -> String {
    format!(r#"{{"n":{seq},"auditship":{{"spool":"{spool}","epoch":"0","seq":{seq}}}}}"#)
}

fn cat(dir: &Path) -> (Exit, String) {
    let mut printed = Vec::new();
    let command = Cat {
        paths: vec![dir.to_owned()],
    };
    let exit = command.run(&mut Output::to(&mut printed)).expect("readable");
    (exit, String::from_utf8(printed).expect("text"))
}

#[test]
fn objects_of_every_kind_come_in_the_order_of_the_spool() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below")).expect("created");
        std::fs::write(path, bytes).expect("written");
    };
    let r = |seq| record("aa", seq);
    // Names in the wrong order on purpose: another epoch's name need not sort after the first one's.
    write("2026/01/z.ndjson", format!("{}\n{}\n", r(0), r(1)).as_bytes());
    let members = [gzip(&format!("{}\n", r(2))), gzip(&format!("{}\n", r(3)))].concat();
    write("2026/01/y.ndjson.gz", &members);
    let frames = [zstd(&format!("{}\n", r(4))), zstd(&format!("{}\n", r(5)))].concat();
    write("2026/01/x.ndjson.zst", &frames);
    write(
        "2026/02/w.json",
        format!("[{},\n{}]", r(6), r(7).replace(',', ",\n")).as_bytes(),
    );
    write("2026/02/v.json.gz", &gzip(&format!("  [{}]\n", r(8))));
    write("2026/02/u-without-a-newline", r(9).as_bytes());
    write("2026/02/.being-written.tmp", b"half a rec");
    write("2026/02/empty", b"");
    write("2026/02/empty-array", b"[]");
    let expected: String = (0..10)
        .map(|seq| {
            format!(
                "{}\n",
                r(seq).replace(
                    ",\"auditship",
                    if seq == 7 { ", \"auditship" } else { ",\"auditship" }
                )
            )
        })
        .collect();
    let (exit, printed) = cat(dir.path());
    let compact = |text: &str| text.replace(' ', "");
    assert_eq!((exit, compact(&printed)), (Exit::Done, compact(&expected)));
    assert_eq!(printed.lines().count(), 10);
}

/// A directory that has more in it than objects: what is no record is not printed as one.
#[test]
fn other_files_are_named_and_not_printed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("written");
    write("notes.txt", b"call the auditor\n{}\n");
    write("status.json", b"{\n  \"version\": 1\n}\n");
    write("binary", &[0x89, b'A', 0, 1, 2, 3]);
    write("text.gz", &gzip("hello\n"));
    write(
        "records.ndjson",
        format!("{}\nhalf a rec", record("aa", 0)).as_bytes(),
    );
    let (exit, printed) = cat(dir.path());
    assert_eq!((exit, printed), (Exit::Unsound, format!("{}\n", record("aa", 0))));
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_printed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let whole = gzip(&format!("{}\n", record("aa", 0)).repeat(1000));
    std::fs::write(dir.path().join("a.gz"), &whole[..whole.len() - 9]).expect("written");
    std::fs::write(dir.path().join("b.json"), format!("[{},", record("aa", 1))).expect("written");
    std::fs::write(dir.path().join("c"), format!("{}\n", record("aa", 2))).expect("written");
    let (exit, printed) = cat(dir.path());
    assert_eq!(exit, Exit::Unsound);
    assert!(printed.contains(&record("aa", 1)) && printed.ends_with(&format!("{}\n", record("aa", 2))));
}

#[test]
fn a_path_that_is_not_there_is_a_failure() {
    let command = Cat {
        paths: vec![PathBuf::from("/nowhere/at/all")],
    };
    let failure = command.run(&mut Output::to(&mut Vec::new())).expect_err("absent");
    assert_eq!(
        (failure.code(), failure.to_string().as_str()),
        (4, "/nowhere/at/all: No such file or directory (os error 2)")
    );
}
