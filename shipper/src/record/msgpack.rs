//! msgpack, one token at a time. Pure.
//!
//! Every length is checked against what is left of the input before anything is done with it, so a claim of 2^32
//! entries costs nothing.

use super::fault::Fault;

/// What is left of the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// A value, or the beginning of an array or a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    /// So many values follow.
    Array(usize),
    /// So many pairs of values follow.
    Map(usize),
}

/// A short str: the first `len` bytes of what was left of the input, which lets a fixed number of bytes be read at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short<'a> {
    from: &'a [u8],
    len: usize,
}

impl<'a> Short<'a> {
    /// The text.
    #[inline(always)]
    pub(super) fn bytes(self) -> &'a [u8] {
        &self.from[..self.len]
    }

    /// How many bytes the text has.
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The text and what follows it: `N` bytes, if it has no more and there are so many.
    #[inline(always)]
    pub(super) fn window<const N: usize>(self) -> Option<&'a [u8; N]> {
        self.from.first_chunk().filter(|_| self.len <= N)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, provided it is a str of at most 255 bytes: most values and nearly all keys are.
    ///
    /// Told apart from [`Reader::token`] because a token goes through memory, which costs more than all else about a short text.
    #[inline(always)]
    pub(super) fn short_str(&mut self) -> Option<Short<'a>> {
        let (from, len) = match self.rest {
            [marker @ 0xa0..=0xbf, from @ ..] => (from, usize::from(marker & 0x1f)),
            [0xd9, len, from @ ..] => (from, usize::from(*len)),
            _ => return None,
        };
        self.rest = from.get(len..)?;
        Some(Short { from, len })
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    fn len8(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(u8::from_be_bytes(self.bytes()?)))
    }

    #[inline]
    fn len16(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(u16::from_be_bytes(self.bytes()?)))
    }

    #[inline]
    fn len32(&mut self) -> Result<usize, Fault> {
        // A length that does not fit the address space cannot be there either.
        usize::try_from(u32::from_be_bytes(self.bytes()?)).map_err(|_| Fault::Truncated)
    }

    fn ext(&mut self, len: usize) -> Result<Token<'a>, Fault> {
        let kind = i8::from_be_bytes(self.bytes()?);
        Ok(Token::Ext(kind, self.take(len)?))
    }

    /// An array or a map is refused when fewer bytes are left than it claims values.
    #[inline]
    fn array(&self, len: usize) -> Result<Token<'a>, Fault> {
        if len > self.rest.len() {
            return Err(Fault::Truncated);
        }
        Ok(Token::Array(len))
    }

    #[inline]
    fn map(&self, len: usize) -> Result<Token<'a>, Fault> {
        if len > self.rest.len() / 2 {
            return Err(Fault::Truncated);
        }
        Ok(Token::Map(len))
    }

    /// The next token. Of an array or a map only the header is taken.
    #[inline]
    pub(super) fn token(&mut self) -> Result<Token<'a>, Fault> {
        let [marker] = self.bytes()?;
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(u64::from(marker)),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(marker & 0x0f))?,
            0xa0..=0xbf => Token::Str(self.take(usize::from(marker & 0x1f))?),
            0xc0 => Token::Nil,
            0xc1 => return Err(Fault::ReservedByte),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => {
                let len = self.len8()?;
                Token::Bin(self.take(len)?)
            }
            0xc5 => {
                let len = self.len16()?;
                Token::Bin(self.take(len)?)
            }
            0xc6 => {
                let len = self.len32()?;
                Token::Bin(self.take(len)?)
            }
            0xc7 => {
                let len = self.len8()?;
                self.ext(len)?
            }
            0xc8 => {
                let len = self.len16()?;
                self.ext(len)?
            }
            0xc9 => {
                let len = self.len32()?;
                self.ext(len)?
            }
            0xca => Token::F32(f32::from_be_bytes(self.bytes()?)),
            0xcb => Token::F64(f64::from_be_bytes(self.bytes()?)),
            0xcc => Token::Unsigned(u64::from(u8::from_be_bytes(self.bytes()?))),
            0xcd => Token::Unsigned(u64::from(u16::from_be_bytes(self.bytes()?))),
            0xce => Token::Unsigned(u64::from(u32::from_be_bytes(self.bytes()?))),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.bytes()?)),
            0xd0 => Token::Signed(i64::from(i8::from_be_bytes(self.bytes()?))),
            0xd1 => Token::Signed(i64::from(i16::from_be_bytes(self.bytes()?))),
            0xd2 => Token::Signed(i64::from(i32::from_be_bytes(self.bytes()?))),
            0xd3 => Token::Signed(i64::from_be_bytes(self.bytes()?)),
            0xd4 => self.ext(1)?,
            0xd5 => self.ext(2)?,
            0xd6 => self.ext(4)?,
            0xd7 => self.ext(8)?,
            0xd8 => self.ext(16)?,
            0xd9 => {
                let len = self.len8()?;
                Token::Str(self.take(len)?)
            }
            0xda => {
                let len = self.len16()?;
                Token::Str(self.take(len)?)
            }
            0xdb => {
                let len = self.len32()?;
                Token::Str(self.take(len)?)
            }
            0xdc => {
                let len = self.len16()?;
                self.array(len)?
            }
            0xdd => {
                let len = self.len32()?;
                self.array(len)?
            }
            0xde => {
                let len = self.len16()?;
                self.map(len)?
            }
            0xdf => {
                let len = self.len32()?;
                self.map(len)?
            }
            0xe0..=0xff => Token::Signed(i64::from(i8::from_be_bytes([marker]))),
        })
    }

    /// Passes over one whole value, however deep, without a stack.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut values = 1_usize;
        while values > 0 {
            values -= 1;
            match self.token()? {
                // Neither sum can overflow: the header was checked against the bytes left, and so is each sum.
                Token::Array(len) => values += len,
                Token::Map(len) => values += 2 * len,
                _ => {}
            }
            // Each value that is still to come needs a byte.
            if values > self.rest.len() {
                return Err(Fault::Truncated);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_refused_before_anything_is_done_with_it() {
        let claims = [
            (0xdf, &[0xff, 0xff, 0xff, 0xff, 1, 1][..]),
            (0xdd, &[0, 0, 0, 3, 1, 1]),
            (0xdf, &[0, 0, 0, 2, 1, 1, 1]),
            (0xde, &[0, 1, 1]),
            (0x82, &[1, 1, 1]),
            (0x93, &[1, 1]),
        ];
        for (marker, rest) in claims {
            let input = [&[marker], rest].concat();
            assert_eq!(Reader::new(&input).token(), Err(Fault::Truncated), "{input:02x?}");
            assert_eq!(Reader::new(&input).skip(), Err(Fault::Truncated), "{input:02x?}");
        }
    }

    #[test]
    fn a_value_is_passed_over_as_a_whole() {
        let input = [0x82, 1, 0x92, 0xc0, 0xa1, b'x', 0xc4, 1, 9, 0x80, 7];
        let mut reader = Reader::new(&input);
        assert_eq!(reader.skip(), Ok(()));
        assert_eq!(reader.token(), Ok(Token::Unsigned(7)));
        assert_eq!(reader.left(), 0);
    }
}
