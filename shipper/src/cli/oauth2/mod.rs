//! `auditship oauth2 login`: a person agrees once, in a browser, and the shipper goes on by itself from then on.

mod loopback;

use std::io::{self, BufRead as _};

use clap::{Args, Subcommand};

use self::loopback::Loopback;
use super::destinations::ConfigOption;
use super::exit::{Exit, Failure};
use super::message;
use super::output::Output;
use crate::config::Environment;
use crate::credentials::oauth2::login::{Consent, Login, NoCode};
use crate::credentials::oauth2::{Grant, TokenFile};
use crate::destination::authentication::Granted;
use crate::random::OsRandom;
use crate::secret::Exposed;
use crate::time::SystemClock;

/// Log in at the OAuth 2.0 server of a destination.
#[derive(Args, Debug)]
pub(super) struct OAuth2 {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Login(LoginOnce),
}

/// Print a URL for a browser, take the code that comes back, and keep the login in the destination's token file.
///
/// The code comes back to a port of 127.0.0.1, when the browser runs on this host; otherwise it is pasted (`--paste`). A login
/// that is kept already is replaced. A running shipper uses the new one at its next attempt.
#[derive(Args, Debug)]
struct LoginOnce {
    /// The destination's id
    #[arg(value_name = "DESTINATION")]
    destination: String,
    #[command(flatten)]
    config: ConfigOption,
    /// The port of 127.0.0.1 that the code comes back to, where the client is registered with one; else any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Take the address that the browser was sent to, or the code, from standard input
    #[arg(long)]
    paste: bool,
    /// Where the server sends the browser, as the client is registered; default http://127.0.0.1:PORT/callback
    #[arg(long, value_name = "URL", requires = "paste")]
    redirect_url: Option<String>,
}

impl OAuth2 {
    pub(super) fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        match &self.action {
            Action::Login(login) => login.run(environment, output),
        }
    }
}

impl LoginOnce {
    fn run(&self, environment: &Environment, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let chosen = self.config.destinations(Some(&self.destination), environment)?;
        let mut destinations = chosen.destinations.iter();
        let granted = destinations.find_map(|found| found.kind.granted());
        let Some((granted, consent)) = granted.and_then(|granted| match &granted.grant {
            Grant::AuthorizationCode(consent) => Some((granted, consent)),
            Grant::ClientCredentials => None,
        }) else {
            return Err(Failure::Config(format!(
                "{}: nobody logs in there: that is for `auth = \"oauth2_authorization_code\"`",
                self.destination
            )));
        };
        let done = match self.paste {
            true => self.by_paste(granted, consent, output)?,
            false => self.by_browser(granted, consent, output)?,
        };
        match done {
            Ok(()) => {
                let (id, file) = (&self.destination, consent.token_file.display());
                output.line(format_args!("{id}: logged in; the login is kept in {file}"))?;
                Ok(Exit::Done)
            }
            Err(problem) => {
                message(format_args!("{}: not logged in: {problem}", self.destination));
                Ok(Exit::Unsound)
            }
        }
    }

    fn by_browser(
        &self,
        granted: &Granted,
        consent: &Consent,
        output: &mut Output<'_>,
    ) -> Result<Result<(), String>, Failure> {
        let loopback = Loopback::listen(self.port).map_err(|error| {
            Failure::Config(format!(
                "127.0.0.1:{} cannot be listened on ({error}): choose another --port, or --paste",
                self.port
            ))
        })?;
        let login = begin(loopback.redirect_url())?;
        message("open this in a browser on this host:");
        show(&login.url(&granted.client, consent), output)?;
        let came_back = loopback.until(|query| match login.code(query) {
            Ok(code) => Some(Ok(code)),
            Err(denied @ NoCode::Denied { .. }) => Some(Err(denied.to_string())),
            // Whoever else asks there ends nobody's login.
            Err(_) => None,
        });
        let came_back = came_back
            .map_err(|error| Failure::Config(format!("listening for the browser failed: {error}")))?;
        Ok(came_back.and_then(|code| finish(login, &code, granted, consent)))
    }

    fn by_paste(
        &self,
        granted: &Granted,
        consent: &Consent,
        output: &mut Output<'_>,
    ) -> Result<Result<(), String>, Failure> {
        let redirect_url = match (&self.redirect_url, self.port) {
            (Some(url), _) => url.clone(),
            (None, 0) => {
                return Err(Failure::Config(String::from(
                    "with --paste nobody listens: say with --redirect-url (or --port) which address the client is registered with",
                )));
            }
            (None, port) => format!("http://127.0.0.1:{port}{}", loopback::PATH),
        };
        let login = begin(redirect_url)?;
        message("open this in any browser:");
        show(&login.url(&granted.client, consent), output)?;
        message("then paste the address that the browser was sent to (it may show an error), or the code:");
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Failure::Spool(format!("standard input: {error}")))?;
        Ok(match login.code(&line) {
            Ok(code) => finish(login, &code, granted, consent),
            Err(error) => Err(error.to_string()),
        })
    }
}

fn begin(redirect_url: String) -> Result<Login, Failure> {
    Login::begin(redirect_url, &OsRandom::new())
        .map_err(|error| Failure::Spool(format!("no random numbers: {error}")))
}

/// Prints `url` now: somebody waits for it.
fn show(url: &str, output: &mut Output<'_>) -> Result<(), Failure> {
    output.line(url)?;
    Ok(output.flush()?)
}

fn finish(login: Login, code: &Exposed, granted: &Granted, consent: &Consent) -> Result<(), String> {
    let file = TokenFile::at(&consent.token_file);
    login
        .finish(code, &granted.client, &file, &granted.web(), &SystemClock::new())
        .map_err(|error| error.to_string())
}
