use super::*;
use crate::store::testing::{Bench, block_on, draw};
use crate::store::{BoardName, DATABASE};

fn run_once(bench: &Bench, history: Duration) -> Report {
    let (_stop, stopped) = mpsc::channel();
    run(&bench.store, &Uploads::default(), Retention { history, ..Retention::default() }, &stopped).unwrap()
}

#[test]
fn only_what_is_older_than_the_retention_goes() {
    let bench = Bench::new();
    let (physics, art) = (BoardName::classroom("physics"), BoardName::classroom("art"));
    bench.append(&physics, 1, &(1..=4).map(draw).collect::<Vec<_>>());
    bench.append(&art, 1, &[draw(1)]);
    block_on(bench.store.delete(&art)).unwrap();
    assert_eq!(run_once(&bench, Duration::from_hours(1)), Report::default());
    let old = clock::now() - 2 * clock::HOUR;
    bench.sql(&format!(
        "UPDATE operations SET time = {old} WHERE seq < 4; UPDATE boards SET deleted = {old} WHERE code = 'art'"
    ));
    let report = run_once(&bench, Duration::from_hours(1));
    assert_eq!(report, Report { operations: 3, boards: 1, files: 0, pages: 0 });
    assert_eq!(run_once(&bench, Duration::from_hours(1)), Report::default());
    assert_eq!(bench.number("SELECT count(*) FROM operations"), 1);
}

#[test]
fn free_pages_go_back_to_the_disk() {
    let bench = Bench::new();
    bench.append(&BoardName::classroom("a"), 1, &[draw(1)]);
    let pages = SPARE_PAGES + 2 * VACUUM_PAGES + 500;
    bench.sql(&format!("INSERT INTO chunks VALUES (1, 0, zeroblob({}))", pages * 4096));
    let before = bench.number("SELECT page_count FROM pragma_page_count()");
    let report = run_once(&bench, Duration::from_hours(1));
    assert_eq!(report.files, 1);
    assert!(report.pages >= 500, "{report:?}");
    let left = bench.number("SELECT freelist_count FROM pragma_freelist_count()");
    assert!(left <= SPARE_PAGES && left > SPARE_PAGES - 2 * VACUUM_PAGES, "{left}");
    assert!(bench.number("SELECT page_count FROM pragma_page_count()") < before);
    assert_eq!(bench.store.reader.examine().unwrap().boards, 1);
    assert_eq!(run_once(&bench, Duration::from_hours(1)), Report::default());
    block_on(bench.store.writer.close());
    let length = bench.directory.path().join(DATABASE).metadata().unwrap().len();
    assert!(length < before.cast_unsigned() * 4096, "the file is shorter now");
}

#[test]
fn a_board_that_cannot_be_folded_does_not_keep_the_others_from_it() {
    let bench = Bench::new();
    for code in ["broken", "good"] {
        bench.append(&BoardName::classroom(code), 1, &[draw(1), draw(2)]);
    }
    bench.sql(
        "UPDATE operations SET time = 0;
         UPDATE operations SET body = 'x' WHERE board = (SELECT id FROM boards WHERE code = 'broken')",
    );
    assert_eq!(run_once(&bench, Duration::from_hours(1)).operations, 2);
    assert_eq!(bench.number("SELECT count(*) FROM operations"), 2, "nothing of the broken one is lost");
}

#[test]
fn the_thread_runs_again_and_again_and_ends_when_dropped() {
    let bench = Bench::new();
    bench.append(&BoardName::classroom("physics"), 1, &[draw(1)]);
    let retention = Retention { history: Duration::from_millis(1), every: Duration::from_millis(5) };
    let thread = Maintenance::start(bench.store.clone(), Uploads::default(), retention).unwrap();
    let operations = || bench.number("SELECT count(*) FROM operations");
    for seq in 2..4 {
        while operations() > 0 {
            std::thread::yield_now();
        }
        bench.append(&BoardName::classroom("physics"), seq, &[draw(seq)]);
    }
    drop(thread);
    let left = operations();
    bench.append(&BoardName::classroom("physics"), 4, &[draw(4)]);
    assert_eq!(operations(), left + 1);
}
