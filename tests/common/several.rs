//! Several destinations for one spool, in one `Config_File`.

use std::fs;
use std::process::Command;

use auditship_testkit::artefacts::Artefact;
use auditship_testkit::process::stanza;
use auditship_testkit::protocol::Stanza;
use auditship_testkit::receiver::Receiver;
use serde_json::Value;

use super::{Scratch, await_until};

/// The file's destinations: `archive`, whose records are in `records-archive`, and what [`Several::configure`] adds.
pub(crate) struct Several {
    pub(crate) scratch: Scratch,
}

impl Several {
    pub(crate) fn new() -> Self {
        // Built now, not while a host's time runs.
        Artefact::Binary.path();
        Self {
            scratch: Scratch::new(),
        }
    }

    /// Writes the file with further destinations, each at its receiver.
    pub(crate) fn configure(&self, further: &[(&str, &Receiver)]) {
        let mut text = format!(
            "[spool]\npath = \"{}\"\nid = \"a\"\n[[destination]]\nid = \"archive\"\ntype = \"file\"\npath = \"{}\"\n\
             compression = \"none\"\nbatch_max_age = \"100ms\"\n",
            self.scratch.text("spool"),
            self.scratch.text("records-archive"),
        );
        for (id, receiver) in further {
            text.push_str(&format!(
                "[[destination]]\nid = \"{id}\"\ntype = \"http\"\nurl = \"{}\"\nbatch_max_age = \"100ms\"\n",
                receiver.url("/audit")
            ));
        }
        fs::write(self.scratch.path("auditship.toml"), text).unwrap();
    }

    /// The stanza that names the file.
    pub(crate) fn stanza(&self) -> Stanza {
        stanza(
            "a",
            &[
                ("Id", "a"),
                ("Spool", &self.scratch.text("spool")),
                ("Config_File", &self.scratch.text("auditship.toml")),
            ],
        )
    }

    /// What the status says of a destination; null when it does not know it, or there is no spool yet.
    pub(crate) fn destination(&self, id: &str) -> Value {
        let output = Command::new(Artefact::Binary.path())
            .args(["status", "--json", &self.scratch.text("spool")])
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut all = status["destinations"].as_array().into_iter().flatten();
        let found = all.find(|destination| destination["id"] == id);
        found.cloned().unwrap_or_default()
    }

    /// Waits until `id` has settled `count` records, which is all there are: delivered, each in one of the counts.
    pub(crate) fn await_settled(&self, id: &str, count: u64) {
        await_until(&format!("{count} records settled for {id}"), || {
            let destination = self.destination(id);
            let is_so = destination["committed"] == count && destination["backlog"]["pending"] == 0;
            is_so.then(|| assert_eq!(destination["counts"]["delivered"], count, "{destination}"))
        });
    }
}

/// The ids of the records that have come to a receiver, in their order there.
pub(crate) fn came_to(receiver: &Receiver) -> Vec<String> {
    let mut ids = Vec::new();
    for request in receiver.requests() {
        for line in String::from_utf8(request.plain).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            ids.push(record["event"]["id"].as_str().unwrap().to_owned());
        }
    }
    ids
}

/// Waits until the record `number` is the last that has come to a receiver.
pub(crate) fn await_last(receiver: &Receiver, number: u32) {
    let last = super::ids(number..number + 1);
    await_until(&format!("record {number}"), || {
        came_to(receiver).ends_with(&last).then_some(())
    });
}
