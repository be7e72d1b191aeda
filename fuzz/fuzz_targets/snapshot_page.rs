#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| boma::fuzzing::snapshot_page(data));
