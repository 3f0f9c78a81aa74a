//! The flags for exclusion, as EngFlow's clusters have them: `=` sets, `+=` adds, in command-line order.
//!
//! To the parser they are two flags, of which one has a name that ends with `+`: so both have help and completions, and
//! their positions give the order.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::exclude::{Exclusion, FLAG};

const SET: &str = "audit_log_excluded_categories";
const ADD: &str = "audit_log_excluded_categories+";

/// What the flags come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExclusionFlags {
    exclusion: Exclusion,
    /// Whether some `=` makes what was there before irrelevant.
    sets: bool,
}

impl ExclusionFlags {
    /// The exclusion of a configuration, changed by the flags.
    pub(super) fn after(&self, configured: Exclusion) -> Exclusion {
        if self.sets {
            self.exclusion
        } else {
            configured.with(self.exclusion)
        }
    }
}

impl Args for ExclusionFlags {
    fn augment_args(command: Command) -> Command {
        let flag = |name: &'static str, help: &'static str| {
            let flag = Arg::new(name).long(name).value_name("LIST").require_equals(true);
            flag.action(ArgAction::Append).help(help)
        };
        command
            .arg(flag(SET, "Leave out records whose every category is in LIST (ECS names with commas; auth is authentication)"))
            .arg(flag(ADD, "Add LIST to the categories of the flags before it: `--audit_log_excluded_categories+=auth`"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ExclusionFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags: Vec<(usize, String)> = Vec::new();
        for (name, operator) in [(SET, "="), (ADD, "+=")] {
            let lists = matches.get_many::<String>(name).into_iter().flatten();
            let places = matches.indices_of(name).into_iter().flatten();
            flags.extend(places.zip(lists.map(|list| format!("{FLAG}{operator}{list}"))));
        }
        flags.sort_unstable();
        let sets = matches.contains_id(SET);
        Exclusion::from_flags(flags.iter().map(|(_, flag)| flag.as_str()))
            .map(|exclusion| Self { exclusion, sets })
            .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, error))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        flags: ExclusionFlags,
    }

    /// The exclusion after `web` was configured.
    fn excluded(arguments: &[&str]) -> Result<String, String> {
        let all = std::iter::once("auditship").chain(arguments.iter().copied());
        let configured = Exclusion::from_list("web").expect("a category");
        match Only::try_parse_from(all) {
            Ok(only) => Ok(only.flags.after(configured).categories().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn flags_set_and_add_in_command_line_order() {
        const F: &str = "--audit_log_excluded_categories";
        let flag = |rest: &str| format!("{F}{rest}");
        for (flags, expected) in [
            (vec![], "web"),
            (vec!["=iam"], "iam"),
            (vec!["=iam", "+=auth"], "authentication,iam"),
            (vec!["+=auth", "=iam"], "iam"),
            (vec!["+=auth"], "authentication,web"),
            (vec!["+=auth", "+=file,iam"], "authentication,file,iam,web"),
            (vec!["=iam", "="], ""),
        ] {
            let arguments: Vec<String> = flags.iter().map(|rest| flag(rest)).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            assert_eq!(excluded(&arguments), Ok(expected.to_owned()), "{arguments:?}");
        }
        let unknown = excluded(&[&flag("=iam,autentication")]).expect_err("unknown");
        assert!(unknown.contains("did you mean `authentication`?"), "{unknown}");
        for wrong in [vec![F, "iam"], vec![&*flag("-=iam")]] {
            assert!(excluded(&wrong).is_err(), "{wrong:?}");
        }
    }
}
