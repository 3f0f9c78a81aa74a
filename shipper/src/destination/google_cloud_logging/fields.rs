//! The fields of the Elastic Common Schema that the API has places of its own for, found nested or dotted. Pure.

/// A field that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Outcome,
    Duration,
    Method,
    RequestBytes,
    RequestBodyBytes,
    Referrer,
    Status,
    ResponseBytes,
    ResponseBodyBytes,
    HttpVersion,
    UrlFull,
    UrlOriginal,
    UserAgent,
    ClientIp,
    SourceIp,
    ServerIp,
    DestinationIp,
}

/// Each with its dotted name.
const FIELDS: [(Field, &[u8]); 17] = [
    (Field::Outcome, b"event.outcome"),
    (Field::Duration, b"event.duration"),
    (Field::Method, b"http.request.method"),
    (Field::RequestBytes, b"http.request.bytes"),
    (Field::RequestBodyBytes, b"http.request.body.bytes"),
    (Field::Referrer, b"http.request.referrer"),
    (Field::Status, b"http.response.status_code"),
    (Field::ResponseBytes, b"http.response.bytes"),
    (Field::ResponseBodyBytes, b"http.response.body.bytes"),
    (Field::HttpVersion, b"http.version"),
    (Field::UrlFull, b"url.full"),
    (Field::UrlOriginal, b"url.original"),
    (Field::UserAgent, b"user_agent.original"),
    (Field::ClientIp, b"client.ip"),
    (Field::SourceIp, b"source.ip"),
    (Field::ServerIp, b"server.ip"),
    (Field::DestinationIp, b"destination.ip"),
];

/// What was found: each value as its JSON text. The first of a field counts.
#[derive(Default)]
pub(super) struct Found<'a>([Option<&'a [u8]>; FIELDS.len()]);

impl<'a> Found<'a> {
    pub(super) fn set(&mut self, field: Field, text: &'a [u8]) {
        if let Some(slot) = self.0.get_mut(field as usize) {
            slot.get_or_insert(text);
        }
    }

    /// The inside of a text, escapes as they are; nothing when the value is no text, or an empty one.
    pub(super) fn text(&self, field: Field) -> Option<&'a [u8]> {
        let text = (*self.0.get(field as usize)?)?;
        text.strip_prefix(b"\"")?
            .strip_suffix(b"\"")
            .filter(|inside| !inside.is_empty())
    }

    /// The digits of a whole number that is not negative, as a number or as a text.
    pub(super) fn whole(&self, field: Field) -> Option<i64> {
        let text = (*self.0.get(field as usize)?)?;
        let digits = self.text(field).unwrap_or(text);
        let is_whole = digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(digits)
            .ok()
            .filter(|_| is_whole)?
            .parse()
            .ok()
    }

    /// The first of `fields` that is a text.
    pub(super) fn first_text(&self, fields: &[Field]) -> Option<&'a [u8]> {
        fields.iter().find_map(|field| self.text(*field))
    }
}

/// What may still be found inside an object, given the names that lead to it.
#[derive(Clone, Copy)]
pub(super) struct Level {
    /// A bit for each of [`FIELDS`].
    fields: u32,
    /// How much of their names is behind us.
    length: usize,
}

impl Level {
    /// Levels that are kept: the record's own is 1, and the longest name has four parts.
    pub(super) const DEPTH: usize = 5;
    /// At the record itself.
    pub(super) const START: Self = Self {
        fields: (1 << FIELDS.len()) - 1,
        length: 0,
    };
    /// Where nothing can be found.
    pub(super) const NOWHERE: Self = Self { fields: 0, length: 0 };

    /// What the member `name` is, and what may be found below it.
    pub(super) fn enter(self, name: &[u8]) -> (Option<Field>, Self) {
        let mut field = None;
        let mut below = Self {
            fields: 0,
            length: self.length + name.len() + 1,
        };
        let mut left = self.fields;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            let Some((candidate, full)) = FIELDS.get(bit as usize) else {
                break;
            };
            match full.get(self.length..).and_then(|rest| rest.strip_prefix(name)) {
                Some([]) => field = Some(*candidate),
                Some([b'.', ..]) => below.fields |= 1 << bit,
                _ => {}
            }
        }
        (field, below)
    }
}
