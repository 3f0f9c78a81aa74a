//! Running shippers with one login, each with a spool of its own and two destinations: its tokens end under them.

use serde_json::Value;

use super::daemon::Daemon;
use super::logins::log_in;
use super::shipment::eventually;
use super::{Place, Server, auditship, intake};

const SHIPPERS: [&str; 2] = ["one", "two"];
const DESTINATIONS: [&str; 2] = ["siem", "iam"];

/// The folder of a shipper's spool.
fn spool(place: &Place, name: &str) -> String {
    place.path(&format!("{name}.spool")).display().to_string()
}

/// The configuration of a shipper: `siem` gets what is not about iam, and `iam` the rest, with the place's login.
fn configuration(place: &Place, name: &str) -> String {
    let text = std::fs::read_to_string(place.configuration()).unwrap();
    let (_, siem) = text.split_once("[[destination]]").unwrap();
    let siem = format!("[[destination]]{siem}batch_max_age = \"50ms\"\n");
    let iam = siem.replace("id = \"siem\"", "id = \"iam\"");
    let file = place.path(&format!("{name}.toml"));
    let text = format!(
        "[spool]\npath = {:?}\n{siem}exclude = {{ category = \"iam\" }}\n{iam}include = {{ category = \"iam\" }}\n",
        spool(place, name)
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// Gives each shipper a record for each destination, and waits until the collector has them.
fn feed(place: &Place, server: &mut Server, round: u64) {
    for name in SHIPPERS {
        let text = format!(
            "shipper = \"external\"\n[spool]\npath = {:?}\n",
            spool(place, name)
        );
        let records = [("siem", "file"), ("iam", "iam")].map(|(destination, category)| {
            format!("{{\"event\":{{\"id\":\"{name}.{destination}-{round}\",\"category\":\"{category}\"}}}}\n")
        });
        intake::fill(&intake::config(&text), &records.concat());
    }
    eventually("the records of the round are stored", || {
        let stored = server.ask("counts")["stored"].clone();
        lanes().all(|lane| stored[format!("{lane}-{round}")] == 1)
    });
}

/// Everybody who uses a token, as the server calls them.
fn lanes() -> impl Iterator<Item = String> {
    SHIPPERS
        .into_iter()
        .flat_map(|name| DESTINATIONS.map(|destination| format!("{name}.{destination}")))
}

/// How many tokens were used by everybody.
fn shared(server: &mut Server) -> usize {
    let mut everybody: Vec<Value> = lanes().map(Value::from).collect();
    everybody.sort_by_key(Value::to_string);
    let counts = server.ask("counts");
    let users = counts["users"].as_array().unwrap();
    users
        .iter()
        .filter(|users| users.as_array() == Some(&everybody))
        .count()
}

#[test]
fn running_shippers_with_one_login_renew_it_once_for_all() {
    let Some(mut server) = Server::start("OAuth 2.0: running shippers") else {
        return;
    };
    let place = Place::of_a_person(&server, "person");
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    let running = SHIPPERS.map(|name| Daemon::start(&configuration(&place, name)));
    feed(&place, &mut server, 0);
    assert_eq!(server.count("refreshes"), 0, "its first token is good");

    // The receiver says of a token, which should be good, that it is not.
    server.ask("kill-access");
    feed(&place, &mut server, 1);
    assert_eq!((server.count("refreshes"), shared(&mut server)), (1, 2));

    // The next ones have little more than the minute before their end in which they are renewed: by whoever sends first, and
    // the others find what came of it.
    server.ask("lifetime 65");
    server.ask("kill-access");
    let mut round = 1;
    eventually("a token that was renewed before its end is everybody's", || {
        round += 1;
        feed(&place, &mut server, round);
        shared(&mut server) >= 4
    });
    let counts = server.ask("counts");
    assert_eq!(counts["at_once"], 1, "{counts}");
    assert_eq!(
        counts["refused"],
        serde_json::json!({}),
        "no refresh token was used twice"
    );
    for daemon in running {
        assert_eq!(daemon.terminate(), 0);
    }
    for name in SHIPPERS {
        let status = auditship(&["status", "--json", &spool(&place, name)]);
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        for destination in status["destinations"].as_array().unwrap() {
            let counts = &destination["counts"];
            assert_eq!(
                (&counts["delivered"], &counts["filtered"], &counts["redelivered"]),
                (&(round + 1).into(), &(round + 1).into(), &0.into()),
                "{destination}"
            );
        }
    }
    let stored = server.ask("counts")["stored"].clone();
    for lane in lanes() {
        assert!(
            (0..=round).all(|round| stored[format!("{lane}-{round}")] == 1),
            "{lane}"
        );
    }
}
