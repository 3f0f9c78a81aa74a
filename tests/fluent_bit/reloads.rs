//! Hot reloads of a real Fluent Bit.

use std::fs;

use auditship_testkit::receiver::{Receiver, Reply};

use super::common::several::{Several, await_last, came_to};
use super::common::{Hanging, Scratch, await_until, ids};
use super::{Host, append, configure, fluent_bit};

/// How many workers a stanza has where the host is reloaded. A proxy plugin's workers are started twice by Fluent Bit
/// 5.1.1 at least (`flb_output_enable_multi_threading`, called for the proxy and again for the output); the first ones are
/// never stopped, and read what a reload has freed: the host ends with SIGSEGV about a second later.
const WHEN_RELOADED: usize = 0;

#[test]
fn a_hot_reload_while_a_receiver_hangs() {
    let Some(program) = fluent_bit("a hot reload while a receiver hangs") else {
        return;
    };
    let scratch = Scratch::new();
    let mut receiver = Hanging::start();
    append(&scratch, 0..100);
    let files = scratch.stanza("files", WHEN_RELOADED);
    let mut http = scratch.stanza("http", WHEN_RELOADED);
    http.properties = [("Id", "http"), ("Destination", "http"), ("Batch_Max_Age", "1s")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    http.properties.push(("Url".into(), receiver.url.clone()));
    http.properties.push(("Spool".into(), scratch.text("spool-http")));
    configure(&scratch, "    hot_reload on\n", &[files, http]);
    let mut host = Host::start(&program, &scratch);
    scratch.await_delivered("files", 100);
    receiver.await_sender();
    for round in 1..=2_u32 {
        host.signal(libc::SIGHUP);
        let done = "successful reload done";
        await_until("reload", || {
            (host.log().matches(done).count() >= round as usize).then_some(())
        });
        let took = seconds_between(
            &host.log(),
            "[reload] stop everything",
            "[reload] start everything",
        );
        assert!(took <= 3.0, "{took} s\n{}", host.log());
        append(&scratch, round * 100..(round + 1) * 100);
        // Without a DB the tail begins anew, and everything comes twice: once is what arrives.
        assert_eq!(
            scratch.await_delivered("files", 100 * (round as usize + 1)),
            ids(0..(round + 1) * 100)
        );
    }
    assert!(host.is_alive(), "{}", host.log());
    host.signal(libc::SIGTERM);
    assert!(host.await_end().success());
}

/// Between the last lines of the host's log that have these texts.
fn seconds_between(log: &str, from: &str, to: &str) -> f64 {
    let at = |text: &str| {
        let line = log
            .lines()
            .rfind(|line| line.contains(text))
            .unwrap_or_else(|| panic!("no {text:?} in {log}"));
        // [2026/11/21 09:26:47.610]
        let clock = line
            .split(['[', ']'])
            .nth(1)
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned();
        clock
            .split(':')
            .map(|part| part.parse::<f64>().unwrap())
            .fold(0.0, |sum, part| sum * 60.0 + part)
    };
    let seconds = at(to) - at(from);
    if seconds < 0.0 {
        seconds + 86_400.0
    } else {
        seconds
    }
}

#[test]
fn a_broken_toml_at_a_reload() {
    let Some(program) = fluent_bit("a broken TOML at a reload") else {
        return;
    };
    let scratch = Scratch::new();
    append(&scratch, 0..10);
    let file = scratch.path("auditship.toml");
    let (spool, target) = (scratch.text("spool"), scratch.text("records-a"));
    let good = format!(
        "[spool]\npath = \"{spool}\"\nid = \"a\"\n[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{target}\"\n\
         compression = \"none\"\nbatch_max_age = \"1s\"\n"
    );
    fs::write(&file, &good).unwrap();
    let mut stanza = scratch.stanza("a", WHEN_RELOADED);
    stanza.properties = vec![
        ("Id".into(), "a".into()),
        ("Spool".into(), spool),
        ("Config_File".into(), file.to_str().unwrap().into()),
    ];
    configure(&scratch, "    hot_reload on\n", &[stanza]);
    let mut host = Host::start(&program, &scratch);
    scratch.await_delivered("a", 10);

    fs::write(&file, good.replace("type = \"file\"", "type = ")).unwrap();
    host.signal(libc::SIGHUP);
    host.await_log("successful reload done");
    append(&scratch, 10..20);
    await_until("held destination in the status", || {
        let status = fs::read_to_string(scratch.path("spool/control/status.shipper.json")).ok()?;
        status.to_lowercase().contains("held").then_some(())
    });
    assert!(host.is_alive(), "{}", host.log());

    fs::write(&file, &good).unwrap();
    host.signal(libc::SIGHUP);
    assert_eq!(
        scratch.await_delivered("a", 20),
        ids(0..20),
        "what was spooled meanwhile comes when it is put right"
    );
    host.signal(libc::SIGTERM);
    assert!(host.await_end().success());
}

#[test]
fn one_destination_of_several_changes() {
    let Some(program) = fluent_bit("a reload that changes one destination of several") else {
        return;
    };
    let several = Several::new();
    let [first, second] = [(); 2].map(|()| Receiver::start([], Reply::Status(200)));
    let mut stanza = several.stanza();
    stanza.workers = WHEN_RELOADED;
    several.configure(&[("siem", &first)]);
    configure(&several.scratch, "    hot_reload on\n", &[stanza]);
    append(&several.scratch, 0..10);
    let mut host = Host::start(&program, &several.scratch);
    several.await_settled("siem", 10);
    first.then(Reply::Status(503));
    append(&several.scratch, 10..20);
    await_last(&first, 19);
    several.await_settled("archive", 20);

    several.configure(&[("siem", &second)]);
    host.signal(libc::SIGHUP);
    host.await_log("successful reload done");
    let at_the_first = first.requests().len();
    append(&several.scratch, 20..30);
    // Without a DB the tail begins anew, and everything comes twice: once is what arrives.
    for id in ["archive", "siem"] {
        several.await_settled(id, 30);
    }
    assert_eq!(came_to(&second), ids(10..30), "what the first has not taken");
    assert_eq!(several.scratch.delivered("archive"), ids(0..30));
    assert_eq!(first.requests().len(), at_the_first, "nothing more for the first");
    assert!(host.is_alive(), "{}", host.log());
    host.signal(libc::SIGTERM);
    assert!(host.await_end().success());
}
