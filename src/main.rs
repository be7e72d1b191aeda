//! boma's command line; see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    boma::cli::main()
}
