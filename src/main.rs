//! The program `brigade`: see `brigade --help`, and src/cli/.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    brigade::cli::main()
}
