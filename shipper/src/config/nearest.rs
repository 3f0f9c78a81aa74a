//! Which known word a misspelt one was meant to be.

/// The word of `known` that `word` was probably meant to be; `None` when nothing is near. Case and `-`/`_` are ignored.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = fold(word);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= tolerance(&word, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// One slip in a short word, up to a third of a long one: beyond that a guess confuses more than it helps.
fn tolerance(word: &str, candidate: &str) -> usize {
    (word.len().max(candidate.len()) / 3).clamp(1, 4)
}

fn fold(word: &str) -> String {
    word.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let known = ["path", "max_bytes", "retain", "on_full", "batch_max_age"];
        for (word, meant) in [
            ("max_byte", Some("max_bytes")),
            ("maxbytes", Some("max_bytes")),
            ("Max-Bytes", Some("max_bytes")),
            ("retian", Some("retain")),
            ("pth", Some("path")),
            ("batch_max_aeg", Some("batch_max_age")),
            ("bucket", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
