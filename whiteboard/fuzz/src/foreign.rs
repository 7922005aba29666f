//! Strokes and objects of other dialects as elements: each line is one.

use whiteboard::board::scene::foreign::{from_objects, from_strokes};

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    for elements in [from_strokes(text.lines()), from_objects(text.lines())] {
        assert!(elements.windows(2).all(|pair| pair[0].index() < pair[1].index()));
        let ids: std::collections::BTreeSet<_> = elements.iter().map(|element| element.id().clone()).collect();
        assert_eq!(ids.len(), elements.len(), "ids are unique");
    }
}
