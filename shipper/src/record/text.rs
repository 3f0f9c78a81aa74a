//! Bytes of text into a JSON string. Pure.
//!
//! Invariant: what is appended is valid UTF-8 and holds no raw quote, backslash or control character, so between two
//! quotes it is a JSON string. The escapes are the shortest ones, so equal texts are equal bytes.

use super::msgpack::Short;

/// What JSON text has for each byte: 0 stands for itself, `u` is `\u00XX`, anything else follows a backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Whether text came out as it went in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// It was UTF-8.
    Kept,
    /// Something in it was not UTF-8 and is U+FFFD now.
    Repaired,
}

/// Appends `bytes` as the inside of a JSON string.
///
/// Stops early once `out` is longer than `limit`, so that escapes cannot multiply a large text; the caller checks.
#[inline]
pub(super) fn escape_bytes(bytes: &[u8], out: &mut Vec<u8>, limit: usize) -> Text {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        return Text::Kept;
    }
    escape_slowly(bytes, out, limit)
}

/// As [`escape_bytes`] for a short text: up to 32 bytes are looked at and copied in one step, together with what
/// follows them, which is taken off again.
#[inline(always)]
pub(super) fn escape_short(text: Short<'_>, out: &mut Vec<u8>, limit: usize) -> Text {
    let copied = if text.len() <= 16 {
        copy_plain::<16>(text, out)
    } else {
        copy_plain::<32>(text, out)
    };
    match copied {
        Some(()) => Text::Kept,
        None => escape_bytes(text.bytes(), out, limit),
    }
}

/// Copies a text that stands for itself, if it is that and no longer than `N`.
#[inline(always)]
fn copy_plain<const N: usize>(text: Short<'_>, out: &mut Vec<u8>) -> Option<()> {
    let window: &[u8; N] = text.window()?;
    let mut found = 0;
    for (place, word) in window.as_chunks().0.iter().enumerate() {
        // What follows the text stands above it in each word, where no alarm can reach down from.
        found |= special(u64::from_le_bytes(*word)) & first_bytes(text.len().saturating_sub(8 * place));
    }
    if found != 0 {
        return None;
    }
    let end = out.len() + text.len();
    out.extend_from_slice(window);
    out.truncate(end);
    Some(())
}

/// A word of which the first `len` bytes are all ones.
#[inline(always)]
fn first_bytes(len: usize) -> u64 {
    if len < 8 { (1 << (8 * len)) - 1 } else { u64::MAX }
}

/// Appends `text` as the inside of a JSON string.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    escape_valid(text.as_bytes(), out, usize::MAX);
}

/// Whether all bytes are ASCII and stand for themselves in JSON.
///
/// Eight bytes a step in an ordinary word: most texts of a record are shorter than what vector registers pay for.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        return bytes
            .iter()
            .all(|byte| byte.is_ascii() && ESCAPES[usize::from(*byte)] == 0);
    };
    // The last eight overlap with the words before, so that there is no tail.
    let mut found = special(u64::from_le_bytes(*last));
    for word in bytes.as_chunks().0 {
        found |= special(u64::from_le_bytes(*word));
    }
    found == 0
}

/// How many bytes stand for themselves inside a JSON string, from the first on. Bytes outside ASCII do.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let in_need = |byte: &u8| ESCAPES[usize::from(*byte)] != 0;
    let (words, tail) = bytes.as_chunks();
    for (place, word) in words.iter().enumerate() {
        // The word may raise a false alarm behind a byte outside ASCII; the bytes decide.
        if escaped(u64::from_le_bytes(*word)) != 0
            && let Some(run) = word.iter().position(in_need)
        {
            return place * 8 + run;
        }
    }
    words.len() * 8 + tail.iter().position(in_need).unwrap_or(tail.len())
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Not zero when one of the word's bytes is a quote, a backslash, a control character or not ASCII.
#[inline]
fn special(word: u64) -> u64 {
    escaped(word) | word & HIGH
}

/// Not zero when one of the word's bytes is a quote, a backslash or a control character. Bytes outside ASCII may raise
/// false alarms.
#[inline]
fn escaped(word: u64) -> u64 {
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero_byte(word ^ (ONES * 0x22));
    let backslash = zero_byte(word ^ (ONES * 0x5c));
    (control | quote | backslash) & HIGH
}

#[cold]
fn escape_slowly(bytes: &[u8], out: &mut Vec<u8>, limit: usize) -> Text {
    if std::str::from_utf8(bytes).is_ok() {
        escape_valid(bytes, out, limit);
        return Text::Kept;
    }
    for chunk in bytes.utf8_chunks() {
        escape_valid(chunk.valid().as_bytes(), out, limit);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
        if out.len() > limit {
            break;
        }
    }
    Text::Repaired
}

/// `bytes` are UTF-8.
fn escape_valid(bytes: &[u8], out: &mut Vec<u8>, limit: usize) {
    let mut rest = bytes;
    while let Some(run) = rest.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0) {
        let byte = rest[run];
        out.extend_from_slice(&rest[..run]);
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &rest[run + 1..];
        if out.len() > limit {
            return;
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> (Vec<u8>, Text) {
        let mut out = Vec::new();
        let text = escape_bytes(bytes, &mut out, usize::MAX);
        (out, text)
    }

    #[test]
    fn every_byte_at_every_place_of_a_text_reads_back_as_itself() {
        for len in 1..=33 {
            for place in 0..len {
                for byte in 0..0x80 {
                    let mut text = vec![b'x'; len];
                    text[place] = byte;
                    let (out, kept) = escaped(&text);
                    let quoted = [b"\"", &out[..], b"\""].concat();
                    let read: String = serde_json::from_slice(&quoted).unwrap();
                    assert_eq!(read.as_bytes(), text);
                    assert_eq!(kept, Text::Kept);
                }
            }
        }
    }

    #[test]
    fn escapes_are_the_shortest() {
        assert_eq!(
            escaped(b"\"\\/\x08\x09\x0a\x0b\x0c\x0d\x00\x1f\x7f").0,
            br#"\"\\/\b\t\n\u000b\f\r\u0000\u001f"#.iter().chain(b"\x7f").copied().collect::<Vec<u8>>()
        );
    }

    #[test]
    fn what_is_not_utf8_is_replaced_as_the_standard_library_does() {
        for bytes in [
            &b"\xff"[..],
            b"abc\xc3",
            b"abcdefgh\xe2\x82ijklmnop\"",
            b"\xed\xa0\x80",
            b"\xf0\x9f\x92\n\xf0\x9f\x92\xa9",
        ] {
            let (out, repaired) = escaped(bytes);
            let quoted = [b"\"", &out[..], b"\""].concat();
            let read: String = serde_json::from_slice(&quoted).unwrap();
            assert_eq!(read, String::from_utf8_lossy(bytes));
            assert_eq!(repaired, Text::Repaired);
        }
        assert_eq!(escaped("röle €".as_bytes()), ("röle €".into(), Text::Kept));
    }

    #[test]
    fn a_text_of_escapes_stops_at_the_limit() {
        let mut out = Vec::new();
        escape_bytes(&[0; 10_000], &mut out, 100);
        assert!(out.len() > 100 && out.len() < 110);
        out.clear();
        escape_bytes(&[0xff; 10_000], &mut out, 100);
        assert!(out.len() > 100 && out.len() < 110);
    }
}
