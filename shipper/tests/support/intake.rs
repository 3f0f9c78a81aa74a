//! What stands in for the plugin: an instance of its own, and a spool filled by it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::time::Duration;

use auditship::config::{Config, Environment, Strictness};
use auditship::ingest::Chunk;
use auditship::instance::{Answer, Instance, Outside, Program, machine_id};
use auditship::random::OsRandom;
use auditship::spool::draft::SourceFormat;
use auditship::time::{Clock as _, SystemClock};

/// This machine, with no environment.
pub(crate) fn outside() -> Outside {
    Outside {
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(OsRandom::new()),
        environment: Environment::empty(),
        machine_id: machine_id(),
        program: Program {
            name: String::from("test"),
            pid: std::process::id(),
        },
    }
}

/// A configuration that must be good.
pub(crate) fn config(toml: &str) -> Config {
    Config::from_toml_text(toml, "test", &Environment::empty(), Strictness::Strict).expect("good")
}

/// Hands `lines` over, which must all be accepted.
pub(crate) fn hand_over(instance: &mut Instance, lines: &str) {
    let chunk = Chunk {
        source: SourceFormat::Ndjson,
        bytes: lines.as_bytes(),
        origin: "test",
        received_at: SystemClock::new().wall(),
    };
    assert_eq!(instance.accept(&[chunk]), [Answer::Accepted]);
}

/// Fills the spool of `config` with `lines`. With `shipper = "external"` nothing is sent.
pub(crate) fn fill(config: &Config, lines: &str) {
    let mut instance = Instance::start(config, &outside()).expect("the writer's lock is free");
    hand_over(&mut instance, lines);
    instance.tick();
    instance.stop(Duration::ZERO);
}
