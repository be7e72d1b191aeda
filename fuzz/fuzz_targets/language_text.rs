#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| boma::fuzzing::language_text(data));
