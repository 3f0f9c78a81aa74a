//! `auditship cat`: the records of a spool, or of delivered objects, as NDJSON in their order.
//!
//! What cannot be read is named on standard error, the rest is printed, and the exit code tells.

mod objects;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::spool::{Opened, file_failure};
use crate::spool::format::Kind;
use crate::spool::{Kinds, ReadStep, Reader};

/// Print the records of a spool, or of delivered objects, as NDJSON in order.
///
/// Objects may be NDJSON or JSON arrays, plain, gzip or zstd: their content tells, not their names. Ends with 1 when
/// something could not be read.
#[derive(Args, Debug)]
pub(super) struct Cat {
    /// A spool's directory, a directory of objects with everything below it, or single objects
    #[arg(value_name = "DIR", required = true)]
    paths: Vec<PathBuf>,
}

impl Cat {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        for path in &self.paths {
            let worse = if is_spool(path) {
                spool(&Opened::at(path)?, output)?
            } else {
                let objects = objects::below(path).map_err(|error| file_failure(path, &error))?;
                objects::print(objects, output)?
            };
            if worse == Exit::Unsound {
                exit = worse;
            }
        }
        Ok(exit)
    }
}

/// A spool is known by the file that makes it one, or by the lock that is taken before that file is written: one that is
/// just being made must not be taken for objects.
fn is_spool(path: &Path) -> bool {
    ["spool.meta", crate::control::WRITER_LOCK]
        .iter()
        .any(|name| path.join(name).is_file())
}

fn spool(opened: &Opened, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let reader =
        Reader::open(std::sync::Arc::clone(&opened.storage)).map_err(|error| opened.failure(&error))?;
    let mut reader = reader.with_kinds(Kinds::only(Kind::Records));
    let mut exit = Exit::Done;
    loop {
        match reader.next().map_err(|error| opened.failure(&error))? {
            // The payload of records is their lines.
            ReadStep::Block(block) => output.bytes(&block.payload)?,
            ReadStep::Damaged {
                first_seq,
                count,
                position,
                reason,
            } => {
                super::message(format_args!(
                    "{}: {count} records from {first_seq} on cannot be read (segment {:016x}, offset {}): {reason}",
                    opened.path.display(),
                    position.segment,
                    position.offset
                ));
                exit = Exit::Unsound;
            }
            ReadStep::Trimmed { available_from } => super::message(format_args!(
                "{}: records before {available_from} are no longer kept",
                opened.path.display()
            )),
            ReadStep::AtHead => return Ok(exit),
        }
    }
}
