//! Exclusion by ECS category: which records are not kept, and how that is written. Pure.
//!
//! Invariant: a record is excluded only when it carries at least one category and **every** category it carries is excluded.
//! A category that ECS does not know cannot be excluded, so a record that carries one is always kept.

use std::fmt;

use crate::record::Categories;

/// The flag of EngFlow's clusters, with `=` to set and `+=` to add.
pub const FLAG: &str = "--audit_log_excluded_categories";

/// A set of excluded categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    excluded: Categories,
}

impl Exclusion {
    /// Nothing is excluded.
    pub const NOTHING: Self = Self {
        excluded: Categories::NONE,
    };

    /// Excludes these names. White space around a name and empty names are ignored; `auth` is EngFlow's literal for `authentication`.
    ///
    /// # Errors
    /// [`ExclusionError::UnknownCategory`] for the first name that ECS does not have.
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, ExclusionError> {
        let mut excluded = Categories::NONE;
        for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
            let category = Categories::from_name(name).ok_or_else(|| ExclusionError::unknown(name))?;
            excluded = excluded.union(category);
        }
        Ok(Self { excluded })
    }

    /// Excludes the names of a list with commas, as a stanza has it.
    ///
    /// # Errors
    /// As [`Exclusion::from_names`].
    pub fn from_list(list: &str) -> Result<Self, ExclusionError> {
        Self::from_names(list.split(','))
    }

    /// Reads flags as EngFlow's clusters have them, in their order: `--audit_log_excluded_categories=iam` sets,
    /// `--audit_log_excluded_categories+=auth` adds. Each value may be a list with commas. Other arguments are errors;
    /// whoever has a whole command line passes on those that [`Exclusion::is_flag`] picks.
    ///
    /// # Errors
    /// [`ExclusionError::Malformed`] for an argument that is not such a flag, [`ExclusionError::UnknownCategory`] for a
    /// name in one.
    pub fn from_flags<'f>(flags: impl IntoIterator<Item = &'f str>) -> Result<Self, ExclusionError> {
        let mut exclusion = Self::NOTHING;
        for flag in flags {
            let malformed = || ExclusionError::Malformed {
                flag: flag.to_owned(),
            };
            let rest = flag.strip_prefix(FLAG).ok_or_else(malformed)?;
            exclusion = if let Some(list) = rest.strip_prefix("+=") {
                exclusion.with(Self::from_list(list)?)
            } else {
                Self::from_list(rest.strip_prefix('=').ok_or_else(malformed)?)?
            };
        }
        Ok(exclusion)
    }

    /// Whether an argument of a command line is one of those flags, well-formed or not.
    pub fn is_flag(argument: &str) -> bool {
        argument
            .strip_prefix(FLAG)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['=', '+']))
    }

    /// Excludes what either excludes.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            excluded: self.excluded.union(other.excluded),
        }
    }

    /// Whether a record that carries `carried` is excluded.
    pub fn excludes(&self, carried: Categories) -> bool {
        !carried.is_empty() && self.excluded.contains(carried)
    }

    /// What is excluded.
    pub fn categories(&self) -> Categories {
        self.excluded
    }
}

/// Why a list of categories cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExclusionError {
    /// ECS has no such category.
    UnknownCategory {
        /// As it was written.
        name: String,
        /// The ECS category it resembles.
        nearest: Option<&'static str>,
    },
    /// The flag has neither `=` nor `+=`, or another name.
    Malformed {
        /// As it was written.
        flag: String,
    },
}

impl ExclusionError {
    fn unknown(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let nearest = Categories::names()
            .iter()
            .map(|known| (strsim::jaro_winkler(&lower, known), *known))
            .filter(|(likeness, _)| *likeness > 0.7)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, known)| known);
        Self::UnknownCategory {
            name: name.to_owned(),
            nearest,
        }
    }
}

impl fmt::Display for ExclusionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCategory { name, nearest } => {
                write!(f, "`{name}` is not an ECS category")?;
                if let Some(nearest) = nearest {
                    write!(f, "; did you mean `{nearest}`?")?;
                }
                write!(
                    f,
                    " The categories are {} (and `auth` for `authentication`)",
                    Categories::names().join(", ")
                )
            }
            Self::Malformed { flag } => {
                write!(f, "`{flag}`: write {FLAG}=LIST to set or {FLAG}+=LIST to add")
            }
        }
    }
}

impl std::error::Error for ExclusionError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Categories {
        names
            .iter()
            .filter_map(|name| Categories::from_name(name))
            .fold(Categories::NONE, Categories::union)
    }

    #[test]
    fn only_what_is_excluded_wholly_is_excluded() {
        let exclusion = Exclusion::from_list("iam, auth").unwrap();
        for (carried, excluded) in [
            (set(&[]), false),
            (set(&["iam"]), true),
            (set(&["authentication"]), true),
            (set(&["iam", "authentication"]), true),
            (set(&["iam", "file"]), false),
            (set(&["file"]), false),
            (Categories::UNKNOWN, false),
            (set(&["iam"]).union(Categories::UNKNOWN), false),
        ] {
            assert_eq!(exclusion.excludes(carried), excluded, "{carried:?}");
        }
        assert!(!Exclusion::NOTHING.excludes(set(&["iam"])));
        let everything = Exclusion::from_names(Categories::names().iter().copied()).unwrap();
        assert!(!everything.excludes(Categories::UNKNOWN) && !everything.excludes(Categories::NONE));
    }

    #[test]
    fn flags_set_and_add_in_their_order() {
        let flags = |flags: &[&str]| {
            Exclusion::from_flags(flags.iter().copied()).map(|exclusion| exclusion.categories().to_string())
        };
        const F: &str = FLAG;
        let [iam, auth, file] = [format!("{F}=iam"), format!("{F}+=auth"), format!("{F}=file,web")];
        assert_eq!(flags(&[&iam, &auth]), Ok(String::from("authentication,iam")));
        assert_eq!(flags(&[&auth, &iam]), Ok(String::from("iam")));
        assert_eq!(
            flags(&[&iam, &file, &auth]),
            Ok(String::from("authentication,file,web"))
        );
        assert_eq!(flags(&[&iam, &format!("{F}=")]), Ok(String::new()));
        assert_eq!(flags(&[]), Ok(String::new()));
        for wrong in [F, &format!("{F}-=iam"), &format!("{F}+iam"), "--other=iam"] {
            let malformed = ExclusionError::Malformed {
                flag: String::from(wrong),
            };
            assert_eq!(flags(&[wrong]), Err(malformed));
        }
        assert!(Exclusion::is_flag(&auth) && Exclusion::is_flag(F) && !Exclusion::is_flag("--audit"));
        assert!(!Exclusion::is_flag("--audit_log_excluded_categories_file=x"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_the_list() {
        for (name, nearest) in [
            ("autentication", Some("authentication")),
            ("IAM", Some("iam")),
            ("files", Some("file")),
            ("intrusion-detection", Some("intrusion_detection")),
            ("xyzzy", None),
        ] {
            let error = Exclusion::from_list(&format!("web,{name}")).unwrap_err();
            assert_eq!(
                error,
                ExclusionError::UnknownCategory {
                    name: String::from(name),
                    nearest
                }
            );
            let text = error.to_string();
            assert!(text.contains(&format!("`{name}`")), "{text}");
            assert!(
                Categories::names().iter().all(|known| text.contains(known)),
                "{text}"
            );
        }
    }

    #[test]
    fn lists_forgive_white_space_and_stray_commas() {
        let exclusion = Exclusion::from_list(" iam ,, web, ").unwrap();
        assert_eq!(exclusion.categories(), set(&["iam", "web"]));
        assert_eq!(Exclusion::from_list(""), Ok(Exclusion::NOTHING));
    }
}
