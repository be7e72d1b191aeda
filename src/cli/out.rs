//! Printing for people and pipes. `boma status | head -1` ends when nobody reads on, without a word and with the exit code
//! that a shell shows of a closed pipe; the standard library's macros would panic. They are shadowed here for all
//! commands, so that no command can forget it.
//!
//! Does not know: what is printed.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stderr, stdout};

/// 128 and SIGPIPE, as of a program that the signal ended.
const CLOSED_PIPE: i32 = 141;

macro_rules! print {
    ($($all:tt)*) => { $crate::cli::out::say(format_args!($($all)*)) };
}

macro_rules! println {
    () => { $crate::cli::out::say(format_args!("\n")) };
    ($($all:tt)*) => { $crate::cli::out::say(format_args!("{}\n", format_args!($($all)*))) };
}

macro_rules! eprintln {
    ($($all:tt)*) => { $crate::cli::out::complain(format_args!("{}\n", format_args!($($all)*))) };
}

/// To standard output.
pub fn say(text: Arguments<'_>) {
    if let Err(e) = stdout().lock().write_fmt(text) {
        if e.kind() == ErrorKind::BrokenPipe {
            std::process::exit(CLOSED_PIPE);
        }
        complain(format_args!("boma: standard output cannot be written: {e}\n"));
        std::process::exit(i32::from(super::FAILED));
    }
}

/// To standard error; where nobody reads that, nobody can be told.
pub fn complain(text: Arguments<'_>) {
    let _ = stderr().lock().write_fmt(text);
}
