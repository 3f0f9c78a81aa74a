//! A person's login by the binary, and what becomes of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use super::cli_support::command;
use super::{Place, Server, assert_stored_once, auditship};

/// How a login by the binary ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Logs in; `paste` gives what is pasted, from where the browser ended.
pub(super) fn log_in(
    server: &mut Server,
    place: &Place,
    paste: Option<&dyn Fn(&str) -> String>,
) -> (i32, String) {
    let ended = by_binary(server, place, paste);
    (ended.code, ended.stdout + &ended.stderr)
}

fn by_binary(server: &mut Server, place: &Place, paste: Option<&dyn Fn(&str) -> String>) -> Ended {
    let configuration = place.configuration();
    let mut arguments = vec!["oauth2", "login", "siem", "-c", &configuration];
    if paste.is_some() {
        arguments.extend(["--paste", "--port", "9"]);
    }
    let mut child = command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut url = String::new();
    stdout.read_line(&mut url).unwrap();
    let browsed = server.ask(&format!("browse {}", url.trim()));
    match paste {
        None => {
            assert_eq!(browsed["status"], 200, "{browsed}");
            assert!(browsed["text"].as_str().unwrap().contains("The code has arrived"));
        }
        Some(paste) => {
            let pasted = paste(browsed["url"].as_str().unwrap());
            writeln!(child.stdin.take().unwrap(), "{pasted}").unwrap();
        }
    }
    let (mut rest, mut said) = (String::new(), String::new());
    stdout.read_to_string(&mut rest).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    Ended {
        code: child.wait().unwrap().code().unwrap(),
        stdout: rest,
        stderr: said,
    }
}

#[test]
fn a_person_logs_in_once_and_records_arrive_from_then_on() {
    let Some(mut server) = Server::start("OAuth 2.0: a login") else {
        return;
    };
    let paste = |url: &str| url.to_owned();
    let only_the_code = |url: &str| {
        let code = url.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
        code.unwrap().to_owned()
    };
    for (client, paste) in [
        ("person", None),
        ("public", None),
        ("person", Some(&paste as &dyn Fn(&str) -> String)),
        ("person", Some(&only_the_code)),
    ] {
        let place = Place::of_a_person(&server, client);
        let before = place.send_test();
        assert_eq!(before.code, 1);
        assert!(
            before
                .stdout
                .contains("siem.token is not there: run `auditship oauth2 login`"),
            "{}",
            before.stdout
        );

        let (code, told) = log_in(&mut server, &place, paste);
        let file = place.path("siem.token");
        assert_eq!(code, 0, "{told}");
        assert!(told.contains(&format!(
            "siem: logged in; the login is kept in {}",
            file.display()
        )));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(!place.path("siem.token.next").exists());

        let refreshes = server.count("refreshes");
        let sent = place.send_test();
        assert_eq!((sent.code, sent.stderr.as_str()), (0, ""), "{}", sent.stdout);
        assert_eq!(server.count("refreshes"), refreshes, "its first token is good");
    }
}

#[test]
fn what_is_no_answer_to_this_login_is_refused() {
    let Some(mut server) = Server::start("OAuth 2.0: a login of another") else {
        return;
    };
    let place = Place::of_a_person(&server, "person");
    let of_another = |url: &str| url.replace("state=", "state=x");
    let wrong_code = |_: &str| String::from("wrong-code");
    let nothing = |_: &str| String::new();
    for (paste, part) in [
        (
            &of_another as &dyn Fn(&str) -> String,
            "`state` is not that of this login",
        ),
        (&wrong_code, "invalid_grant"),
        (&nothing, "no code in it"),
    ] {
        let (code, told) = log_in(&mut server, &place, Some(paste));
        assert_eq!(code, 1, "{told}");
        assert!(
            told.contains("siem: not logged in: ") && told.contains(part),
            "{told}"
        );
        assert!(!place.path("siem.token").exists());
    }
    let nowhere = auditship(&["oauth2", "login", "siem", "-c", &place.configuration(), "--paste"]);
    assert_eq!(nowhere.code, 3, "{}", nowhere.stderr);
    assert!(
        nowhere.stderr.contains("--redirect-url (or --port)"),
        "{}",
        nowhere.stderr
    );
    let machine = Place::new(
        &server,
        "auth = \"oauth2_client_credentials\"\noauth_client_id = \"machine\"\noauth_client_secret = \"s\"",
    );
    let nobody = auditship(&["oauth2", "login", "siem", "-c", &machine.configuration()]);
    assert_eq!(nobody.code, 3);
    assert!(
        nobody.stderr.contains("oauth2_authorization_code"),
        "{}",
        nobody.stderr
    );
}

#[test]
fn a_revoked_login_and_a_file_that_vanishes_hold_and_lose_nothing() {
    let Some(mut server) = Server::start("OAuth 2.0: a revoked login") else {
        return;
    };
    let place = Place::of_a_person(&server, "person");
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    let shipped = place.ship(&server, "first", 20);
    assert_eq!(shipped.code, 0, "{} {}", shipped.stdout, shipped.stderr);

    server.ask("kill-grants");
    let held = place.ship(&server, "second", 20);
    let told = format!("{}{}", held.stdout, held.stderr);
    assert_eq!(held.code, 1, "{told}");
    assert!(
        told.contains("invalid_grant") && told.contains("run `auditship oauth2 login` again"),
        "{told}"
    );
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    let shipped = place.ship(&server, "second", 20);
    assert_eq!(shipped.code, 0, "{} {}", shipped.stdout, shipped.stderr);

    std::fs::remove_file(place.path("siem.token")).unwrap();
    let held = place.ship(&server, "third", 20);
    let told = format!("{}{}", held.stdout, held.stderr);
    assert_eq!(held.code, 1, "{told}");
    assert!(told.contains("siem.token is not there"), "{told}");
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    let shipped = place.ship(&server, "third", 20);
    assert_eq!(shipped.code, 0, "{} {}", shipped.stdout, shipped.stderr);
    for prefix in ["first", "second", "third"] {
        assert_stored_once(&mut server, prefix, 20);
    }
}
