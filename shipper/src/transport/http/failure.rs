//! Why a request got no response, in our words: can it have been sent, what happened, what to do.
//!
//! No text of another library is passed on that could hold a URL; host and port are the most that is named.

use std::io;

use rustls::{AlertDescription, CertificateError};
use ureq::{Error, Timeout};

use super::connect::NotConnected;
use crate::transport::SendError;

/// The error of a request to `host`.
pub(super) fn send_error(host: &str, error: &Error) -> SendError {
    if let Error::Other(other) = error
        && let Some(NotConnected { host, error }) = other.downcast_ref()
    {
        return match tls_problem(error) {
            Some(problem) => SendError::Tls {
                reason: format!("{host}: {problem}"),
            },
            None => SendError::NotSent {
                reason: format!("{host}: {}", describe(error)),
            },
        };
    }
    // TLS 1.3 tells of a refused client certificate only after the request went out.
    if let Some(rustls::Error::AlertReceived(alert)) = rustls_error(error)
        && let Some(problem) = refused(*alert)
    {
        return SendError::Tls {
            reason: format!("{host}: {problem}"),
        };
    }
    let reason = format!("{host}: {}", describe(error));
    match error {
        Error::BadUri(_)
        | Error::Http(_)
        | Error::InvalidProxyUrl
        | Error::HostNotFound
        | Error::TlsRequired => SendError::NotSent { reason },
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => SendError::NotSent { reason },
        // Whatever is not known to have failed before may have failed after.
        _ => SendError::Unanswered { reason },
    }
}

/// Whether the connection broke while a request was on its way: the receiver may have answered before it had read all.
pub(super) fn is_cut(error: &Error) -> bool {
    matches!(error, Error::Io(error) if matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    ))
}

fn rustls_error(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Rustls(error) => Some(error),
        Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn tls_problem(error: &Error) -> Option<String> {
    if let Error::Tls(problem) = error {
        return Some((*problem).to_owned());
    }
    if matches!(error, Error::TlsRequired | Error::Pem(_)) {
        return Some(String::from("TLS could not be set up"));
    }
    let error = rustls_error(error)?;
    Some(match error {
        rustls::Error::InvalidCertificate(problem) => certificate_problem(problem),
        rustls::Error::AlertReceived(alert) => refused(*alert).unwrap_or_else(|| error.to_string()),
        rustls::Error::InvalidMessage(_) => {
            String::from("the receiver does not speak TLS here; is `https://` or the port wrong?")
        }
        rustls::Error::General(_) => String::from(
            "the system's certificate authorities cannot be had: install them (ca-certificates), or set `ca_file`",
        ),
        other => other.to_string(),
    })
}

fn certificate_problem(problem: &CertificateError) -> String {
    let text = match problem {
        CertificateError::UnknownIssuer => {
            "the receiver's certificate is not from an authority that is trusted here: set `ca_file` to its authority's certificate"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the receiver's certificate has expired: it must be renewed there (or this host's clock is wrong)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the receiver's certificate is not valid yet: is this host's clock wrong?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the receiver's certificate is for another name: set the host in `url` to a name it is for"
        }
        CertificateError::Revoked => "the receiver's certificate is revoked",
        other => return format!("the receiver's certificate cannot be accepted: {other}"),
    };
    text.to_owned()
}

/// The alerts that speak of our certificate.
fn refused(alert: AlertDescription) -> Option<String> {
    let what = match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the receiver wants a client certificate: set `cert_file` and `key_file`"
        }
        AlertDescription::CertificateExpired => {
            "the receiver says that our certificate (`cert_file`) has expired"
        }
        AlertDescription::CertificateRevoked => {
            "the receiver says that our certificate (`cert_file`) is revoked"
        }
        AlertDescription::UnknownCA => {
            "the receiver does not know the authority of our certificate (`cert_file`)"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => "the receiver does not accept our certificate (`cert_file`)",
        AlertDescription::HandshakeFailure => {
            "the receiver ended the handshake; perhaps it wants a client certificate (`cert_file`, `key_file`)"
        }
        _ => return None,
    };
    Some(what.to_owned())
}

fn describe(error: &Error) -> String {
    match error {
        Error::HostNotFound => {
            String::from("no address is known for this name; check the name and the resolver")
        }
        Error::Timeout(timeout) => timed_out(*timeout),
        Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                String::from("connection refused; does the receiver run, and is the port right?")
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                String::from("the connection was cut")
            }
            io::ErrorKind::UnexpectedEof => String::from("the connection was closed without an answer"),
            // The system's own words for an errno; other texts are not passed on.
            kind => match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number).to_string(),
                None => kind.to_string(),
            },
        },
        Error::ConnectProxyFailed(reason) => {
            let words = if reason.contains("407") {
                "the proxy wants other credentials: put them into `proxy`"
            } else {
                "the proxy refuses the tunnel"
            };
            let status = reason.split(['/', ' ']).find(|word| word.parse::<u16>().is_ok());
            match status {
                Some(status) => format!("{words} (it answered {status})"),
                None => words.to_owned(),
            }
        }
        Error::InvalidProxyUrl => String::from("the proxy's URL cannot be used"),
        Error::BadUri(_) => String::from("the URL cannot be used"),
        Error::Protocol(_) => String::from("the answer is not HTTP/1.1; does something else listen there?"),
        Error::LargeResponseHeader(..) => String::from("the answer's head is larger than 64 KiB"),
        Error::Rustls(_) | Error::Tls(_) => String::from("the encrypted connection broke"),
        _ => String::from("the request failed inside the HTTP client"),
    }
}

fn timed_out(timeout: Timeout) -> String {
    let (what, key) = match timeout {
        Timeout::Resolve => ("no answer from the resolver", "connect_timeout"),
        Timeout::Connect => ("no connection", "connect_timeout"),
        Timeout::SendRequest | Timeout::SendBody | Timeout::PerWrite => {
            ("the request could not be sent", "send_timeout")
        }
        Timeout::RecvResponse | Timeout::RecvBody | Timeout::PerRead => ("no answer", "response_timeout"),
        _ => ("not done", "timeout"),
    };
    format!("{what} in time (`{key}`)")
}
