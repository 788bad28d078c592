#![no_main]

use daifa::readers;

libfuzzer_sys::fuzz_target!(
    init: readers::write_seeds("tagged").expect("a folder for the seeds"),
    |data: &[u8]| (readers::reader("tagged").read)(data)
);
