//! `brigade completions SHELL`: what a shell needs to complete this program's words. Made from the same description as `--help`, so that
//! they can't differ.

use std::io::{self, Write};

use anyhow::Result;
use clap::{CommandFactory, ValueEnum};
use clap_complete::{Shell as Known, generate};

/// What the command is told.
#[derive(clap::Args)]
#[command(after_help = "To use them:\n  \
    bash  brigade completions bash > /etc/bash_completion.d/brigade\n  \
    zsh   brigade completions zsh > /usr/local/share/zsh/site-functions/_brigade\n  \
    fish  brigade completions fish > ~/.config/fish/completions/brigade.fish")]
pub struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Shells that are tried.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script. Who reads no further (`| head`) is no failure.
pub fn run(args: &Args) -> Result<()> {
    let shell = match args.shell {
        Shell::Bash => Known::Bash,
        Shell::Zsh => Known::Zsh,
        Shell::Fish => Known::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut super::Cli::command(), "brigade", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
