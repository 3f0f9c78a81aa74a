//! The tree against the recursive words of RFC 6962, computed over byte strings and not by the code under test.

use proptest::prelude::*;

use super::*;

fn h(input: &[u8]) -> Hash {
    *blake3::hash(input).as_bytes()
}

/// `MTH` as RFC 6962 section 2.1 defines it.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => h(b""),
        [only] => h(&[&[0][..], only].concat()),
        more => {
            let mut k = 1;
            while k * 2 < more.len() {
                k *= 2;
            }
            let (left, right) = more.split_at(k);
            h(&[&[1][..], &mth(left), &mth(right)].concat())
        }
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count)
        .map(|number| h(&(number as u64).to_le_bytes()))
        .collect()
}

fn root(leaves: &[Hash]) -> Hash {
    merkle_root(leaves.iter().copied())
}

#[test]
fn no_leaf_gives_the_published_hash_of_nothing() {
    // The BLAKE3 test vector for an input of length 0.
    let published = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    let found: String = root(&[]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, published);
}

#[test]
fn small_trees_have_the_shapes_of_the_rfc() {
    let d = leaves(7);
    let l = |number: usize| h(&[&[0][..], &d[number]].concat());
    let n = |left: Hash, right: Hash| h(&[&[1][..], &left, &right].concat());
    assert_eq!(root(&d[..1]), l(0));
    assert_eq!(root(&d[..2]), n(l(0), l(1)));
    assert_eq!(root(&d[..3]), n(n(l(0), l(1)), l(2)));
    let four = n(n(l(0), l(1)), n(l(2), l(3)));
    assert_eq!(root(&d[..4]), four);
    assert_eq!(root(&d[..5]), n(four, l(4)));
    assert_eq!(root(&d[..6]), n(four, n(l(4), l(5))));
    // The tree of RFC 6962 section 2.1.3.
    assert_eq!(root(&d), n(four, n(n(l(4), l(5)), l(6))));
}

#[test]
fn every_number_of_leaves_up_to_300_agrees_with_the_definition() {
    let all = leaves(300);
    for count in 0..=all.len() {
        assert_eq!(root(&all[..count]), mth(&all[..count]), "{count} leaves");
    }
}

#[test]
fn a_node_does_not_pass_for_a_leaf() {
    let two = leaves(2);
    let inner: Vec<Hash> = two.iter().map(|leaf| mth(&[*leaf])).collect();
    assert_ne!(root(&two), root(&[h(&[inner[0], inner[1]].concat())]));
    assert_ne!(root(&two[..1]), two[0]);
}

#[test]
fn salt_and_content_have_their_places() {
    let (salt, content) = ([1; 32], [2; 32]);
    assert_eq!(leaf(&salt, &content), h(&[salt, content].concat()));
    assert_ne!(leaf(&salt, &content), leaf(&content, &salt));
}

/// Whatever is in a header but what says how the block is stored: by its place, as FORMAT.md has it.
#[test]
fn the_chain_covers_a_header_but_for_how_it_is_stored() {
    let header: Vec<u8> = (0..248).map(|at| u8::try_from(at).unwrap()).collect();
    for at in 0..header.len() {
        let mut changed = header.clone();
        changed[at] ^= 1;
        let stored = matches!(at, 10..=23 | 25 | 27 | 156..=179 | 244..);
        assert_eq!(chain(&changed) == chain(&header), stored, "byte {at}");
    }
    let with = |kind: u16| {
        let mut header = header.clone();
        header.splice(244..244, [&kind.to_le_bytes()[..], &[1, 0, 7]].concat());
        chain(&header)
    };
    assert_ne!(with(0x7fff), chain(&header));
    assert_eq!(with(0x8000), chain(&header));
    assert_eq!(with(0xffff), chain(&header));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_the_leaves_changes_the_root(
        mut changed in prop::collection::vec(any::<Hash>(), 2..40), at in any::<prop::sample::Index>(), bit in 0..256usize,
    ) {
        let before = root(&changed);
        let at = at.index(changed.len() - 1);
        let mut flipped = changed.clone();
        flipped[at][bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(root(&flipped), before);
        let mut shorter = changed.clone();
        shorter.remove(at);
        prop_assert_ne!(root(&shorter), before);
        prop_assume!(changed[at] != changed[at + 1]);
        changed.swap(at, at + 1);
        prop_assert_ne!(root(&changed), before);
    }
}
