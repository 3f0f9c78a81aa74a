//! Microsoft's emulator of Blob Storage, Azurite, with everything in memory.

use std::path::{Path, PathBuf};

use super::{Absent, Processes, free_ports, listens, on_path};

/// A running Azurite.
#[derive(Debug)]
pub struct Azurite {
    /// `http://127.0.0.1:PORT/ACCOUNT`, or `https://localhost:PORT/ACCOUNT` where tokens are taken.
    pub url: String,
    _processes: Processes,
}

/// What Azurite proves itself with over TLS.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by tests")]
pub struct Certificate<'a> {
    /// PEM of the certificate, for `localhost`.
    pub cert_file: &'a Path,
    /// PEM of its key.
    pub key_file: &'a Path,
}

impl Azurite {
    /// The only account.
    pub const ACCOUNT: &'static str = "auditacct";
    /// Its key: 64 bytes `k`.
    pub const KEY: &'static str =
        "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2traw==";

    /// Starts it over plain HTTP: keys and signatures are taken.
    ///
    /// # Errors
    /// [`Absent`] when it is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Result<Self, Absent> {
        Self::run("azurite", None)
    }

    /// Starts it over TLS: tokens of Entra ID are taken too, and looked at but for their signatures.
    ///
    /// # Errors
    /// [`Absent`] when it is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start_tls(certificate: Certificate<'_>) -> Result<Self, Absent> {
        Self::run("azurite-tls", Some(certificate))
    }

    fn run(name: &str, certificate: Option<Certificate<'_>>) -> Result<Self, Absent> {
        let program = program()?;
        let env = on_path("env").ok_or_else(|| Absent(String::from("no env on the path")))?;
        let mut processes = Processes::in_directory(name);
        let [port] = free_ports();
        let mut arguments = vec![
            format!("AZURITE_ACCOUNTS={}:{}", Self::ACCOUNT, Self::KEY),
            program.display().to_string(),
        ];
        let fixed = [
            "--blobHost",
            "127.0.0.1",
            "--inMemoryPersistence",
            "--disableTelemetry",
            "--silent",
        ];
        arguments.extend(fixed.map(str::to_owned));
        arguments.extend([String::from("--blobPort"), port.to_string()]);
        let (scheme, host) = match certificate {
            None => ("http", "127.0.0.1"),
            Some(Certificate { cert_file, key_file }) => {
                let (cert, key) = (cert_file.display(), key_file.display());
                arguments.extend(["--oauth", "basic", "--cert"].map(str::to_owned));
                arguments.extend([cert.to_string(), String::from("--key"), key.to_string()]);
                ("https", "localhost")
            }
        };
        processes.start(name, &env, &arguments);
        processes.await_ready("Azurite", || listens(port));
        Ok(Self {
            url: format!("{scheme}://{host}:{port}/{}", Self::ACCOUNT),
            _processes: processes,
        })
    }
}

/// Where `scripts/test-deps.sh` puts it.
fn program() -> Result<PathBuf, Absent> {
    let target = crate::artefacts::target_directory().unwrap_or_else(|why| panic!("{why}"));
    let folder = target.join("test-deps/azurite");
    match (folder.join("complete").is_file(), on_path("node")) {
        (true, Some(_)) => Ok(folder.join("node_modules/.bin/azurite-blob")),
        _ => Err(Absent(format!(
            "no Azurite in {} or no Node.js; scripts/test-deps.sh installs them",
            folder.display()
        ))),
    }
}
