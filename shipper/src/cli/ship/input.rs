//! The input in pieces of whole lines, read by a thread of its own so that a silent pipe holds nothing up.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::resume::Place;
use crate::cli::exit::Failure;
use crate::cli::spool::file_failure;
use crate::spool::storage::Storage;

/// How much is asked for at once. A piece is at most that, but for a line that is longer.
const READ: usize = 1 << 20;
/// A line that is longer comes in several pieces, none of which is JSON: it will be quarantined.
const LONGEST_LINE: usize = 64 << 20;
/// Pieces that wait: one is read while the one before becomes durable.
const WAITING: usize = 1;

/// Whole lines.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    /// The number of the first line in the input, from 1.
    pub(super) first_line: u64,
    /// For messages: the input's name.
    pub(super) origin: String,
}

/// An opened input.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    origin: String,
    size: Option<u64>,
    place: Place,
}

/// A running input.
pub(super) struct Reading {
    pub(super) receiver: Receiver<io::Result<Lines>>,
    pub(super) place: Place,
    pub(super) origin: String,
}

impl Input {
    /// Opens `path`, at the place where an earlier run was when it ended.
    pub(super) fn open(path: &Path, storage: &dyn Storage) -> Result<Self, Failure> {
        if path == Path::new("-") {
            if io::stdin().is_terminal() {
                crate::cli::message("reading records from the terminal; end them with Ctrl-D");
            }
            return Ok(Self {
                reader: Box::new(io::stdin()),
                origin: "standard input".to_owned(),
                size: None,
                place: Place::unknown(),
            });
        }
        let failed = |error: io::Error| file_failure(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Failure::Spool(format!(
                "{} is a directory: give a file of NDJSON",
                path.display()
            )));
        }
        let place = Place::of(path, &metadata, &mut file, storage);
        file.seek(SeekFrom::Start(place.offset))
            .or_else(|error| match place.offset {
                // A pipe with a name.
                0 => Ok(0),
                _ => Err(failed(error)),
            })?;
        if place.offset > 0 {
            crate::cli::message(format_args!(
                "{}: going on at line {}",
                path.display(),
                place.line
            ));
        }
        Ok(Self {
            origin: path.display().to_string(),
            size: metadata
                .is_file()
                .then(|| metadata.len().saturating_sub(place.offset)),
            reader: Box::new(file),
            place,
        })
    }

    /// Bytes to be read, when that is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Begins to read.
    pub(super) fn start(self) -> Result<Reading, Failure> {
        let (sender, receiver) = sync_channel(WAITING);
        let Self {
            reader,
            origin,
            place,
            ..
        } = self;
        let mut pieces = Pieces {
            reader,
            rest: Vec::new(),
            line: place.line,
            origin: origin.clone(),
        };
        std::thread::Builder::new()
            .name("aship-input".to_owned())
            .spawn(move || pieces.send(&sender))
            .map_err(|error| Failure::Spool(format!("the system gives no thread: {error}")))?;
        Ok(Reading {
            receiver,
            place,
            origin,
        })
    }
}

struct Pieces {
    reader: Box<dyn Read + Send>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
    line: u64,
    origin: String,
}

impl Pieces {
    /// Sends piece after piece until the input ends or nobody takes them.
    fn send(&mut self, to: &SyncSender<io::Result<Lines>>) {
        while let Some(piece) = self.next().transpose() {
            let last = piece.is_err();
            if to.send(piece).is_err() || last {
                return;
            }
        }
    }

    /// The next whole lines, as soon as there are some; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Lines>> {
        loop {
            let before = self.rest.len();
            self.rest.resize(before + READ, 0);
            let read = match self.reader.read(&mut self.rest[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0..0,
                Err(error) => return Err(error),
                Ok(0) => {
                    self.rest.truncate(before);
                    let len = self.rest.len();
                    return Ok((len > 0).then(|| self.take(len)));
                }
                Ok(read) => before..before + read,
            };
            self.rest.truncate(before + read.len());
            if let Some(newline) = self.rest[before..].iter().rposition(|&byte| byte == b'\n') {
                return Ok(Some(self.take(before + newline + 1)));
            }
            if self.rest.len() >= LONGEST_LINE {
                let len = self.rest.len();
                return Ok(Some(self.take(len)));
            }
        }
    }

    fn take(&mut self, len: usize) -> Lines {
        let rest = self.rest.split_off(len);
        let bytes = std::mem::replace(&mut self.rest, rest);
        let first_line = self.line;
        let newlines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(newlines as u64);
        Lines {
            bytes,
            first_line,
            origin: self.origin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out what it holds in the pieces it is made of.
    struct Bits(Vec<&'static [u8]>);

    impl Read for Bits {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.is_empty() {
                true => Ok(0),
                false => {
                    let bit = self.0.remove(0);
                    if bit == b"!" {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                    buf[..bit.len()].copy_from_slice(bit);
                    Ok(bit.len())
                }
            }
        }
    }

    #[test]
    fn pieces_are_whole_lines_with_their_numbers() {
        let mut pieces = Pieces {
            reader: Box::new(Bits(vec![
                b"{\"a\":1}\n{\"b",
                b"!",
                b"\":2}",
                b"\n\n{\"c\":3}\n{",
                b"}",
            ])),
            rest: Vec::new(),
            line: 1,
            origin: "x".to_owned(),
        };
        let mut found = Vec::new();
        while let Some(lines) = pieces.next().expect("readable") {
            found.push((lines.first_line, String::from_utf8(lines.bytes).expect("text")));
        }
        assert_eq!(
            found,
            [
                (1, "{\"a\":1}\n".to_owned()),
                (2, "{\"b\":2}\n\n{\"c\":3}\n".to_owned()),
                (5, "{}".to_owned()),
            ]
        );
    }
}
