//! The source of chance of rough.js.

/// Park and Miller's generator with the factor 48271, as 32-bit arithmetic overflows in JavaScript.
#[derive(Clone, Debug)]
pub struct Random(i32);

impl Random {
    /// `seed` must not be 0: rough.js takes other, unrepeatable chance then. 1 stands in for it.
    pub fn new(seed: i32) -> Self {
        Self(if seed == 0 { 1 } else { seed })
    }

    /// A number from 0 to below 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(48_271);
        if self.0 == 0 {
            self.0 = 1;
        }
        f64::from(self.0 & i32::MAX) / f64::from(1u32 << 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_rough_js() {
        // Made with `new Random(seed).next()` of roughjs 4.6.4.
        for (seed, expected) in [
            (1, [0.000_022_477_935_999_631_882, 0.085_032_448_638_230_56, 0.601_328_216_027_468_4]),
            (1_968_410_350, [0.801_868_312_992_155_6, 0.985_336_444_340_646_3, 0.175_504_767_335_951_33]),
        ] {
            let mut random = Random::new(seed);
            for expected in expected {
                let found = random.next();
                assert!((found - expected).abs() < 1e-15, "{seed}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn numbers_stay_between_0_and_1_whatever_the_seed() {
        for seed in [i32::MIN, -1, 0, 1, 1 << 16, i32::MAX] {
            let mut random = Random::new(seed);
            assert!((0..1_000).map(|_| random.next()).all(|number| (0.0..1.0).contains(&number)), "{seed}");
        }
    }
}
