#![no_main]

use daifa::{readers, write_seeds};

libfuzzer_sys::fuzz_target!(
    init: write_seeds("frames").expect("a folder for the seeds"),
    |data: &[u8]| (readers::reader("frames").read)(data)
);
