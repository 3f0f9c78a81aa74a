//! Parts with a fault built in: what the tests of the pipeline must catch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use auditship::deliver::{DeadLetters, Journal, StoredLetters};
use auditship::destination::{
    Attempt, Batch, Bounds, Compression, Context, Destination, EncodeError, Fingerprint, Format, Limits,
    Outcome, Permissions,
};
use auditship::spool::cursor::{Cursor, CursorError, Disposition, State};
use auditship::spool::dead_letter::{DeadLetter, DeadLetterError};
use auditship::spool::identity::Epoch;
use auditship::time::Timestamp;

/// What is wrong with a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The intake acknowledges without a sync.
    NoSync,
    /// Sendings are not journalled.
    NoJournal,
    /// What is sent counts as delivered before it is answered.
    EarlyCursor,
    /// Dead letters are written after the cursor says so.
    LateLetters,
    /// An object's name comes from the moment, not from the journal.
    FreshNames,
}

type Late = Arc<Mutex<Vec<DeadLetter>>>;

fn take(late: &Late) -> Vec<DeadLetter> {
    std::mem::take(&mut *late.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A lane's journal and dead letters with `fault`.
pub(super) fn ports(
    fault: Fault,
    cursor: Cursor,
    letters: StoredLetters,
    more_letters: StoredLetters,
) -> (Box<dyn Journal>, Box<dyn DeadLetters>) {
    match fault {
        Fault::LateLetters => {
            let late = Late::default();
            let journal = BrokenJournal {
                cursor,
                fault,
                late: Arc::clone(&late),
                letters: more_letters,
            };
            (Box::new(journal), Box::new(LateLetters { letters, late }))
        }
        Fault::NoJournal | Fault::EarlyCursor => {
            let journal = BrokenJournal {
                cursor,
                fault,
                late: Late::default(),
                letters: more_letters,
            };
            (Box::new(journal), Box::new(letters))
        }
        Fault::None | Fault::NoSync | Fault::FreshNames => (Box::new(cursor), Box::new(letters)),
    }
}

struct BrokenJournal {
    cursor: Cursor,
    fault: Fault,
    late: Late,
    letters: StoredLetters,
}

impl Journal for BrokenJournal {
    fn state(&self) -> &State {
        self.cursor.state()
    }

    fn commit(&mut self, mut state: State) -> Result<(), CursorError> {
        for entry in &mut state.entries {
            let early = self.fault == Fault::EarlyCursor;
            if self.fault == Fault::NoJournal || early {
                let attempt = entry.attempt.take();
                if let (Some(attempt), true) = (attempt, early) {
                    entry
                        .settled
                        .settle_pending(attempt.range, Disposition::Delivered);
                }
            }
        }
        self.cursor.commit(state)?;
        // A disk that fails now has lost them: that is the fault.
        let _ = self.letters.put_all(&take(&self.late));
        Ok(())
    }
}

struct LateLetters {
    letters: StoredLetters,
    late: Late,
}

impl DeadLetters for LateLetters {
    fn put_all(&mut self, letters: &[DeadLetter]) -> Result<(), DeadLetterError> {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.extend_from_slice(letters);
        Ok(())
    }

    fn remove(&mut self, epoch: Epoch, seq: u64) -> Result<(), DeadLetterError> {
        self.letters.remove(epoch, seq)
    }

    fn list(&mut self) -> Result<Vec<(Epoch, u64)>, DeadLetterError> {
        self.letters.list()
    }

    fn load(&mut self, epoch: Epoch, seq: u64) -> Result<Option<DeadLetter>, DeadLetterError> {
        self.letters.load(epoch, seq)
    }
}

/// A destination that gives each sending a name of its own.
pub(super) struct FreshNames {
    destination: Arc<dyn Destination>,
    sendings: AtomicU64,
}

impl FreshNames {
    pub(super) fn new(destination: Arc<dyn Destination>, first: u64) -> Self {
        Self {
            destination,
            sendings: AtomicU64::new(first),
        }
    }
}

impl Destination for FreshNames {
    fn kind(&self) -> &'static str {
        self.destination.kind()
    }

    fn target(&self) -> String {
        self.destination.target()
    }

    fn limits(&self) -> Limits {
        self.destination.limits()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.destination.fingerprint()
    }

    fn body(&self) -> (Format, Compression) {
        self.destination.body()
    }

    fn name(&self, bounds: &Bounds, made_at: Timestamp, nonce: u64) -> String {
        self.destination.name(bounds, made_at, nonce)
    }

    fn encode(&self, batch: &Batch<'_>, context: &Context) -> Result<http::Request<Vec<u8>>, EncodeError> {
        let sending = self.sendings.fetch_add(1, Ordering::SeqCst);
        let attempt = Attempt {
            name: format!("{}-{sending}", batch.attempt.name),
            ..batch.attempt.clone()
        };
        let batch = Batch {
            records: batch.records,
            attempt: &attempt,
        };
        self.destination.encode(&batch, context)
    }

    fn decode(&self, batch: &Batch<'_>, response: &http::Response<Vec<u8>>) -> Outcome {
        self.destination.decode(batch, response)
    }
    fn query(&self, batch: &Batch<'_>) -> String {
        self.destination.query(batch)
    }

    fn permissions(&self) -> Permissions {
        self.destination.permissions()
    }
}
