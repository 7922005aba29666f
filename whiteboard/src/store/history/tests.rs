use super::*;
use crate::board::classroom::state::State;
use crate::store::testing::{Bench, block_on, draw};

fn physics() -> BoardName {
    BoardName::classroom("physics")
}

/// A board of `count` strokes; operation n at second n.
fn board(count: u64) -> Bench {
    let bench = Bench::new();
    let rows: Vec<String> = (1..=count).map(draw).collect();
    bench.append(&physics(), 1, &rows);
    bench.times(1000, 1000);
    bench
}

fn count(bench: &Bench, when: When) -> Result<u64, String> {
    let past = bench.store.reader.past::<State>(&physics(), when).map_err(|error| error.to_string())?;
    assert_eq!(past.state.count(), past.seq, "one stroke an operation");
    Ok(past.seq)
}

#[test]
fn a_board_can_be_looked_at_after_each_operation() {
    let bench = board(5);
    for seq in 0..=5 {
        assert_eq!(count(&bench, When::Seq(seq)), Ok(seq));
    }
    assert_eq!(count(&bench, When::Now), Ok(5));
    assert_eq!(count(&bench, When::Seq(6)), Err("The board has no operation 6.".into()));
    let unknown = bench.store.reader.past::<State>(&BoardName::classroom("unknown"), When::Now);
    assert!(matches!(unknown, Err(HistoryError::UnknownBoard(_))));
}

#[test]
fn a_time_means_what_was_there_then() {
    let bench = board(5);
    for (time, seq) in [(i64::MIN, 0), (0, 0), (999, 0), (1000, 1), (1001, 1), (4999, 4), (5000, 5), (i64::MAX, 5)] {
        assert_eq!(count(&bench, When::Time(time)), Ok(seq), "{time}");
    }
    let empty = Bench::new();
    block_on(empty.store.create(crate::store::registry::NewBoard { id: Some("a".into()), ..Default::default() }, 9))
        .unwrap();
    let past = empty.store.reader.past::<crate::board::scene::state::State>(&BoardName::board("a"), When::Time(5));
    assert_eq!(past.unwrap().seq, 0);
}

#[test]
fn a_snapshot_behind_the_moment_is_not_used() {
    let bench = board(5);
    let past = bench.store.reader.past::<State>(&physics(), When::Seq(3)).unwrap();
    bench.store.writer.snapshot(physics(), 3, past.state.encode());
    bench.sql("SELECT 1");
    for seq in 0..=5 {
        assert_eq!(count(&bench, When::Seq(seq)), Ok(seq));
    }
}

#[test]
fn what_was_folded_cannot_be_looked_at_any_more() {
    let bench = board(5);
    let body = bench.store.reader.past::<State>(&physics(), When::Seq(3)).unwrap().state.encode();
    bench.sql(&format!(
        "INSERT INTO bases SELECT id, 3, 3000, '{body}' FROM boards; DELETE FROM operations WHERE seq < 4"
    ));
    assert!(count(&bench, When::Seq(2)).unwrap_err().contains("The earliest moment is after operation 3."));
    assert_eq!((count(&bench, When::Seq(3)), count(&bench, When::Seq(4))), (Ok(3), Ok(4)));
    for (time, seq) in [(3000, 3), (3999, 3), (4000, 4), (i64::MAX, 5)] {
        assert_eq!(count(&bench, When::Time(time)), Ok(seq), "{time}");
    }
    for time in [i64::MIN, 0, 2999] {
        let earlier = count(&bench, When::Time(time)).unwrap_err();
        assert!(earlier.contains("The earliest moment is 3000"), "{earlier}");
    }
    let timeline = bench.store.reader.timeline(&physics(), 10).unwrap();
    let seqs: Vec<u64> = timeline.moments.iter().map(|moment| moment.seq).collect();
    assert_eq!((timeline.first, timeline.last, seqs), (3, 5, vec![4, 5]));
}

#[test]
fn a_timeline_is_thinned_evenly_and_ends_with_the_last_operation() {
    let bench = board(10);
    for (most, expected) in [
        (500, vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (10, vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (4, vec![2, 5, 7, 10]),
        (3, vec![3, 6, 10]),
        (1, vec![10]),
    ] {
        let timeline = bench.store.reader.timeline(&physics(), most).unwrap();
        let seqs: Vec<u64> = timeline.moments.iter().map(|moment| moment.seq).collect();
        assert_eq!(seqs, expected);
        assert_eq!(timeline.moments.iter().map(|moment| moment.count).sum::<u64>(), 10, "each operation counts once");
        assert!(timeline.moments.iter().all(|moment| moment.time == i64::try_from(moment.seq).unwrap() * 1000));
    }
    let unknown = bench.store.reader.timeline(&BoardName::board("physics"), 5);
    assert!(matches!(unknown, Err(HistoryError::UnknownBoard(_))));
}

#[test]
fn a_record_tells_who_made_it() {
    for (record, expected) in [
        (r#"{"op":"clear","by":"0123456789abcdef","nonce":1}"#, Some("0123456789abcdef")),
        (r#"{"op":"clear","by":"\u0041"}"#, Some("A")),
        (r#"{"update":[]}"#, None),
        (r#""clear""#, None),
        ("broken", None),
    ] {
        assert_eq!(author(record).as_deref(), expected, "{record}");
    }
}

#[test]
fn a_version_outlives_the_operations_it_was_made_of() {
    let bench = board(5);
    let version = bench.store.name_version(&physics(), When::Seq(2), " Homework ", Some("Ada".into())).unwrap();
    assert_eq!((version.seq, version.name.as_str()), (2, "Homework"));
    bench.store.name_version(&physics(), When::Now, "End", None).unwrap();
    bench.sql("DELETE FROM operations WHERE seq < 5; INSERT INTO bases SELECT id, 4, 0, '' FROM boards");
    assert_eq!(count(&bench, When::Version(version.id)), Ok(2));
    let versions = bench.store.reader.versions(&physics()).unwrap();
    let names: Vec<_> = versions.iter().map(|version| (version.name.as_str(), version.author.as_deref())).collect();
    assert_eq!(names, [("Homework", Some("Ada")), ("End", None)]);
    block_on(bench.store.delete_version(&physics(), version.id)).unwrap();
    assert!(matches!(
        block_on(bench.store.delete_version(&physics(), version.id)),
        Err(HistoryError::UnknownVersion(_))
    ));
    assert!(matches!(
        bench.store.reader.past::<State>(&physics(), When::Version(version.id)),
        Err(HistoryError::UnknownVersion(_))
    ));
}

#[test]
fn versions_have_bounds() {
    let bench = board(1);
    for name in ["", " ", &"x".repeat(101)] {
        assert!(
            matches!(bench.store.name_version(&physics(), When::Now, name, None), Err(HistoryError::Name)),
            "{name}"
        );
    }
    bench.sql(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200)
         INSERT INTO versions (board, seq, time, name, body) SELECT boards.id, 1, 0, 'v', '' FROM boards, n",
    );
    let refused = bench.store.name_version(&physics(), When::Now, "one more", None);
    assert!(matches!(refused, Err(HistoryError::TooManyVersions)));
}
