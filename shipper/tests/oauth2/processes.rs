//! Several processes with one login, at a server that takes the second use of a refresh token for theft.

use super::cli_support::command;
use super::logins::log_in;
use super::{Place, Server};

const ROUNDS: u64 = 5;
const PROCESSES: usize = 4;

#[test]
fn processes_with_one_login_refresh_one_at_a_time_and_lose_no_token() {
    let Some(mut server) = Server::start("OAuth 2.0: several processes") else {
        return;
    };
    let place = Place::of_a_person(&server, "person");
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    for round in 1..=ROUNDS {
        server.ask("kill-access");
        let configuration = place.configuration();
        let running: Vec<_> = (0..PROCESSES)
            .map(|_| {
                let mut command = command(&["send-test", "-c", &configuration]);
                command.stdout(std::process::Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for process in running {
            let output = process.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        assert_eq!(server.count("refreshes"), round);
    }
    let counts = server.ask("counts");
    assert_eq!(counts["at_once"], 1, "{counts}");
    assert_eq!(counts["refused"], serde_json::json!({}), "{counts}");
}

#[test]
fn a_lost_answer_holds_and_says_that_somebody_must_log_in() {
    let Some(mut server) = Server::start("OAuth 2.0: a lost answer") else {
        return;
    };
    let place = Place::of_a_person(&server, "person");
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    server.ask("kill-access");
    server.ask("lose");
    assert_eq!(place.send_test().code, 1);
    // The server has replaced the refresh token that is on disk here, and takes it for stolen now.
    let held = place.send_test();
    assert!(
        held.stdout.contains("run `auditship oauth2 login` again"),
        "{}",
        held.stdout
    );
    assert_eq!(log_in(&mut server, &place, None).0, 0);
    assert_eq!(place.send_test().code, 0);
}
