//! Tokens of a real OAuth 2.0 server (oidc-provider): client credentials, a person's login, rotation, a revoked login, several
//! processes with one login, for a moment or for good.
#![allow(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

#[path = "../cli_support/mod.rs"]
mod cli_support;
mod clients;
#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/intake.rs"]
mod intake;
mod logins;
mod processes;
#[path = "../support/python.rs"]
mod python;
#[path = "../support/shipment.rs"]
mod shipment;
mod shippers;

use std::path::{Path, PathBuf};

use cli_support::{Outcome, auditship};
use python::{Program, oauth2};
use serde_json::Value;

/// The server, and the collector that takes its tokens.
struct Server {
    program: Program,
    issuer: String,
    collector: String,
}

impl Server {
    /// `None` when it is not installed: then `test` has been called skipped.
    fn start(test: &str) -> Option<Self> {
        let modules = oauth2(test)?;
        let mut program = Program::start_with(Path::new("node"), "oauth2/server.mjs", &[&modules]);
        let places: Value = serde_json::from_str(&program.line()).unwrap();
        let place = |name: &str| places[name].as_str().unwrap().to_owned();
        Some(Self {
            issuer: place("issuer"),
            collector: place("collector"),
            program,
        })
    }

    fn ask(&mut self, command: &str) -> Value {
        let answer: Value = serde_json::from_str(&self.program.ask(command)).unwrap();
        assert_eq!(answer.get("failed"), None, "{command}: {answer}");
        answer
    }

    /// One of the server's counts.
    fn count(&mut self, name: &str) -> u64 {
        self.ask("counts")[name].as_u64().unwrap()
    }
}

/// A folder with a configuration whose destination `siem` is the server's collector.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// With further `keys`, in which `{folder}` is the folder and `{issuer}` the server.
    fn new(server: &Server, keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let text = format!(
            "[spool]\npath = \"{path}/spool\"\n[[destination]]\nid = \"siem\"\ntype = \"http\"\nurl = \"{}\"\n\
             oauth_token_url = \"{{issuer}}/token\"\n{keys}\n",
            server.collector,
        );
        let text = text
            .replace("{folder}", &path)
            .replace("{issuer}", &server.issuer);
        std::fs::write(folder.path().join("auditship.toml"), text).unwrap();
        Self { folder }
    }

    /// Where a person logs in, by way of `client`.
    fn of_a_person(server: &Server, client: &str) -> Self {
        let secret = match client {
            "person" => "oauth_client_secret = \"person secret\"\n",
            _ => "",
        };
        let keys = format!(
            "auth = \"oauth2_authorization_code\"\noauth_authorization_url = \"{{issuer}}/auth\"\n{secret}\
             oauth_client_id = \"{client}\"\noauth_scope = [\"openid\", \"offline_access\", \"audit\"]\n\
             oauth_parameters = [\"prompt=consent\"]\noauth_token_file = \"{{folder}}/siem.token\""
        );
        Self::new(server, &keys)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        self.path("auditship.toml").display().to_string()
    }

    /// Changes the configuration.
    fn replace(&self, from: &str, to: &str) {
        let file = self.path("auditship.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    /// Stores one marked record.
    fn send_test(&self) -> Outcome {
        auditship(&["send-test", "-c", &self.configuration()])
    }

    /// The keys of the destination, as `ship` takes them.
    fn keys(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("auditship.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let destination = table["destination"][0].as_table().unwrap();
        let own = destination
            .iter()
            .filter(|(key, _)| key.starts_with("oauth") || *key == "auth");
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(parts) => {
                let parts: Vec<_> = parts.iter().filter_map(toml::Value::as_str).collect();
                parts.join(",")
            }
            other => panic!("{other}"),
        };
        own.flat_map(|(key, value)| [String::from("--with"), format!("{key}={}", text(value))])
            .collect()
    }

    /// Ships `count` records whose ids begin with `prefix`, with a spool of this place.
    fn ship(&self, server: &Server, prefix: &str, count: usize) -> Outcome {
        let file = self.path(&format!("{prefix}.ndjson"));
        let lines = (0..count).map(|n| format!("{{\"event\":{{\"id\":\"{prefix}-{n}\"}}}}\n"));
        std::fs::write(&file, lines.collect::<String>()).unwrap();
        let (file, spool) = (
            file.display().to_string(),
            self.path("ship").display().to_string(),
        );
        let keys = self.keys();
        let mut arguments = vec!["ship", &file, "--to", &server.collector, "--spool", &spool];
        arguments.extend(keys.iter().map(String::as_str));
        arguments.extend(["--with", "batch_max_records=5"]);
        auditship(&arguments)
    }
}

/// That the collector has every one of `count` records once.
fn assert_stored_once(server: &mut Server, prefix: &str, count: usize) {
    let stored = server.ask("counts")["stored"].clone();
    for n in 0..count {
        assert_eq!(stored[format!("{prefix}-{n}")], 1, "{prefix}-{n}");
    }
}
