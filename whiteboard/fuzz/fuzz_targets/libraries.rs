#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| whiteboard_fuzz::drawings::library(data));

/// Without a fuzzer: runs the inputs in the files that are named.
#[cfg(not(fuzzing))]
fn main() {
    for path in std::env::args().skip(1) {
        whiteboard_fuzz::drawings::library(&std::fs::read(path).expect("the input can be read"));
    }
}
