//! The program `brigade`: see `brigade --help`, and src/cli/.

use std::process::ExitCode;

fn main() -> ExitCode {
    brigade::cli::main()
}
