//! The values of ECS `event.category`, as a set in one word. Pure.

use std::fmt;

/// The ECS names in the order of their bits. The order is part of the format: new names go to the end.
const NAMES: [&str; 20] = [
    "api",
    "authentication",
    "configuration",
    "database",
    "driver",
    "email",
    "file",
    "host",
    "iam",
    "intrusion_detection",
    "library",
    "malware",
    "network",
    "package",
    "process",
    "registry",
    "session",
    "threat",
    "vulnerability",
    "web",
];

/// EngFlow's literal for the category that ECS calls `authentication`.
const AUTH: &str = "auth";

/// The categories a record carries: one bit for each name that ECS knows, and [`Categories::UNKNOWN`] for all others.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Categories(u32);

impl Categories {
    /// No category at all.
    pub const NONE: Self = Self(0);
    /// A category that ECS does not know, or a value in the category's place that is no name.
    pub const UNKNOWN: Self = Self(1 << 31);

    /// The category of this name. `auth` is EngFlow's literal for `authentication`.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == AUTH { "authentication" } else { name };
        let bit = NAMES.iter().position(|known| *known == name)?;
        Some(Self(1 << bit))
    }

    /// Every name that [`Categories::from_name`] takes for an ECS category, in the order of the bits.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// The set as the record table holds it: bit n is the nth of [`Categories::names`], bit 31 is [`Categories::UNKNOWN`].
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The reverse of [`Categories::bits`]. Bits that this version does not know are kept.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every category of `other` is in this set too.
    pub fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether some category is in both sets.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Categories {
    /// The names, separated by commas; a category that ECS does not know is shown as `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let unknown = (self.0 >> NAMES.len() != 0).then_some("unknown");
        for (place, name) in known.map(|(_, name)| *name).chain(unknown).enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Categories({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ecs_name_has_its_own_bit_and_auth_is_authentication() {
        let mut all = Categories::NONE;
        for name in Categories::names() {
            let one = Categories::from_name(name).unwrap();
            assert_eq!(one.bits().count_ones(), 1, "{name}");
            assert!(!all.contains(one), "{name}");
            assert_eq!(one.to_string(), *name);
            all = all.union(one);
        }
        assert_eq!(all.bits(), (1 << 20) - 1);
        assert_eq!(
            Categories::from_name("auth"),
            Categories::from_name("authentication")
        );
        assert_eq!(Categories::from_name("IAM"), None);
        assert_eq!(Categories::from_name(""), None);
    }

    #[test]
    fn bits_that_a_later_version_may_use_are_shown_as_unknown() {
        assert_eq!(Categories::UNKNOWN.to_string(), "unknown");
        assert_eq!(Categories::from_bits(1 << 25 | 1).to_string(), "api,unknown");
    }
}
