//! A state and its bytes.

use proptest::prelude::*;

use super::super::codec;
use super::*;

fn encoded(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode("main", state, &mut bytes);
    bytes
}

#[test]
fn the_largest_state_fits() {
    let state = largest_state();
    assert_eq!(state.check(), Ok(()));
    let bytes = Cursor::open_or_create(
        Arc::new(SimStorage::new()),
        &"d".repeat(names::MAX_ID_LEN),
        SPOOL,
        0,
    )
    .and_then(|mut cursor| {
        cursor.commit(state.clone())?;
        Ok(cursor.bytes.len())
    });
    assert!(bytes.clone().is_ok_and(|len| len < 92 * 1024), "{bytes:?}");
    let (_, decoded) = codec::decode(&encoded(&state), 0).unwrap();
    assert_eq!(decoded, state);
}

#[test]
fn a_section_that_is_not_known_is_passed_over_only_when_it_may_be() {
    let state = State::starting_at(5);
    let with = |tag: u16| {
        let mut bytes = encoded(&state);
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&[0, 0, 3, 0, 0, 0, 1, 2, 3]);
        codec::decode(&bytes, 0)
    };
    assert_eq!(with(0x0123), Ok(("main".to_owned(), state.clone())));
    assert_eq!(with(0x8123), Err(Malformed::UnknownSection(0x8123)));
}

#[test]
fn a_section_is_there_once_and_has_its_length() {
    let state = State::starting_at(5);
    let bytes = encoded(&state);
    let twice = [bytes.clone(), bytes.clone()].concat();
    assert_eq!(codec::decode(&twice, 0), Err(Malformed::NotOnce("destination")));
    assert_eq!(codec::decode(&[], 0), Err(Malformed::NotOnce("position")));
    let destination_len = 8 + 4;
    assert_eq!(
        codec::decode(&bytes[destination_len..], 0),
        Err(Malformed::NotOnce("destination"))
    );
    let mut long = bytes.clone();
    // The last section, the counts: one byte more, and its length says so.
    long.push(0);
    let at = bytes.len() - 80 - 4;
    long[at..at + 4].copy_from_slice(&81_u32.to_le_bytes());
    assert_eq!(codec::decode(&long, 0), Err(Malformed::Long));
}

proptest! {
    #[test]
    fn a_state_comes_back_as_it_was(state in any_state(), generation: u64) {
        prop_assert_eq!(state.check(), Ok(()));
        let expected = State { generation, ..state.clone() };
        prop_assert_eq!(codec::decode(&encoded(&state), generation), Ok(("main".to_owned(), expected)));
    }

    #[test]
    fn every_cut_body_is_refused(state in any_state(), cut: prop::sample::Index) {
        let bytes = encoded(&state);
        let whole_sections = codec::decode(&bytes[..cut.index(bytes.len())], 0);
        // A cut between two sections leaves a state without what followed; anywhere else nothing.
        if let Ok((_, decoded)) = whole_sections {
            prop_assert_eq!(decoded.committed, state.committed);
            prop_assert_eq!(decoded.counts, state.counts);
        }
    }

    #[test]
    fn changed_bodies_never_panic_and_never_break_a_rule(
        state in any_state(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = encoded(&state);
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok((_, decoded)) = codec::decode(&bytes, 0) {
            prop_assert_eq!(decoded.check(), Ok(()));
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(codec::decode(&bytes, 0).is_err());
    }
}
