use proptest::prelude::*;

use super::*;

/// The same in the simplest way: a list.
#[derive(Default)]
struct Model {
    entries: Vec<(Key, u64)>,
    committed: usize,
    appended: usize,
}

impl Model {
    fn see(&mut self, key: Key, id_hash: u64) -> Seen {
        if self.entries.iter().any(|(other, id)| *other == key && *id != 0) {
            return Seen::Duplicate;
        }
        let conflict = self.entries.iter().any(|(_, other)| *other == id_hash);
        self.entries.push((key, id_hash));
        if conflict { Seen::Conflict } else { Seen::New }
    }

    fn commit(&mut self, capacity: usize) {
        let gone = self.appended.saturating_sub(capacity);
        self.entries.drain(..gone);
        self.appended -= gone;
        self.committed = self.appended;
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// A record with this id and content.
    See(u8, u8),
    Enter(u16),
    Append,
    Forget,
    Commit,
    RollBack,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0_u8..8, 0_u8..3).prop_map(|(id, content)| Act::See(id, content)),
        3 => any::<u16>().prop_map(Act::Enter),
        6 => Just(Act::Append),
        1 => Just(Act::Forget),
        3 => Just(Act::Commit),
        1 => Just(Act::RollBack),
    ]
}

/// Keys that share their hash bits now and then.
fn key(id: u8, content: u8) -> Key {
    let mut key = [0; 16];
    (key[0], key[8], key[9]) = (id % 4, id, content);
    Key(key)
}

fn held(window: &Window) -> Vec<(Key, u64)> {
    window.newest(usize::MAX).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_a_list_does(acts in proptest::collection::vec(act(), 0..80)) {
        const CAPACITY: usize = 5;
        let (mut window, mut model) = (Window::new(CAPACITY), Model::default());
        for act in acts {
            match act {
                Act::See(id, content) => {
                    let (key, id_hash) = (key(id, content), u64::from(id) + 1);
                    prop_assert_eq!(window.see(key, id_hash), model.see(key, id_hash));
                }
                Act::Enter(number) => {
                    let mut key = [0xee; 16];
                    key[..2].copy_from_slice(&number.to_le_bytes());
                    window.enter(Key(key));
                    model.entries.push((Key(key), 0));
                }
                Act::Append => {
                    window.append();
                    model.appended = model.entries.len();
                }
                Act::Forget => {
                    window.forget_entered();
                    model.entries.truncate(model.appended);
                }
                Act::Commit => {
                    window.commit();
                    model.commit(CAPACITY);
                }
                Act::RollBack => {
                    window.roll_back();
                    model.entries.truncate(model.committed);
                    model.appended = model.committed;
                }
            }
            prop_assert_eq!(window.len(), model.entries.len());
            prop_assert_eq!(held(&window), &model.entries[..model.appended]);
        }
        // Every key that may be known is asked for, so that a left-over shows.
        for id in 0..8 {
            for content in 0..3 {
                let (key, id_hash) = (key(id, content), u64::from(id) + 1);
                prop_assert_eq!(window.see(key, id_hash), model.see(key, id_hash));
            }
        }
    }

    #[test]
    fn restored_it_is_the_same(
        ids in proptest::collection::vec((0_u8..8, 0_u8..3), 0..12),
        cut in 0_usize..6,
    ) {
        let mut written = Window::new(6);
        for (id, content) in ids {
            written.see(key(id, content), u64::from(id) + 1);
            written.append();
            written.commit();
        }
        let mut restored = Restoring::new(6, 3);
        // In pieces, the newest first, as from segments.
        let records = held(&written);
        let (older, newer) = records.split_at(records.len().min(cut));
        restored.older(newer);
        restored.older(older);
        let mut restored = restored.finish();
        prop_assert_eq!(held(&restored), held(&written));
        for id in 0..8 {
            for content in 0..3 {
                let (key, id_hash) = (key(id, content), u64::from(id) + 1);
                prop_assert_eq!(restored.see(key, id_hash), written.see(key, id_hash));
            }
        }
    }
}

#[test]
fn a_full_window_takes_no_older_record() {
    let mut window = Restoring::new(2, 4);
    window.older(&[(key(1, 0), 1)]);
    assert!(!window.is_full());
    window.older(&[(key(3, 0), 3), (key(2, 0), 2)]);
    assert!(window.is_full());
    window.older(&[(key(4, 0), 4)]);
    let mut window = window.finish();
    assert_eq!(held(&window), [(key(2, 0), 2), (key(1, 0), 1)]);
    assert_eq!(window.see(key(4, 0), 4), Seen::New);
}

#[test]
fn a_restored_window_goes_on_as_the_one_that_was_written() {
    // So many that they are put into more than one part of the tables, with repeated ids and without any.
    let nth = |number: u64| {
        let id = number * 7 % 40_000;
        let key = *blake3::hash(&number.to_le_bytes()).as_bytes();
        let id_hash = u64::from_le_bytes(*blake3::hash(&id.to_le_bytes()).as_bytes().first_chunk().unwrap());
        let without_id = number.is_multiple_of(5);
        (
            Key(*key.first_chunk().unwrap()),
            if without_id { 0 } else { id_hash },
        )
    };
    let mut written = Window::new(50_000);
    let see = |window: &mut Window, (key, id_hash): (Key, u64)| match id_hash {
        0 => {
            window.enter(key);
            Seen::New
        }
        _ => window.see(key, id_hash),
    };
    for number in 0..60_000 {
        see(&mut written, nth(number));
        written.append();
        written.commit();
    }
    let records = held(&written);
    let mut restored = Restoring::new(50_000, 60_000);
    for piece in records.rchunks(9_999) {
        restored.older(piece);
    }
    let mut restored = restored.finish();
    assert_eq!(held(&restored), records);
    for number in 0..110_000 {
        let (seen, wanted) = (see(&mut restored, nth(number)), see(&mut written, nth(number)));
        assert_eq!(seen, wanted, "{number}");
        for window in [&mut restored, &mut written] {
            window.append();
            window.commit();
        }
    }
    assert_eq!(held(&restored), held(&written));
}

#[test]
fn one_id_for_all_records_does_not_make_it_slow() {
    // 300,000 records in a chain of equal ids would take 45 billion comparisons; this takes none.
    let mut window = Window::new(100_000);
    for number in 0..300_000_u64 {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let seen = window.see(Key(key), 7);
        assert_eq!(seen, if number == 0 { Seen::New } else { Seen::Conflict });
        window.append();
        window.commit();
    }
    assert_eq!(window.len(), 100_000);
}

#[test]
fn it_grows_without_having_everything_twice() {
    let mut window = Window::new(200_000);
    for number in 0..200_000_u64 {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        window.enter(Key(key));
        window.append();
        window.commit();
        assert!(window.entries.capacity() <= window.len() + (window.len() / 8).max(1024));
    }
}
