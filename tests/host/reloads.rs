//! Hot reloads under the host driver.

use std::fs;
use std::time::Duration;

use auditship_testkit::host::FlushCode;
use auditship_testkit::process::{HostProcess, stanza};
use auditship_testkit::protocol::Reply;
use auditship_testkit::receiver::{Receiver as Answering, Reply as Answer};

use super::common::several::{Several, await_last, came_to};
use super::common::{self, Hanging, Scratch, await_until, ids, records};
use super::{init_ok, library};

#[test]
fn a_reload_while_a_receiver_hangs_takes_no_longer_than_three_seconds() {
    let scratch = Scratch::new();
    let mut receiver = Hanging::start();
    let mut host = HostProcess::start(&library());
    let ids = ["a", "b", "c"];
    let stanzas = ids.map(|id| {
        let spool = scratch.text(&format!("spool-{id}"));
        let properties = [
            ("Id", id),
            ("Spool", spool.as_str()),
            ("Destination", "http"),
            ("Url", receiver.url.as_str()),
            ("Batch_Max_Age", "1s"),
        ];
        stanza(id, &properties)
    });
    for stanza in &stanzas {
        init_ok(&mut host, stanza);
        let flushed = host.flush(&stanza.instance, "audit", records(0..100));
        assert_eq!(flushed.code, FlushCode::Ok);
        receiver.await_sender();
    }
    let (millis, inits) = host.reload(&stanzas);
    println!("a reload of three stanzas whose receiver hangs: {millis} ms");
    assert!(millis <= 3_000, "{millis} ms");
    assert!(
        inits
            .iter()
            .all(|init| matches!(init, Reply::Init { code: 1, .. })),
        "{inits:?}"
    );
    for id in ids {
        let flushed = host.flush(id, "audit", records(100..200));
        assert_eq!(flushed.code, FlushCode::Ok, "and spools on");
    }
    let mut total = 0;
    for id in ids {
        let (millis, threads) = host.exit(id);
        total += millis;
        let name = format!("aship-{id}");
        assert!(
            !threads.contains(&name),
            "the instance thread is joined, whatever senders do: {threads:?}"
        );
    }
    assert!(total <= 3_000, "{total} ms");
}

#[test]
fn at_a_reload_senders_get_two_seconds_to_hear_their_answers() {
    let scratch = Scratch::new();
    let slow = Answering::start(
        [Answer::After(
            Duration::from_millis(1_500),
            Box::new(Answer::Status(200)),
        )],
        Answer::Status(200),
    );
    let spool = scratch.text("spool-a");
    let url = slow.url("/audit");
    let properties = [
        ("Id", "a"),
        ("Spool", spool.as_str()),
        ("Destination", "http"),
        ("Url", url.as_str()),
        ("Compression", "none"),
        ("Batch_Max_Age", "1s"),
    ];
    let stanza = stanza("a", &properties);
    let mut host = HostProcess::start(&library());
    init_ok(&mut host, &stanza);
    assert_eq!(host.flush("a", "audit", records(0..10)).code, FlushCode::Ok);
    assert_eq!(slow.wait_for(1, common::PATIENCE).len(), 1);
    host.reload(std::slice::from_ref(&stanza));
    assert_eq!(host.flush("a", "audit", records(10..20)).code, FlushCode::Ok);
    let requests = slow.wait_for(2, common::PATIENCE);
    let first: Vec<_> = requests.iter().map(|request| first_id(&request.plain)).collect();
    assert_eq!(
        first,
        ["00000000", "00000010"],
        "the first batch was not asked again"
    );
    host.exit("a");
}

fn first_id(lines: &[u8]) -> String {
    let line = lines.split(|&byte| byte == b'\n').next().unwrap();
    let record: serde_json::Value = serde_json::from_slice(line).unwrap();
    record["event"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_broken_destination_fails_the_first_start_and_is_held_at_a_reload() {
    let scratch = Scratch::new();
    let (file, spool, target) = (
        scratch.path("auditship.toml"),
        scratch.text("spool"),
        scratch.text("records"),
    );
    let good = format!(
        "[spool]\npath = \"{spool}\"\nid = \"a\"\n[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{target}\"\n"
    );
    let stanza = stanza(
        "a",
        &[
            ("Id", "a"),
            ("Spool", &spool),
            ("Config_File", file.to_str().unwrap()),
        ],
    );
    for broken in [
        "[[destination",
        &good.replace("type = \"file\"", "type = \"fiel\""),
    ] {
        fs::write(&file, broken).unwrap();
        let mut host = HostProcess::start(&library());
        let (code, log) = host.init(&stanza);
        assert!(code <= 0);
        assert!(log.join("\n").contains("auditship.toml"), "{log:?}");

        fs::write(&file, &good).unwrap();
        init_ok(&mut host, &stanza);
        assert_eq!(host.flush("a", "audit", records(0..5)).code, FlushCode::Ok);

        fs::write(&file, broken).unwrap();
        let (_, inits) = host.reload(std::slice::from_ref(&stanza));
        assert!(matches!(&inits[..], [Reply::Init { code: 1, .. }]), "{inits:?}");
        assert_eq!(host.flush("a", "audit", records(5..10)).code, FlushCode::Ok);
        await_until("held destination in the status", || {
            let status = fs::read_to_string(scratch.path("spool/control/status.shipper.json")).ok()?;
            status.to_lowercase().contains("held").then_some(())
        });
        host.exit("a");
        assert!(host.finish());
    }
}

#[test]
fn a_reload_changes_one_destination_and_leaves_the_others_where_they_are() {
    let several = Several::new();
    let [first, second, third] = [(); 3].map(|()| Answering::start([], Answer::Status(200)));
    let stanza = several.stanza();
    let mut host = HostProcess::start(&library());
    let flush = |host: &mut HostProcess, range| {
        assert_eq!(host.flush("a", "audit", records(range)).code, FlushCode::Ok);
    };
    let reload = |host: &mut HostProcess, further: &[(&str, &Answering)]| {
        several.configure(further);
        let (_, inits) = host.reload(std::slice::from_ref(&stanza));
        assert!(matches!(&inits[..], [Reply::Init { code: 1, .. }]), "{inits:?}");
    };
    several.configure(&[("siem", &first)]);
    init_ok(&mut host, &stanza);
    flush(&mut host, 0..10);
    several.await_settled("siem", 10);
    first.then(Answer::Close);
    flush(&mut host, 10..20);
    await_last(&first, 19);
    several.await_settled("archive", 20);

    // One goes elsewhere, and one is new.
    reload(&mut host, &[("siem", &second), ("added", &third)]);
    let at_the_first = first.requests().len();
    flush(&mut host, 20..30);
    for id in ["archive", "siem", "added"] {
        several.await_settled(id, 30);
    }
    assert_eq!(came_to(&second), ids(10..30), "what the first has not taken");

    // It is gone, and what comes is kept for it.
    reload(&mut host, &[("added", &third)]);
    flush(&mut host, 30..40);
    for id in ["archive", "added"] {
        several.await_settled(id, 40);
    }
    let gone = several.destination("siem");
    assert_eq!(gone["standing"], "unconfigured", "{gone}");
    assert_eq!(
        (&gone["counts"]["delivered"], &gone["backlog"]["pending"]),
        (&30.into(), &10.into()),
        "{gone}"
    );

    // It is there twice: a reload must not fail, so it is held.
    reload(
        &mut host,
        &[("siem", &second), ("added", &third), ("siem", &first)],
    );
    flush(&mut host, 40..50);
    for id in ["archive", "added"] {
        several.await_settled(id, 50);
    }
    let held = several.destination("siem");
    let reason = held["activity"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("there is another destination `siem`"), "{held}");
    assert_eq!(held["backlog"]["pending"], 20, "{held}");

    reload(&mut host, &[("siem", &second), ("added", &third)]);
    several.await_settled("siem", 50);
    assert!(host.finish());
    assert_eq!(came_to(&second), ids(10..50), "each once, in order");
    assert_eq!(
        came_to(&third),
        ids(0..50),
        "from the oldest on, each once, in order"
    );
    assert_eq!(several.scratch.delivered("archive"), ids(0..50));
    assert_eq!(first.requests().len(), at_the_first, "nothing more for the first");
    for (id, redelivered) in [("archive", 0), ("siem", 10), ("added", 0)] {
        several.await_settled(id, 50);
        // What the first has closed its connection on may be there too.
        assert_eq!(several.destination(id)["counts"]["redelivered"], redelivered);
    }
}
