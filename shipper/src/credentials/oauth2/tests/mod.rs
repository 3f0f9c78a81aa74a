mod answers;
mod crashes;
mod logins;
mod processes;
mod server;

use std::sync::Arc;

use super::*;
use crate::config::Environment;
use crate::destination::endpoint::{Endpoint, Plaintext};
use crate::secret::Secret;
use crate::spool::storage::Storage;
use crate::spool::storage::sim::SimStorage;
use crate::time::ManualClock;
use server::Server;

/// 2026-01-01T00:00:00Z
const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);

const FILE: &str = "siem.token";

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, Plaintext::LoopbackOnly).unwrap()
}

fn client() -> Client {
    Client {
        token_url: endpoint("https://login.example/token"),
        id: String::from("the client"),
        secret: Some(Secret::parse("hunter2:+secret", &Environment::empty()).unwrap()),
        authentication: ClientAuthentication::Header,
        scope: Some(String::from("audit offline_access")),
        audience: None,
        resource: None,
    }
}

fn tokens(name: &str, life: Duration, generation: u64) -> Tokens {
    let granted = answer::Granted {
        access: Expiring {
            value: Exposed::new(format!("access-{name}")),
            until: Some(NOW.plus(life)),
        },
        refresh: Some(Exposed::new(format!("refresh-{name}"))),
    };
    Tokens::first(&client(), granted, generation).unwrap()
}

/// A disk with the first login of `server` on it, whose access token holds for `life`.
fn logged_in(life: Duration) -> SimStorage {
    let disk = SimStorage::new();
    let file = TokenFile::on(Arc::new(disk.clone()), FILE);
    let session = file.try_lock().unwrap().unwrap();
    let tokens = tokens("0", life, session.next_generation().unwrap());
    session.reserve().unwrap().write(&tokens).unwrap();
    disk
}

/// A process that uses the login on `disk`.
fn process(disk: &SimStorage, server: &Arc<Server>, clock: &Arc<ManualClock>) -> OAuth2 {
    let source = Source::Login {
        file: TokenFile::on(Arc::new(disk.clone()) as Arc<dyn Storage>, FILE),
        last: Mutex::default(),
    };
    OAuth2::from(client(), source, server.clone(), clock.clone())
}

fn token(process: &OAuth2) -> Result<String, CredentialError> {
    let headers = process.authorize(&Request::new(Vec::new()), NOW)?;
    let value = &headers[header::AUTHORIZATION];
    assert!(value.is_sensitive());
    let value = value.to_str().unwrap();
    Ok(value.strip_prefix("Bearer ").unwrap().to_owned())
}
