//! What the fuzz targets do, as functions: the same runs over the committed corpora in `cargo test`.

pub mod canvas;
pub mod classroom;
pub mod drawings;
pub mod foreign;
pub mod records;
pub mod requests;
pub mod scene;
pub mod snapshots;
pub mod socketio;
pub mod websocket;

/// Bytes of one input beyond which nothing new is to be found.
pub const MOST: usize = 64 << 10;

/// An input as text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| text.len() <= MOST)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Each input of a corpus runs without a panic; there are some.
    fn all(target: &str, run: fn(&[u8])) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut inputs = 0;
        for entry in fs::read_dir(directory).unwrap() {
            run(&fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{target} has no corpus");
    }

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 13] = [
        ("scene", super::scene::run),
        ("records", super::records::run),
        ("snapshots", super::snapshots::run),
        ("websocket", super::websocket::run),
        ("socketio", super::socketio::run),
        ("classroom", super::classroom::run),
        ("foreign", super::foreign::run),
        ("canvas", super::canvas::run),
        ("drawings", super::drawings::scene),
        ("libraries", super::drawings::library),
        ("pictures", super::drawings::pictures),
        ("images", super::drawings::images),
        ("requests", super::requests::run),
    ];

    #[test]
    fn every_corpus_runs() {
        for (target, run) in TARGETS {
            all(target, run);
        }
    }

    /// Numbers that are the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, most: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 8).unwrap_or_default() % most.max(1)
        }

        /// One of the changes that a fuzzer makes, without its feedback.
        fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
            let (from, to) = (self.below(input.len() + 1), self.below(input.len() + 1));
            let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 300));
            match self.below(7) {
                0 => drop(input.drain(from..to)),
                1 => {
                    let copy = input[from..to].to_vec();
                    let at = self.below(input.len() + 1);
                    input.splice(at..at, copy);
                }
                2 if from < input.len() => input[from] ^= 1 << self.below(8),
                3 if from < input.len() => {
                    let letters = b"0129-.\\\"[]{},:\n!?+e";
                    input[from] = letters[self.below(letters.len())];
                }
                4 => {
                    let (a, b) = (self.below(other.len() + 1), self.below(other.len() + 1));
                    let (a, b) = (a.min(b), a.max(b).min(a.min(b) + 500));
                    input.splice(from..from, other[a..b].iter().copied());
                }
                _ => {
                    // Lines change places: that is what makes other lessons.
                    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
                    let (a, b) = (self.below(lines.len()), self.below(lines.len()));
                    lines.swap(a, b);
                    *input = lines.join(&b'\n');
                }
            }
        }
    }

    /// For compilers that cannot fuzz: the corpora, changed at random. `FUZZ_ROUNDS` says how often, `FUZZ_SEED` where to
    /// begin; the seed and the input of a failure are printed.
    #[test]
    fn changed_corpora_run() {
        let number = |name: &str, plain: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(plain);
        let (rounds, seed) = (number("FUZZ_ROUNDS", 100), number("FUZZ_SEED", 1));
        for (target, run) in TARGETS {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
            let mut inputs: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
            inputs.sort();
            let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|path| fs::read(path).unwrap()).collect();
            for round in seed..seed + rounds {
                let mut dice = Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                let mut input = inputs[dice.below(inputs.len())].clone();
                let other = &inputs[dice.below(inputs.len())];
                for _ in 0..=dice.below(12) {
                    dice.change(&mut input, other);
                }
                let passed = std::panic::catch_unwind(|| run(&input)).is_ok();
                assert!(passed, "{target}, FUZZ_SEED={round}: {:?}", String::from_utf8_lossy(&input));
            }
        }
    }
}
