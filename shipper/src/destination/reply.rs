//! What every HTTP reply has in common: how long to wait, and what of it may be shown to a person. Pure.
//!
//! # Invariants
//! 1. What is shown is short, one line, printable, and nothing that is to be hidden, such as the query string of the
//!    request's URL. (The transport has already masked every secret that it sent: [`crate::transport::http`].)
//! 2. A delay is taken from the reply alone: a date is relative to the reply's own `Date`, so that two clocks which
//!    disagree do no harm. Whoever waits bounds it.

use std::time::Duration;

use ::http::{HeaderMap, Response, header};

use crate::time::Timestamp;

/// Characters of a body that are shown.
const EXCERPT: usize = 200;

/// The delay that `Retry-After` asks for, in seconds or as an HTTP date; `None` when it asks for none that can be
/// understood. A date in the past is no delay.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are longer than any bound.
        return Some(Duration::from_secs(
            text.parse::<u32>().unwrap_or(u32::MAX).into(),
        ));
    }
    let until = http_date(text)?;
    let now = http_date(headers.get(header::DATE)?.to_str().ok()?.trim())?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

/// When a reply was made, by its sender's clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = http_date(headers.get(header::DATE)?.to_str().ok()?.trim())?;
    i64::try_from(date.as_nanosecond()).ok().map(Timestamp)
}

/// The preferred form of RFC 9110 5.6.7, as `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete forms are not understood.
fn http_date(text: &str) -> Option<jiff::Timestamp> {
    text.ends_with(" GMT").then_some(())?;
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

/// `502 Bad Gateway: upstream timed out`, at most some 250 characters. What is `hidden` is left out.
pub(super) fn summary(response: &Response<Vec<u8>>, hidden: &[String]) -> String {
    let status = response.status();
    let mut summary = status.as_str().to_owned();
    if let Some(phrase) = status.canonical_reason() {
        summary.push(' ');
        summary.push_str(phrase);
    }
    let excerpt = excerpt(response.body(), hidden);
    if !excerpt.is_empty() {
        summary.push_str(": ");
        summary.push_str(&excerpt);
    }
    summary
}

/// `409 BlobAlreadyExists: The specified blob already exists.`: the status and the service's own words for it, as far as
/// they are there, and else as [`summary`].
pub(super) fn said(response: &Response<Vec<u8>>, code: &str, message: &str) -> String {
    let words = match (code, message) {
        ("", "") => return summary(response, &[]),
        (words, "") | ("", words) => words.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    format!(
        "{} {}",
        response.status().as_str(),
        excerpt(words.as_bytes(), &[])
    )
}

/// The first words of a body, in one line of printable characters.
pub(super) fn excerpt(body: &[u8], hidden: &[String]) -> String {
    // Enough for the excerpt in the widest encoding and for a hidden text that begins inside it.
    let longest = hidden.iter().map(String::len).max().unwrap_or(0);
    let window = 4 * EXCERPT + longest;
    let mut text = String::from_utf8_lossy(&body[..body.len().min(window)]).into_owned();
    for hidden in hidden.iter().filter(|hidden| !hidden.is_empty()) {
        text = text.replace(hidden, "[redacted]");
    }
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(|found: char| found.is_whitespace() || found.is_control()) {
        for (at, found) in word.chars().enumerate() {
            if length >= EXCERPT {
                line.push('…');
                return line;
            }
            if at == 0 && !line.is_empty() {
                line.push(' ');
                length += 1;
            }
            // Marks that turn the direction of text could make a terminal show something else than what came.
            line.push(if is_invisible(found) { '\u{fffd}' } else { found });
            length += 1;
        }
    }
    line
}

fn is_invisible(found: char) -> bool {
    matches!(found, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_delay_in_seconds_or_until_a_date() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (pairs, delay) in [
            (vec![("retry-after", "120")], Some(120)),
            (vec![("retry-after", "0")], Some(0)),
            (
                vec![("retry-after", "99999999999999999999")],
                Some(u64::from(u32::MAX)),
            ),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date],
                Some(30),
            ),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), date],
                Some(0),
            ),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], None),
            (
                vec![("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), ("date", "now")],
                None,
            ),
            (
                vec![("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT"), date],
                None,
            ),
            (vec![("retry-after", "-1")], None),
            (vec![("retry-after", "1.5")], None),
            (vec![("retry-after", "")], None),
            (vec![date], None),
        ] {
            assert_eq!(
                retry_after(&headers(&pairs)),
                delay.map(Duration::from_secs),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn an_excerpt_is_one_short_printable_line() {
        assert_eq!(excerpt(b" a\r\n\tb \x1b[31mc\0 ", &[]), "a b [31mc");
        assert_eq!(excerpt(b"\xff\xfe", &[]), "\u{fffd}\u{fffd}");
        assert_eq!(excerpt("a\u{202e}b".as_bytes(), &[]), "a\u{fffd}b");
        assert_eq!(excerpt(b"", &[]), "");
        assert_eq!(
            excerpt("ä".repeat(201).as_bytes(), &[]),
            format!("{}…", "ä".repeat(200))
        );
        assert_eq!(
            excerpt(b"bad: /b?sig=hunter2", &[String::from("sig=hunter2")]),
            "bad: /b?[redacted]"
        );
        let late = [" ".repeat(795).as_bytes(), b"sig=hunter2"].concat();
        assert_eq!(excerpt(&late, &[String::from("sig=hunter2")]), "[redacted]");
    }

    #[test]
    fn the_words_of_a_service_stand_behind_the_status() {
        let response = Response::builder().status(409).body(b"<xml>".to_vec()).unwrap();
        for (code, message, words) in [
            ("Taken", "It is there.", "409 Taken: It is there."),
            ("Taken", "", "409 Taken"),
            ("", "It is\n there.", "409 It is there."),
            ("", "", "409 Conflict: <xml>"),
        ] {
            assert_eq!(said(&response, code, message), words);
        }
    }

    #[test]
    fn a_summary_names_the_status() {
        let response = Response::builder().status(599).body(b"odd".to_vec()).unwrap();
        assert_eq!(summary(&response, &[]), "599: odd");
        let response = Response::builder().status(502).body(Vec::new()).unwrap();
        assert_eq!(summary(&response, &[]), "502 Bad Gateway");
    }
}
