//! Files whose path matches a pattern with `*` and `?`, as in the host's includes.

use std::path::{Component, Path, PathBuf};

/// The existing paths that match, in order. A `*` matches within one part of a path, and no leading dot.
pub(super) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        found = match part {
            Component::Normal(name) if name.to_string_lossy().contains(['*', '?']) => {
                let name = name.to_string_lossy();
                found.iter().flat_map(|folder| children(folder, &name)).collect()
            }
            other => found.into_iter().map(|folder| folder.join(other)).collect(),
        };
    }
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn children(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = std::fs::read_dir(here) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| !name.starts_with('.') || pattern.starts_with('.'))
        .filter(|name| matches(pattern, name))
        .map(|name| folder.join(name))
        .collect()
}

/// Whether `text` matches `pattern`. Linear in both but for a backtrack to the last star.
pub(in crate::cli) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match &mut star {
                None => return false,
                // The star takes one character more.
                Some((at, taken)) => {
                    *taken += 1;
                    at_pattern = *at + 1;
                    at_text = *taken;
                }
            },
        }
    }
    pattern[at_pattern..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a*b*c", "aXXbYYbc", true),
            ("a*b*c", "aXXbYYb", false),
            ("?.conf", "a.conf", true),
            ("?.conf", "ab.conf", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("audit.*", "audit.log", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn stars_match_files_of_a_folder() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["b.conf", "a.conf", ".hidden.conf", "a.txt"] {
            std::fs::write(dir.path().join(name), "").expect("written");
        }
        std::fs::create_dir(dir.path().join("d.conf")).expect("created");
        let found = matching(&dir.path().join("*.conf"));
        assert_eq!(found, [dir.path().join("a.conf"), dir.path().join("b.conf")]);
        assert_eq!(matching(&dir.path().join("none*/x")), Vec::<PathBuf>::new());
    }
}
