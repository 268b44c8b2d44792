//! Parse the command line, run it, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    shipby::cli::run()
}
