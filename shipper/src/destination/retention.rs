//! How long objects are kept from deletion: what Object Lock of [`super::s3`] and immutability of [`super::azure_blob`]
//! share. Pure.

use std::time::Duration;

use super::config::{ConfigError, Whole};
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);

/// How a service calls its retention, and what it takes.
pub(super) struct Terms {
    /// The key of the mode.
    pub(super) mode: &'static str,
    /// Its values: as they are configured, and as the service has them.
    pub(super) modes: [(&'static str, &'static str); 2],
    /// The key of a period in days, and what it is, with an example.
    pub(super) days: (&'static str, &'static str),
    /// The most days that the service takes.
    pub(super) max_days: u32,
    /// The key of a date.
    pub(super) until: &'static str,
}

/// For how long, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// As the service has it.
    pub(super) mode: &'static str,
    period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Days(u32),
    Until(Timestamp),
}

impl Terms {
    /// What the values of the three keys ask for.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key and what to do.
    pub(super) fn retention(
        &self,
        mode: Option<&str>,
        days: Option<Whole>,
        until: Option<&str>,
    ) -> Result<Option<Retention>, ConfigError> {
        let mode = mode.map(|mode| self.mode(mode)).transpose()?;
        let period = match (days, until) {
            (None, None) => None,
            (Some(Whole(days)), None) => Some((self.days.0, self.period(days)?)),
            (None, Some(until)) => {
                let until = until.parse();
                let until = until.map_err(|error| ConfigError::invalid(self.until, error))?;
                Some((self.until, Period::Until(until)))
            }
            (Some(_), Some(_)) => {
                let problem = format!("and `{}` exclude each other: remove one of them", self.days.0);
                return Err(ConfigError::invalid(self.until, problem));
            }
        };
        match (mode, period) {
            (None, None) => Ok(None),
            (Some(mode), Some((_, period))) => Ok(Some(Retention { mode, period })),
            (Some(_), None) => {
                let (key, expected) = self.days;
                Err(ConfigError::Missing { key, expected })
            }
            (None, Some((key, _))) => {
                let [(one, _), (other, _)] = self.modes;
                let problem = format!(
                    "is for `{}`: set that to `{one}` or `{other}`, or remove it",
                    self.mode
                );
                Err(ConfigError::invalid(key, problem))
            }
        }
    }

    fn mode(&self, given: &str) -> Result<&'static str, ConfigError> {
        let found = self
            .modes
            .iter()
            .find(|(name, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            let [(one, _), (other, _)] = self.modes;
            let problem = format!("there is no `{given}`; use `{one}` or `{other}`");
            ConfigError::invalid(self.mode, problem)
        })
    }

    fn period(&self, days: i64) -> Result<Period, ConfigError> {
        let valid = u32::try_from(days).ok();
        let valid = valid.filter(|days| (1..=self.max_days).contains(days));
        valid.map(Period::Days).ok_or_else(|| {
            let problem = format!("{days} is not between 1 and {} days", self.max_days);
            ConfigError::invalid(self.days.0, problem)
        })
    }
}

impl Retention {
    /// Until when an object of a batch of `made_at` is kept that is sent at `now`.
    pub(super) fn until(self, made_at: Timestamp, now: Timestamp) -> Timestamp {
        match self.period {
            // A batch may wait longer for its destination than it is to be kept; a date that has passed would be refused
            // for ever.
            Period::Days(days) => made_at.plus(DAY * days).max(now.plus(DAY)),
            Period::Until(until) => until,
        }
    }
}
