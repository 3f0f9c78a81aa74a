use clap::CommandFactory as _;

use super::*;

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

/// Every command, flag and argument says what it is for.
#[test]
fn nothing_is_without_help() {
    fn walk(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if command
            .get_about()
            .is_none_or(|about| about.to_string().is_empty())
        {
            missing.push(path.clone());
        }
        for argument in command.get_arguments() {
            if argument.get_help().is_none_or(|help| help.to_string().is_empty()) {
                missing.push(format!("{path}: {}", argument.get_id()));
            }
        }
        for below in command.get_subcommands() {
            walk(below, &path, missing);
        }
    }
    let mut missing = Vec::new();
    walk(&Cli::command(), "", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn exit_codes_are_documented() {
    for code in [Exit::Done.code(), Exit::Unsound.code(), 2].into_iter().chain(
        [
            Failure::Config(String::new()),
            Failure::Spool(String::new()),
            Failure::Unanswered(String::new()),
        ]
        .map(|failure| failure.code()),
    ) {
        assert!(exit::HELP.contains(&format!("\n  {code}  ")), "{code}");
    }
}

/// What `--help` says and the table of docs/CLI.md are the same words.
#[test]
fn the_exit_codes_of_the_help_are_those_of_the_page() {
    let words = |text: &str| {
        text.replace('`', "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let page: Vec<String> = include_str!("../../../docs/CLI.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(code, _)| code.parse::<u8>().is_ok())
        .map(|(code, meaning)| words(&format!("{code} {meaning}")))
        .collect();
    assert_eq!(words(exit::HELP), format!("Exit codes: {}", page.join(" ")));
}
