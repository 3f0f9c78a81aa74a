//! A record's JSON as the content of a JSON string. Pure.
//!
//! A record is compact JSON: in 600 bytes some 100 quotation marks and next to nothing else to escape, a few bytes apart.
//! So searching for the next one (memchr) costs more than looking at each byte: every byte is written behind a reverse
//! solidus, and the place moves on by one or by two.

/// How many bytes a byte needs in a JSON string; 0 stands for control characters, which take the long way.
static WIDTH: [u8; 256] = {
    let mut width = [1; 256];
    let mut control = 0;
    while control < 0x20 {
        width[control] = 0;
        control += 1;
    }
    width[b'"' as usize] = 2;
    width[b'\\' as usize] = 2;
    width
};

/// Appends `text` to `out`, escaped as a JSON string wants it (RFC 8259 section 7), without the marks around it.
pub(super) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    const PIECE: usize = 64;
    const ROOM: usize = 2 * PIECE;
    for piece in text.chunks(PIECE) {
        let mut room = [b'\\'; ROOM];
        let mut end = 0;
        let mut controls = false;
        for byte in piece {
            let width = usize::from(WIDTH[usize::from(*byte)]);
            controls |= width == 0;
            end += width;
            // At most two for each byte of a piece: without a control character this is inside the room as it is.
            room[end.wrapping_sub(1) % ROOM] = *byte;
        }
        if controls {
            escape_controls(out, piece);
        } else {
            out.extend_from_slice(&room[..end]);
        }
    }
}

/// The same for a piece with control characters in it, which stand in a record only if it was not made by auditship.
#[cold]
fn escape_controls(out: &mut Vec<u8>, piece: &[u8]) {
    for byte in piece {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0x20.. => out.push(*byte),
            _ => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        escape(&mut out, text);
        out
    }

    #[test]
    fn what_needs_it_is_escaped() {
        assert_eq!(escaped(br#"{"a":"\n"}"#), br#"{\"a\":\"\\n\"}"#);
        assert_eq!(escaped(b"a\n\x1f\x7f"), b"a\\u000a\\u001f\x7f");
        assert_eq!(escaped(b"\x00"), b"\\u0000");
        assert_eq!(escaped(b""), b"");
    }

    proptest! {
        #[test]
        fn a_reader_of_json_finds_the_text_again(text in "[\\x00-~\"\\\\\u{e4}\u{1f600}\u{2028}]{0,300}") {
            let json = [b"\"", escaped(text.as_bytes()).as_slice(), b"\""].concat();
            prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
