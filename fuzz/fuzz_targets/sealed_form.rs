#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| boma::fuzzing::sealed_form(data));
