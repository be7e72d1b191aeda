#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| boma::fuzzing::cache_fields(data));
