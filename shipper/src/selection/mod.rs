//! Selection: which of the spool's records a destination gets, by rules over ECS event fields. Pure.
//!
//! A rule names fields and, for each, values; it holds for a record when it holds for every field that it names. A record
//! goes to a destination when one of the destination's `include` rules holds for it, or there are none, and none of its
//! `exclude` rules does.
//!
//! # Invariants
//! 1. In doubt a record goes. A field of an `include` rule holds when *some* value that the record carries in it is
//!    listed; one of an `exclude` rule only when the record carries a value there and *every* one is listed, as with
//!    [`crate::exclude`]. A value that is no text is carried and never listed.
//! 2. The nested form (`{"event":{"action":…}}`), the dotted one (`{"event.action":…}`) and repeats count together.
//! 3. A record's JSON is looked at only when a rule asks for more than the category, which the record table has.

mod carried;
mod raw;
#[cfg(test)]
mod tests;

use self::carried::Carried;
pub use self::raw::RawRules;
use crate::record::Categories;

/// A field that rules may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Type,
    Action,
    Outcome,
    Dataset,
}

impl Field {
    /// Each with its name below `event`.
    const ALL: [(Self, &'static str); 4] = [
        (Self::Type, "type"),
        (Self::Action, "action"),
        (Self::Outcome, "outcome"),
        (Self::Dataset, "dataset"),
    ];
}

/// Values for each field that it names; at least one field, and at least one value for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    category: Option<Categories>,
    fields: Vec<(Field, Vec<String>)>,
}

/// The rules of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    include: Vec<Rule>,
    exclude: Vec<Rule>,
}

impl Selection {
    /// The rules as they are written.
    pub fn new(include: Option<RawRules>, exclude: Option<RawRules>) -> Self {
        Self {
            include: include.map(RawRules::into_rules).unwrap_or_default(),
            exclude: exclude.map(RawRules::into_rules).unwrap_or_default(),
        }
    }

    /// Whether every record goes.
    pub fn is_everything(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether a record goes that has these categories and this JSON.
    pub fn selects(&self, categories: Categories, json: &[u8]) -> bool {
        let mut rules = self.include.iter().chain(&self.exclude);
        let carried = match rules.any(|rule| !rule.fields.is_empty()) {
            true => Carried::of(json),
            false => Carried::default(),
        };
        let included = |rule: &Rule| rule.holds_for_some(categories, &carried);
        let excluded = |rule: &Rule| rule.holds_for_all(categories, &carried);
        (self.include.is_empty() || self.include.iter().any(included)) && !self.exclude.iter().any(excluded)
    }
}

impl Rule {
    fn holds_for_some(&self, categories: Categories, carried: &Carried) -> bool {
        let field = |(field, listed): &(Field, Vec<String>)| {
            let mut texts = carried.of_field(*field).texts.iter();
            texts.any(|text| listed.contains(text))
        };
        self.category.is_none_or(|listed| listed.intersects(categories)) && self.fields.iter().all(field)
    }

    fn holds_for_all(&self, categories: Categories, carried: &Carried) -> bool {
        let field = |(field, listed): &(Field, Vec<String>)| {
            let values = carried.of_field(*field);
            let all = values.texts.iter().all(|text| listed.contains(text));
            all && !values.texts.is_empty() && !values.others
        };
        let category = |listed: Categories| !categories.is_empty() && listed.contains(categories);
        self.category.is_none_or(category) && self.fields.iter().all(field)
    }
}
