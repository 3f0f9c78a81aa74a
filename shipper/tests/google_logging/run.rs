//! The binary on a VM: token and resource from the metadata server, partial errors from the API, all accounted for.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::cli_support::{auditship, command};
use super::fake::{Api, Vm};
use super::intake;
use super::oracle::Judge;

const RECORDS: usize = 4_000;

/// One in 50 is never taken, one in 20 only at its second coming.
fn fault(n: usize) -> Option<&'static str> {
    match n {
        n if n % 50 == 7 => Some("never"),
        n if n % 20 == 3 => Some("later"),
        _ => None,
    }
}

fn lines() -> String {
    let line = |n: usize| {
        let fault = fault(n).map_or(String::new(), |fault| format!(",\"fault\":\"{fault}\""));
        format!(
            "{{\"n\":{n},\"big\":9007199254740993,\"event\":{{\"id\":\"id-{n}\",\"outcome\":\"failure\"}}{fault},\
             \"http\":{{\"request\":{{\"method\":\"GET\"}}}}}}\n"
        )
    };
    (0..RECORDS).map(line).collect()
}

/// A running daemon; it ends with this value.
struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).expect("a pid");
        let _gone = kill_process(pid, signal);
    }

    fn terminate(mut self) -> i32 {
        self.signal(Signal::TERM);
        self.0.wait().expect("ended").code().expect("ended by itself")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ended = self.0.wait();
    }
}

#[test]
fn a_run_with_partial_errors_accounts_for_every_record() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (api, vm) = (Api::start("token-of-the-vm"), Vm::start("token-of-the-vm"));
    let spool = folder.path().join("spool");
    let configuration = format!(
        "shipper = \"external\"\n[spool]\npath = {spool:?}\nid = \"audit\"\n[[destination]]\nid = \"google\"\n\
         type = \"google_cloud_logging\"\nproject_id = \"audit-project\"\nlog_name = \"audit\"\n\
         resource = \"gce_instance\"\nlabels = {{ job = \"engflow_logs\" }}\nendpoint = \"{}\"\n\
         batch_max_records = 500\nbatch_max_age = \"100ms\"\ndead_letter_rate = \"50%\"\n",
        api.url()
    );
    intake::fill(&intake::config(&configuration), &lines());
    let file = folder.path().join("auditship.toml");
    std::fs::write(&file, configuration.replace("shipper = \"external\"\n", "")).expect("written");
    let file = file.display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = command(arguments);
        command
            .env("GCE_METADATA_HOST", vm.host())
            .env("HOME", folder.path());
        command
            .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
            .env_remove("CLOUDSDK_CONFIG");
        command
    };
    let check = run(&["check", "-c", &file]).output().expect("runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(said.contains("google (google_cloud_logging): ready"), "{said}");

    let never = (0..RECORDS).filter(|n| fault(*n) == Some("never")).count();
    let daemon = Daemon(run(&["run", "-c", &file]).spawn().expect("starts"));
    api.wait("every record is written or refused", |store| {
        let done = store.written.len() == RECORDS - never && store.refused.len() == never;
        done.then_some(())
    });
    assert_eq!(daemon.terminate(), 0);

    let status = auditship(&["status", "-c", &file, "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    let counts = status.to_string();
    assert!(
        counts.contains(&format!("\"delivered\":{}", RECORDS - never)),
        "{counts}"
    );
    assert!(counts.contains(&format!("\"dead_lettered\":{never}")), "{counts}");
    let (numbers, times) = api.wait("the store", |store| {
        let mut numbers: Vec<u64> = store
            .written
            .values()
            .filter_map(|(entry, _)| entry["jsonPayload"]["n"].as_u64())
            .collect();
        numbers.sort_unstable();
        // What was stored was not sent again for its neighbours' sake.
        let times: u32 = store.written.values().map(|(_, times)| times).sum();
        for (entry, _) in store.written.values() {
            assert_eq!(entry["jsonPayload"]["big"], "9007199254740993");
            assert_eq!(
                (&entry["severity"], &entry["httpRequest"]["requestMethod"]),
                (&Value::from("WARNING"), &Value::from("GET"))
            );
        }
        Some((numbers, times))
    });
    let expected: Vec<u64> = (0..RECORDS)
        .filter(|n| fault(*n) != Some("never"))
        .map(|n| n as u64)
        .collect();
    assert_eq!((numbers, times as usize), (expected, RECORDS - never));

    if let Some(mut judge) = Judge::start("google logging: a run's requests by Google's own type") {
        for body in api.bodies() {
            assert_eq!(judge.judge(&body).problems, [""; 0]);
        }
    }
}
