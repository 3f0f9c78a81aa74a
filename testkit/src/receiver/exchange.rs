//! HTTP/1.1 as strictly as RFC 9112 allows a server to be: whatever could be read in two ways is a problem.

use std::fmt;
use std::io::{self, Read, Write};

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem(String);

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request without its body.
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    fn only(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.headers.iter().filter(|(found, _)| found == name).count() {
            0 | 1 => Ok(self.header(name)),
            count => Err(Problem::new(format!("{count} headers {name}"))),
        }
    }
}

const MAX_HEAD: usize = 64 * 1024;

/// The next head; `None` when the connection ends before one begins.
pub(super) fn read_head(stream: &mut impl Read, pending: &mut Vec<u8>) -> Result<Option<Head>, Problem> {
    let end = loop {
        if let Some(at) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if pending.first().is_some_and(|first| !first.is_ascii_uppercase()) {
            return Err(Problem::new("what comes does not begin with a method"));
        }
        if pending.len() > MAX_HEAD {
            return Err(Problem::new("the head is too long"));
        }
        match fill(stream, pending) {
            Ok(0) | Err(_) if pending.is_empty() => return Ok(None),
            Ok(0) => return Err(Problem::new("the connection ended in a head")),
            Ok(_) => {}
            Err(error) => return Err(Problem::new(format!("in a head: {error}"))),
        }
    };
    let head: Vec<u8> = pending.drain(..end + 4).collect();
    let head = String::from_utf8(head).map_err(|_| Problem::new("the head is not UTF-8"))?;
    parse(&head[..end]).map(Some)
}

fn parse(head: &str) -> Result<Head, Problem> {
    let mut lines = head.split("\r\n");
    let request = lines.next().unwrap_or_default();
    let mut words = request.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some("HTTP/1.1"), None) = (method, target, version, words.next()) else {
        return Err(Problem::new(format!("request line {request:?}")));
    };
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    if !token(method) || target.is_empty() || target.chars().any(char::is_control) {
        return Err(Problem::new(format!("request line {request:?}")));
    }
    let mut headers = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Problem::new(format!("header line {line:?}")));
        };
        if !token(name) || value.chars().any(|found| found.is_control() && found != '\t') {
            return Err(Problem::new(format!("header line {line:?}")));
        }
        headers.push((
            name.to_ascii_lowercase(),
            value.trim_matches([' ', '\t']).to_owned(),
        ));
    }
    let head = Head {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
    };
    if head.only("host")?.is_none_or(str::is_empty) {
        return Err(Problem::new("no Host"));
    }
    for name in [
        "content-type",
        "content-encoding",
        "idempotency-key",
        "authorization",
        "expect",
    ] {
        head.only(name)?;
    }
    Ok(head)
}

/// The body as sent and decompressed.
pub(super) fn read_body(
    stream: &mut impl Read,
    pending: &mut Vec<u8>,
    head: &Head,
) -> Result<(Vec<u8>, Vec<u8>), Problem> {
    if head.header("transfer-encoding").is_some() {
        return Err(Problem::new(
            "Transfer-Encoding: a body must have a Content-Length",
        ));
    }
    let length = match head.only("content-length")? {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
            .parse::<usize>()
            .map_err(|_| Problem::new("Content-Length"))?,
        Some(other) => return Err(Problem::new(format!("Content-Length {other:?}"))),
        None if matches!(head.method.as_str(), "POST" | "PUT" | "PATCH") => {
            return Err(Problem::new("no Content-Length"));
        }
        None => 0,
    };
    while pending.len() < length {
        match fill(stream, pending) {
            Ok(0) => return Err(Problem::new("the connection ended in a body")),
            Ok(_) => {}
            Err(error) => return Err(Problem::new(format!("in a body: {error}"))),
        }
    }
    let body: Vec<u8> = pending.drain(..length).collect();
    let plain = decompress(&body, head.header("content-encoding"))?;
    Ok((body, plain))
}

/// The whole of `body` must be one or more complete members; nothing may follow them.
fn decompress(body: &[u8], encoding: Option<&str>) -> Result<Vec<u8>, Problem> {
    let mut plain = Vec::new();
    let read = match encoding {
        None => {
            plain.extend_from_slice(body);
            Ok(0)
        }
        Some("gzip") => flate2::bufread::MultiGzDecoder::new(body).read_to_end(&mut plain),
        Some("zstd") => {
            zstd::stream::read::Decoder::new(body).and_then(|mut decoder| decoder.read_to_end(&mut plain))
        }
        Some(other) => return Err(Problem::new(format!("Content-Encoding {other:?}"))),
    };
    read.map_err(|error| {
        Problem::new(format!(
            "the body is not {}: {error}",
            encoding.unwrap_or_default()
        ))
    })?;
    Ok(plain)
}

fn fill(stream: &mut impl Read, pending: &mut Vec<u8>) -> io::Result<usize> {
    let before = pending.len();
    pending.resize(before + 64 * 1024, 0);
    let read = loop {
        match stream.read(&mut pending[before..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    pending.truncate(before + *read.as_ref().unwrap_or(&0));
    read
}

pub(super) fn write_response(
    stream: &mut impl Write,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} As Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // RFC 9110 8.6: these have no body, and 204 no length.
    if !matches!(status, 100..=199 | 204 | 304) {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut response = head.into_bytes();
    response.extend_from_slice(body);
    stream.write_all(&response)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, Problem> {
        read_head(&mut text.as_bytes(), &mut Vec::new())
    }

    fn body(text: &str) -> Result<(Vec<u8>, Vec<u8>), Problem> {
        let (mut stream, mut pending) = (text.as_bytes(), Vec::new());
        let head = read_head(&mut stream, &mut pending)?.ok_or(Problem::new("nothing"))?;
        read_body(&mut stream, &mut pending, &head)
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "POST / HTTP/1.0\r\nHost: a\r\n\r\n",
            "POST /\r\nHost: a\r\n\r\n",
            "POST / x HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: 1\r\nIdempotency-Key: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nHost",
        ] {
            assert!(head(text).is_err(), "{text:?}");
        }
        assert!(matches!(head(""), Ok(None)));
    }

    #[test]
    fn a_body_has_one_length_and_is_whole() {
        let post = |rest: &str| body(&format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}"));
        assert_eq!(
            post("Content-Length: 2\r\n\r\nab"),
            Ok((b"ab".to_vec(), b"ab".to_vec()))
        );
        for rest in [
            "\r\nab",
            "Content-Length: 3\r\n\r\nab",
            "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
            "Content-Length: +2\r\n\r\nab",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
            "Content-Encoding: br\r\nContent-Length: 2\r\n\r\nab",
        ] {
            assert!(post(rest).is_err(), "{rest:?}");
        }
    }

    #[test]
    fn gzip_must_end_where_the_body_ends() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"content").expect("a Vec takes all");
        let whole = encoder.finish().expect("a Vec takes all");
        assert_eq!(decompress(&whole, Some("gzip")), Ok(b"content".to_vec()));
        assert!(decompress(&whole[..whole.len() - 1], Some("gzip")).is_err());
        assert!(decompress(&[&whole[..], b"x"].concat(), Some("gzip")).is_err());
        assert_eq!(
            decompress(&[&whole[..], &whole[..]].concat(), Some("gzip")),
            Ok(b"contentcontent".to_vec())
        );
    }
}
