//! Rules as they are written: a table, a list of tables, or in a stanza `field=value,value field=value; …`.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Field, Rule};
use crate::config::nearest::nearest;
use crate::exclude::Exclusion;

/// Rules, each of which is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRules(Vec<Rule>);

impl RawRules {
    pub(super) fn into_rules(self) -> Vec<Rule> {
        self.0
    }

    /// Of a stanza's text.
    fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Vec::new();
        for text in text.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            let mut rule = Rule::default();
            for part in text.split_whitespace() {
                let (field, values) = part.split_once('=').ok_or_else(|| {
                    format!("`{part}` is no `field=value,value`; put `;` between rules, and what has spaces into a Config_File")
                })?;
                rule.add(field, values.split(',').map(str::to_owned))?;
            }
            rules.push(rule);
        }
        Self::of(rules)
    }

    fn of(rules: Vec<Rule>) -> Result<Self, String> {
        match rules
            .iter()
            .all(|rule| rule.category.is_some() || !rule.fields.is_empty())
            && !rules.is_empty()
        {
            true => Ok(Self(rules)),
            false => Err(format!("a rule names at least one of {}", names().join(", "))),
        }
    }
}

fn names() -> Vec<&'static str> {
    ["category"]
        .into_iter()
        .chain(Field::ALL.map(|(_, name)| name))
        .collect()
}

impl Rule {
    /// Adds a field with its values.
    fn add(&mut self, name: &str, values: impl IntoIterator<Item = String>) -> Result<(), String> {
        let short = name.strip_prefix("event.").unwrap_or(name);
        let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
        if values.is_empty() {
            return Err(format!(
                "`{name}` has no value: give at least one, or leave it out"
            ));
        }
        if short == "category" {
            let listed = Exclusion::from_names(values.iter().map(String::as_str));
            let listed = listed.map_err(|error| error.to_string())?.categories();
            self.category = Some(self.category.map_or(listed, |earlier| earlier.union(listed)));
            return Ok(());
        }
        let Some((field, _)) = Field::ALL.iter().find(|(_, known)| *known == short) else {
            let known = names();
            let help = match nearest(short, known.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(format!("no rule can name `{name}`; {help}"));
        };
        match self.fields.iter_mut().find(|(known, _)| known == field) {
            Some((_, earlier)) => earlier.extend(values),
            None => self.fields.push((*field, values)),
        }
        Ok(())
    }
}

/// One value or a list of them.
struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Values, E> {
                Ok(Values(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }

        deserializer.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rule, A::Error> {
                let mut rule = Rule::default();
                while let Some((name, Values(values))) = map.next_entry::<String, Values>()? {
                    rule.add(&name, values).map_err(de::Error::custom)?;
                }
                Ok(rule)
            }
        }

        deserializer.deserialize_any(Table)
    }
}

impl<'de> Deserialize<'de> for RawRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = RawRules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule, as { category = [\"iam\"] }, or a list of rules")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawRules, E> {
                RawRules::parse(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRules, A::Error> {
                let rule = Rule::deserialize(MapAccessDeserializer::new(map))?;
                RawRules::of(vec![rule]).map_err(de::Error::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawRules, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = seq.next_element()? {
                    rules.push(rule);
                }
                RawRules::of(rules).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(Any)
    }
}
