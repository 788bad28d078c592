#![no_main]

use daifa::{readers, write_seeds};

libfuzzer_sys::fuzz_target!(
    init: write_seeds("values").expect("a folder for the seeds"),
    |data: &[u8]| (readers::reader("values").read)(data)
);
