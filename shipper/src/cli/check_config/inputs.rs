//! The host's inputs: whether what is on its way to a stanza of ours survives the host.

use super::finding::Finding;
use super::stanzas::{is_on, is_ours};
use crate::cli::host::{HostConfig, HostSection, SectionKind};

/// Finds inputs whose chunks are only in memory until we have them.
pub(super) fn check(host: &HostConfig, findings: &mut Vec<Finding>) {
    let of_kind = |kind| host.sections.iter().filter(move |section| section.kind == kind);
    let service = |key: &str| of_kind(SectionKind::Service).find_map(|section| section.value(key));
    let inherited = service("storage.inherit")
        .is_some_and(is_on)
        .then(|| service("storage.type"))
        .flatten();
    let ours: Vec<&HostSection> = host.sections.iter().filter(|section| is_ours(section)).collect();
    // A filter that gives new tags makes it impossible to tell from the file which records reach us.
    let retagged = of_kind(SectionKind::Filter).any(|filter| {
        filter
            .value("name")
            .is_some_and(|name| name.eq_ignore_ascii_case("rewrite_tag"))
    });

    let mut on_disk = None;
    for input in of_kind(SectionKind::Input) {
        if !retagged && !ours.iter().any(|output| reaches(input, output)) {
            continue;
        }
        let kind = input.value("storage.type").or(inherited).unwrap_or("memory");
        if kind.eq_ignore_ascii_case("filesystem") {
            on_disk = Some(input);
        } else {
            let message = "without `storage.type filesystem` Fluent Bit keeps this input's records only in memory until \
                           auditship has them, and forgets them when it stops or is killed";
            let place = input
                .property("storage.type")
                .map_or(&input.place, |property| &property.place);
            findings.push(Finding::error(place, message));
        }
    }
    if let (Some(input), None) = (on_disk, service("storage.path")) {
        let message = "`storage.type filesystem` needs `storage.path` in the service section: Fluent Bit does not start \
                       without it";
        findings.push(Finding::error(&input.place, message));
    }
}

/// Whether records of `input` can have a tag that `output` matches. Says yes where it cannot be told.
fn reaches(input: &HostSection, output: &HostSection) -> bool {
    let Some(pattern) = output.value("match") else {
        return output.property("match_regex").is_some();
    };
    let tag = match input.value("tag") {
        Some(tag) => tag.to_owned(),
        // The host's default: the plugin's name and a number.
        None => format!("{}.*", input.value("name").unwrap_or("*")),
    };
    overlap(tag.as_bytes(), pattern.as_bytes())
}

/// Whether some text matches both patterns, of which `*` is the only wild card.
fn overlap(a: &[u8], b: &[u8]) -> bool {
    // reachable[j]: the part of `a` so far and `b[..j]` have a text in common.
    let mut reachable = vec![false; b.len() + 1];
    reachable[0] = true;
    for j in 0..b.len() {
        reachable[j + 1] = reachable[j] && b[j] == b'*';
    }
    for &of_a in a {
        let mut next = vec![false; b.len() + 1];
        next[0] = reachable[0] && of_a == b'*';
        for (j, &of_b) in b.iter().enumerate() {
            next[j + 1] = if of_a == b'*' || of_b == b'*' {
                reachable[j + 1] || next[j] || reachable[j]
            } else {
                reachable[j] && of_a == of_b
            };
        }
        reachable = next;
    }
    reachable[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_overlap_when_some_tag_fits_both() {
        for (tag, pattern, expected) in [
            ("audit", "audit", true),
            ("audit", "*", true),
            ("audit", "aud*", true),
            ("audit", "app", false),
            ("audit.*", "audit.file", true),
            ("audit.*", "app.*", false),
            ("tail.*", "tail.0", true),
            ("a*c", "*b*", true),
            ("a", "", false),
            ("*", "", true),
        ] {
            assert_eq!(
                overlap(tag.as_bytes(), pattern.as_bytes()),
                expected,
                "{tag} {pattern}"
            );
            assert_eq!(
                overlap(pattern.as_bytes(), tag.as_bytes()),
                expected,
                "{pattern} {tag}"
            );
        }
    }
}
