#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (daifa::readers::reader("names").read)(data));
