//! Which records of a batch a request leaves out, and why: put into its extensions when it is made, and carried over to those
//! of the answer. Pure.

use std::sync::Arc;

use ::http::{Request, Response};

use super::config::Config;
use super::limits::{MARGIN, MAX_AGE, MAX_AHEAD};
use super::row::TooLong;
use crate::destination::{Batch, Record, TooOld, Verdict};
use crate::time::Timestamp;
use crate::transport::SendError;
use crate::transport::inquiring::Inquire;

/// The places in a batch of the records that are not in its request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut(pub(super) Arc<[(usize, Why)]>);

impl LeftOut {
    pub(super) fn why(&self, place: usize) -> Option<&Why> {
        let found = self.0.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        self.0.get(found).map(|(_, why)| why)
    }
}

/// Why a record is not in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its time would be replaced: it is older than two days.
    Aged,
    /// Its time would be replaced: it is more than a day ahead.
    Ahead,
    /// A value would be cut.
    Cut(TooLong),
}

impl Why {
    /// What becomes of the record.
    pub(super) fn verdict(&self, config: &Config) -> Verdict {
        let (code, reason) = match self {
            Self::Aged => (
                "too_old",
                String::from(
                    "Azure Monitor replaces times that are more than 2 days old by that of arrival, without a word: the record \
                     was not sent. `too_old = \"restamp\"` sends such records, with their own time inside",
                ),
            ),
            Self::Ahead => (
                "too_new",
                String::from(
                    "Azure Monitor replaces times that are more than 1 day ahead by that of arrival, without a word: the record \
                     was not sent. `too_old = \"restamp\"` sends such records, with their own time inside",
                ),
            ),
            Self::Cut(TooLong { column, bytes }) => {
                let advice = match *column == config.record_column {
                    true => "give its largest fields columns of their own (`columns`)",
                    false => "have whoever writes the record make that field shorter",
                };
                (
                    "field_too_large",
                    format!(
                        "Azure Monitor cuts values at 64 KB, without a word, and the one for the column {column} has {bytes} \
                         bytes: the record was not sent; {advice}"
                    ),
                )
            }
        };
        Verdict::Rejected {
            code: code.to_owned(),
            reason,
        }
    }
}

/// Whether the service would replace the time of a record that arrives at `now`.
pub(super) fn replaced(record: &Record<'_>, now: Timestamp) -> Option<Why> {
    is_outside(record.entry.time, now)
}

fn is_outside(time: Timestamp, now: Timestamp) -> Option<Why> {
    if time.plus(MAX_AGE.saturating_sub(MARGIN)) < now {
        Some(Why::Aged)
    } else if time > now.plus(MAX_AHEAD.saturating_sub(MARGIN)) {
        Some(Why::Ahead)
    } else {
        None
    }
}

/// The time under which a record is sent, or why it is not: by `now`, the moment of the sending, whether to send it; by
/// `made_at` of its batch what to restamp it to, so that what is sent again is the same.
pub(super) fn stamp(
    config: &Config,
    record: &Record<'_>,
    made_at: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, Why> {
    let own = record.entry.time;
    match config.too_old {
        TooOld::DeadLetter => replaced(record, now).map_or(Ok(own), Err),
        TooOld::Restamp if replaced(record, made_at).is_some() => Ok(made_at),
        TooOld::Restamp => Ok(own),
    }
}

/// Whether the service would replace the time under which a record is sent, by now: that of its batch, or its own.
pub(super) fn is_stale(config: &Config, batch: &Batch<'_>, now: Timestamp) -> bool {
    let is_replaced = |record: &Record<'_>| {
        let made_at = batch.attempt.made_at;
        stamp(config, record, made_at, now).is_ok_and(|sent| is_outside(sent, now).is_some())
    };
    config.too_old == TooOld::Restamp && batch.records.iter().any(is_replaced)
}

/// Carries over what a request leaves out. No question is asked.
pub(super) struct Carrying;

impl Inquire for Carrying {
    fn question(&self, _: &Request<Vec<u8>>, _: &Response<Vec<u8>>) -> Option<Request<Vec<u8>>> {
        None
    }

    fn conclude(
        &self,
        request: &Request<Vec<u8>>,
        response: &mut Response<Vec<u8>>,
        _: Option<Result<Response<Vec<u8>>, SendError>>,
    ) {
        if let Some(left_out) = request.extensions().get::<LeftOut>() {
            response.extensions_mut().insert(left_out.clone());
        }
    }
}
