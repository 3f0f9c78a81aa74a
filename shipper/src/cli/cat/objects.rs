//! Delivered objects: finding them, putting them in order, printing their records.
//!
//! Memory: one entry for each object, and one record at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;

/// A gzip member begins so (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// A Zstandard frame begins so (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The regular files at or below `path`, by their paths. Hidden ones (a file that is just being written) are left out.
pub(super) fn below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Prints all records, object after object in the order of the spool that they came from.
pub(super) fn print(objects: Vec<PathBuf>, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for path in in_order(objects) {
        match records(&path, &mut |record| {
            output.bytes(record).and_then(|()| output.line(""))
        }) {
            Ok(()) => {}
            Err(Broken::Output(error)) => return Err(Failure::Output(error)),
            Err(Broken::Object(reason)) => {
                crate::cli::message(format_args!("{}: {reason}", path.display()));
                exit = Exit::Unsound;
            }
        }
    }
    Ok(exit)
}

/// By the first record's spool and number. Objects without one (not ours, or damaged) come last, by their paths.
fn in_order(objects: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut placed: Vec<_> = objects.into_iter().map(|path| (origin(&path), path)).collect();
    placed.sort_by(|(a, a_path), (b, b_path)| {
        let order = a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(b));
        order.then_with(|| a_path.cmp(b_path))
    });
    placed.into_iter().map(|(_, path)| path).collect()
}

/// The spool and number of an object's first record.
fn origin(path: &Path) -> Option<(String, u64)> {
    #[derive(Deserialize)]
    struct Record {
        auditship: Origin,
    }
    #[derive(Deserialize)]
    struct Origin {
        spool: String,
        seq: u64,
    }
    let mut found = None;
    // The first record is enough: a refusal ends the reading.
    let _ = records(path, &mut |record| {
        found = serde_json::from_slice::<Record>(record).ok();
        Err(io::ErrorKind::Interrupted.into())
    });
    found.map(|Record { auditship }| (auditship.spool, auditship.seq))
}

/// What ends the reading of an object.
enum Broken {
    /// Nobody takes records any more.
    Output(io::Error),
    /// The object cannot be read (on).
    Object(String),
}

type Take<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

fn records(path: &Path, take: &mut Take<'_>) -> Result<(), Broken> {
    let broken = |error: io::Error| Broken::Object(error.to_string());
    let mut file = BufReader::new(File::open(path).map_err(broken)?);
    let magic = file.fill_buf().map_err(broken)?;
    let plain: Box<dyn Read> = if magic.starts_with(&GZIP) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else if magic.starts_with(&ZSTD) {
        Box::new(zstd::Decoder::with_buffer(file).map_err(broken)?)
    } else {
        Box::new(file)
    };
    let mut plain = BufReader::new(plain);
    match first_byte(&mut plain).map_err(broken)? {
        Some(b'[') => array(plain, take),
        Some(_) => lines(plain, take),
        None => Ok(()),
    }
}

/// The first byte that is not white space, left where it is.
fn first_byte(reader: &mut dyn BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffered = reader.fill_buf()?;
        match buffered.iter().position(|byte| !byte.is_ascii_whitespace()) {
            Some(at) => {
                let byte = buffered[at];
                reader.consume(at);
                return Ok(Some(byte));
            }
            None if buffered.is_empty() => return Ok(None),
            None => {
                let len = buffered.len();
                reader.consume(len);
            }
        }
    }
}

fn lines(mut reader: impl BufRead, take: &mut Take<'_>) -> Result<(), Broken> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        if read.map_err(|error| Broken::Object(error.to_string()))? == 0 {
            return Ok(());
        }
        let record = line.trim_ascii();
        if record.is_empty() {
            continue;
        }
        if !(record.starts_with(b"{") && record.ends_with(b"}")) {
            return Err(Broken::Object(format!(
                "line {number} is not a JSON object; nothing is read from there on"
            )));
        }
        take(record).map_err(Broken::Output)?;
    }
    Ok(())
}

fn array(reader: impl Read, take: &mut Take<'_>) -> Result<(), Broken> {
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_reader(reader);
    let elements = Elements {
        take,
        refused: &mut refused,
    };
    let result = elements.deserialize(&mut json).and_then(|()| json.end());
    match (refused, result) {
        (Some(error), _) => Err(Broken::Output(error)),
        (None, Err(error)) => Err(Broken::Object(error.to_string())),
        (None, Ok(())) => Ok(()),
    }
}

/// Hands each element of an array on as soon as it is read.
struct Elements<'a, 'b> {
    take: &'a mut Take<'b>,
    refused: &'a mut Option<io::Error>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(record) = elements.next_element::<Box<RawValue>>()? {
            // An element may have been printed over several lines; a line of NDJSON is one.
            let one_line = one_line(record.get());
            if let Err(error) = (self.take)(one_line.as_bytes()) {
                *self.refused = Some(error);
                return Err(serde::de::Error::custom("nobody reads on"));
            }
        }
        Ok(())
    }
}

/// JSON without line ends: outside of strings they are white space, inside of strings they cannot stand.
fn one_line(json: &str) -> std::borrow::Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        json.replace(['\n', '\r'], " ").into()
    } else {
        json.into()
    }
}
