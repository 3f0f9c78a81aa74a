//! Several processes with one login, and what the receiver and the server may say in between.

use std::thread;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn many_at_once_make_one_refresh() {
    let disk = logged_in(Duration::ZERO);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    let processes = [(); 4].map(|()| process(&disk, &server, &clock));
    for round in 1..=5 {
        thread::scope(|scope| {
            let asking: Vec<_> = processes
                .iter()
                .cycle()
                .take(12)
                .map(|process| scope.spawn(|| token(process)))
                .collect();
            for one in asking {
                assert_eq!(one.join().unwrap(), Ok(format!("access-{round}")));
            }
        });
        assert_eq!((server.asked(), server.is_revoked()), (round, false));
        clock.advance(HOUR);
    }
}

#[test]
fn a_token_that_is_kept_is_used_without_asking() {
    let disk = logged_in(HOUR);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    assert_eq!(token(&process(&disk, &server, &clock)).as_deref(), Ok("access-0"));
    assert_eq!(server.asked(), 0);
}

#[test]
fn a_token_is_renewed_early_and_used_to_its_end_while_the_server_is_down() {
    let disk = logged_in(HOUR);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    let one = process(&disk, &server, &clock);
    assert_eq!(token(&one).as_deref(), Ok("access-0"));
    server.set_down(true);
    clock.advance(HOUR - EARLY);
    assert_eq!(token(&one).as_deref(), Ok("access-0"));
    clock.advance(EARLY);
    assert!(matches!(token(&one), Err(CredentialError::Unreachable { .. })));
    server.set_down(false);
    assert_eq!(token(&one).as_deref(), Ok("access-1"));
    clock.advance(HOUR - EARLY);
    assert_eq!(token(&one).as_deref(), Ok("access-2"));
}

#[test]
fn a_token_that_the_receiver_refuses_is_fetched_once_for_all() {
    let disk = logged_in(HOUR);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    let processes = [(); 2].map(|()| process(&disk, &server, &clock));
    for one in &processes {
        assert_eq!(token(one).as_deref(), Ok("access-0"));
    }
    // Right after the start: it lay in the file, nobody was asked yet.
    for one in &processes {
        assert_eq!(one.renew(), Renewal::Changed);
        assert_eq!(token(one).as_deref(), Ok("access-1"));
    }
    assert_eq!(server.asked(), 1);
    // The server's own, refused at once: another would be too. A minute later it may have been revoked.
    assert_eq!(processes[0].renew(), Renewal::Changed);
    clock.advance(Duration::from_secs(60));
    assert_eq!(processes[0].renew(), Renewal::Changed);
    assert_eq!(token(&processes[0]).as_deref(), Ok("access-2"));
    assert_eq!(server.asked(), 2);
}

#[test]
fn a_token_that_is_refused_and_cannot_be_replaced_is_given_up() {
    let disk = logged_in(HOUR);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    let one = process(&disk, &server, &clock);
    assert_eq!(token(&one).as_deref(), Ok("access-0"));
    server.set_down(true);
    assert!(matches!(
        one.renew(),
        Renewal::Lost(CredentialError::Unreachable { .. })
    ));
    server.set_down(false);
    server.revoke();
    assert!(matches!(token(&one), Err(CredentialError::Refused { .. })));
}

#[test]
fn a_revoked_login_says_what_to_do_and_a_new_one_is_picked_up() {
    let disk = logged_in(Duration::ZERO);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    server.revoke();
    let one = process(&disk, &server, &clock);
    for _ in 0..2 {
        let Err(CredentialError::Refused { source, reason }) = token(&one) else {
            panic!("it is revoked")
        };
        assert_eq!(source, "the token endpoint login.example");
        assert!(reason.contains("run `auditship oauth2 login` again"), "{reason}");
        assert!(!reason.contains("refresh-0"), "{reason}");
    }
    let again = logged_in(HOUR);
    let file = crate::spool::storage::read_small(&again, FILE, 10_000)
        .unwrap()
        .unwrap();
    crate::spool::storage::write_atomic(&disk, FILE, &file).unwrap();
    assert_eq!(token(&one).as_deref(), Ok("access-0"));
}

#[test]
fn a_file_that_vanishes_or_is_something_else_is_told() {
    let disk = logged_in(HOUR);
    let clock = Arc::new(ManualClock::at(NOW));
    let server = Arc::new(Server::new());
    let one = process(&disk, &server, &clock);
    assert_eq!(token(&one).as_deref(), Ok("access-0"));
    let kept = crate::spool::storage::read_small(&disk, FILE, 10_000)
        .unwrap()
        .unwrap();
    disk.remove(FILE).unwrap();
    // What is held goes on, to its end.
    assert_eq!(token(&one).as_deref(), Ok("access-0"));
    clock.advance(HOUR);
    let Err(CredentialError::Missing { advice }) = token(&one) else {
        panic!("there is no file")
    };
    assert!(
        advice.starts_with("siem.token is not there: run `auditship oauth2 login`"),
        "{advice}"
    );

    let text = String::from_utf8(kept.clone()).unwrap();
    for (content, part) in [
        (text.replace("\"version\": 1", "\"version\": 2"), "version 2"),
        (text.replace("the client", "another"), "client another"),
        (
            text.replace("login.example", "elsewhere.example"),
            "elsewhere.example",
        ),
        (text[..text.len() / 2].to_owned(), "no token file"),
        (String::new(), "no token file"),
    ] {
        crate::spool::storage::write_atomic(&disk, FILE, content.as_bytes()).unwrap();
        let Err(CredentialError::Refused { source, reason }) = token(&one) else {
            panic!("{content}")
        };
        assert_eq!(source, FILE);
        assert!(reason.contains(part), "{reason}");
        assert!(!reason.contains("refresh-0"), "{reason}");
    }
    assert_eq!(server.asked(), 0);
    crate::spool::storage::write_atomic(&disk, FILE, &kept).unwrap();
    assert_eq!(token(&one).as_deref(), Ok("access-1"));
}

#[test]
fn no_token_is_in_a_debug_form() {
    let disk = logged_in(HOUR);
    let clock = Arc::new(ManualClock::at(NOW));
    let one = process(&disk, &Arc::new(Server::new()), &clock);
    token(&one).unwrap();
    let session = TokenFile::on(Arc::new(disk), FILE);
    let session = session.try_lock().unwrap().unwrap();
    let shown = format!("{one:?} {session:?} {:?}", session.read().unwrap());
    for secret in ["hunter2", "access-0", "refresh-0"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
