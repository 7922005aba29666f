use super::*;
use crate::board::classroom::state::State;
use crate::store::testing::{Bench, draw};
use crate::store::{BoardName, DATABASE, Reader};
use proptest::prelude::*;

fn physics() -> BoardName {
    BoardName::classroom("physics")
}

fn text(reader: &Reader) -> (u64, String) {
    let loaded = reader.load::<State>(&physics()).unwrap();
    (loaded.seq, loaded.state.encode())
}

fn fold(bench: &Bench, before: i64, slack: i64) -> u64 {
    let cut = Cut { before, slack };
    let boards = bench.store.reader.read(|connection| old(connection, cut)).unwrap();
    boards.iter().map(|board| bench.store.fold(board, cut).unwrap().operations).sum()
}

/// A board of so many strokes; operation n was made at n seconds.
fn board(count: u64) -> Bench {
    let bench = Bench::new();
    bench.append(&physics(), 1, &(1..=count).map(draw).collect::<Vec<_>>());
    bench.times(1000, 1000);
    bench
}

#[test]
fn what_is_old_is_folded_and_the_board_stays_the_same() {
    let bench = board(10);
    let before = text(&bench.store.reader);
    for (cut, folded, left) in [(0, 0, 10), (1000, 0, 10), (4001, 4, 6), (4001, 0, 6), (7500, 3, 3), (i64::MAX, 3, 0)] {
        assert_eq!(fold(&bench, cut, 0), folded, "{cut}");
        assert_eq!(bench.number("SELECT count(*) FROM operations"), left, "{cut}");
        assert_eq!(text(&bench.store.reader), before);
        assert_eq!(bench.store.reader.examine().unwrap().operations, 10);
    }
    bench.append(&physics(), 11, &[draw(11)]);
    assert_eq!(text(&bench.store.reader).0, 11, "drawing goes on behind what was folded");
}

#[test]
fn a_base_is_not_written_anew_for_a_few_operations() {
    let bench = board(10);
    assert_eq!(fold(&bench, 4001, 3000), 4);
    assert_eq!(fold(&bench, 7000, 3000), 0, "the base, of second 4, is not older than 7 - 3");
    assert_eq!(fold(&bench, 7001, 3000), 7 - 4);
}

#[test]
fn what_came_after_something_new_is_new() {
    let bench = board(5);
    // The clock was wrong for a while: operation 3 seems to come from the future.
    bench.sql("UPDATE operations SET time = 1000000 WHERE seq = 3");
    assert_eq!(fold(&bench, 500_000, 0), 2);
    assert_eq!(bench.number("SELECT min(seq) FROM operations"), 3);
}

#[test]
fn a_snapshot_that_the_base_has_overtaken_goes() {
    let bench = board(10);
    let body = |seq| bench.store.reader.past::<State>(&physics(), super::super::history::When::Seq(seq)).unwrap();
    for (snapshot, kept) in [(3, 0), (6, 1)] {
        bench.store.writer.snapshot(physics(), snapshot, body(snapshot).state.encode());
        bench.sql("SELECT 1");
        assert_eq!(
            fold(&bench, i64::try_from(snapshot).unwrap() * 1000 + 1 - 2000 * i64::from(kept == 1), 0),
            if kept == 1 { 1 } else { 3 }
        );
        assert_eq!(bench.number("SELECT count(*) FROM snapshots"), kept, "{snapshot}");
        bench.store.reader.examine().unwrap();
    }
}

#[test]
fn deleted_boards_and_those_of_other_releases_are_left_alone() {
    let bench = board(3);
    bench.sql("UPDATE boards SET deleted = 5");
    assert_eq!(fold(&bench, i64::MAX, 0), 0);
    bench.sql("UPDATE boards SET deleted = NULL, dialect = 'holograms'");
    assert_eq!(fold(&bench, i64::MAX, 0), 0);
    assert_eq!(bench.number("SELECT count(*) FROM operations"), 3);
}

#[test]
fn killed_between_any_two_steps_the_board_is_whole() {
    let bench = board(500);
    let before = text(&bench.store.reader);
    let boards = bench.store.reader.read(|connection| old(connection, Cut { before: 450_001, slack: 0 })).unwrap();
    let cut = Cut { before: 450_001, slack: 0 };
    let base = bench
        .store
        .reader
        .at_one_moment(|connection| {
            let visit = MakeBase { connection, board: boards[0].id, cut };
            Ok::<_, StoreError>(dialects::visit(&boards[0].dialect, visit))
        })
        .unwrap()
        .unwrap()
        .unwrap()
        .unwrap();
    let (id, mut bench) = (boards[0].id, bench);
    let whole = |bench: &Bench| {
        assert_eq!(text(&bench.store.reader), before);
        let copy = bench.directory.path().join("copy.db");
        bench.store.reader.copy_to(&copy).unwrap();
        let counts = Reader::open_immutable(&copy).unwrap().examine().unwrap();
        assert_eq!((counts.operations, counts.strokes), (500, 500), "a backup of this moment is sound");
        std::fs::remove_file(copy).unwrap();
    };
    bench.store.move_base(id, base).unwrap();
    bench = bench.reopened();
    whole(&bench);
    bench.store.writer.transact_blocking(move |connection| sweep_some(connection, id)).unwrap();
    bench = bench.reopened();
    whole(&bench);
    // The next run goes on, whatever the retention has become.
    assert_eq!(fold(&bench, 2000, 0), 0, "the oldest that is left is new");
    assert_eq!(fold(&bench, 450_001, 0), 450 - SWEEP);
    whole(&bench);
    assert_eq!(bench.number("SELECT count(*) FROM operations"), 50);
    assert!(bench.directory.path().join(DATABASE).exists());
}

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    Fold(u8),
    Snapshot,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..6_u8).prop_map(Step::Append),
        3 => (0..110_u8).prop_map(Step::Fold),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Folded at any moment, as often as you like: the board is what its operations made of it, and every moment that
    /// can still be looked at is as it was.
    #[test]
    fn folding_never_changes_a_board(steps in steps()) {
        let mut bench = Bench::new();
        // The board after each operation, without any store.
        let mut past = vec![State::default().encode()];
        let mut state = State::default();
        for step in steps {
            let last = past.len() as u64 - 1;
            match step {
                Step::Append(count) => {
                    let rows: Vec<String> = (0..u64::from(count)).map(|n| match (last + n) % 4 {
                        3 => r#""undo""#.to_owned(),
                        _ => draw(last + n),
                    }).collect();
                    for row in &rows {
                        state.replay(row).unwrap();
                        past.push(state.encode());
                    }
                    bench.append(&physics(), last + 1, &rows);
                    bench.times(1, 1);
                }
                Step::Fold(percent) => {
                    let cut = i64::try_from(last).unwrap() * i64::from(percent) / 100;
                    fold(&bench, cut, 0);
                }
                Step::Snapshot => {
                    bench.store.writer.snapshot(physics(), last, state.encode());
                }
                Step::Reopen => bench = bench.reopened(),
            }
            let last = past.len() as u64 - 1;
            let loaded = bench.store.reader.load::<State>(&physics()).unwrap();
            prop_assert_eq!((loaded.seq, loaded.state.encode()), (last, state.encode()));
            prop_assert_eq!(bench.store.reader.examine().unwrap().operations, last);
            if last > 0 {
                let timeline = bench.store.reader.timeline(&physics(), 500).unwrap();
                for seq in timeline.first..=last {
                    let then = bench.store.reader.past::<State>(&physics(), super::super::history::When::Seq(seq));
                    prop_assert_eq!(&then.unwrap().state.encode(), &past[usize::try_from(seq).unwrap()], "after {}", seq);
                }
            }
        }
    }
}
