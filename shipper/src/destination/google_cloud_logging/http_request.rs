//! The API's `httpRequest` from a record's fields. Pure.

use super::fields::{Field, Found};
use super::payload::Sink;

/// Writes `,"httpRequest":{...}` when the record speaks of an HTTP exchange: when it has a method or a status.
pub(super) fn write(found: &Found<'_>, sink: &mut impl Sink) {
    let method = found.text(Field::Method);
    let status = found
        .whole(Field::Status)
        .filter(|status| i32::try_from(*status).is_ok());
    if method.is_none() && status.is_none() {
        return;
    }
    sink.put(b",\"httpRequest\":{");
    let mut members = Members { first: true, sink };
    members.text("requestMethod", method);
    members.text(
        "requestUrl",
        found.first_text(&[Field::UrlFull, Field::UrlOriginal]),
    );
    members.digits(
        "requestSize",
        first_whole(found, [Field::RequestBytes, Field::RequestBodyBytes]),
    );
    if let Some(status) = status {
        members.name("status");
        members.sink.put(itoa::Buffer::new().format(status).as_bytes());
    }
    members.digits(
        "responseSize",
        first_whole(found, [Field::ResponseBytes, Field::ResponseBodyBytes]),
    );
    members.text("userAgent", found.text(Field::UserAgent));
    members.text("remoteIp", found.first_text(&[Field::ClientIp, Field::SourceIp]));
    members.text(
        "serverIp",
        found.first_text(&[Field::ServerIp, Field::DestinationIp]),
    );
    members.text("referer", found.text(Field::Referrer));
    if let Some(nanoseconds) = found.whole(Field::Duration) {
        let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        members.text("latency", Some(format!("{seconds}.{rest:09}s").as_bytes()));
    }
    if let Some(version) = found.text(Field::HttpVersion) {
        members.text("protocol", Some(&[b"HTTP/", version].concat()));
    }
    sink.put(b"}");
}

fn first_whole(found: &Found<'_>, fields: [Field; 2]) -> Option<i64> {
    fields.into_iter().find_map(|field| found.whole(field))
}

struct Members<'a, S: Sink> {
    first: bool,
    sink: &'a mut S,
}

impl<S: Sink> Members<'_, S> {
    fn name(&mut self, name: &str) {
        self.sink.put(if self.first { b"\"" } else { b",\"" });
        self.first = false;
        self.sink.put(name.as_bytes());
        self.sink.put(b"\":");
    }

    /// The inside of a JSON text.
    fn text(&mut self, name: &str, text: Option<&[u8]>) {
        if let Some(text) = text {
            self.name(name);
            self.sink.put(b"\"");
            self.sink.put(text);
            self.sink.put(b"\"");
        }
    }

    /// 64 bits are digits in a text, in the JSON of protobuf.
    fn digits(&mut self, name: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.text(name, Some(itoa::Buffer::new().format(number).as_bytes()));
        }
    }
}
