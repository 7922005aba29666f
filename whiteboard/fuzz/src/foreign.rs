//! Strokes and objects of other dialects as elements: each line is one. The first line is a classroom's background, too.

use whiteboard::board::scene::foreign::{Background, from_classroom, from_objects};

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let background = text.lines().next().and_then(Background::read);
    for elements in [from_classroom(text.lines(), background.as_ref()), from_objects(text.lines())] {
        assert!(elements.windows(2).all(|pair| pair[0].index() < pair[1].index()));
        let ids: std::collections::BTreeSet<_> = elements.iter().map(|element| element.id().clone()).collect();
        assert_eq!(ids.len(), elements.len(), "ids are unique");
        if let Some(background) = &background {
            assert!(background.bytes.len() <= crate::MOST);
        }
    }
}
