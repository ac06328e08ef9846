//! Where and with what a run measured: figures without that can't be compared.

use serde::Serialize;

/// The machine and the program.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// The program's version.
    version: &'static str,
    /// `release`, or `dev`: without optimisation, and no measure of anything.
    build: &'static str,
    /// Cores that this process may use.
    cores: usize,
    /// The system and its release.
    system: String,
    /// How many processes wanted a core before the run, on average over a minute: with more than a few tenths somebody else measured too.
    load_before: f64,
}

impl Machine {
    /// This one, now.
    pub(super) fn here() -> Self {
        let build = if cfg!(debug_assertions) { "dev" } else { "release" };
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            build,
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            load_before: load_in(&read("/proc/loadavg")).unwrap_or_default(),
        }
    }

    /// One line, and a warning where the figures mean little.
    pub(super) fn print(&self) {
        let Self { version, build, cores, system, load_before } = self;
        println!("brigade {version} ({build} build), {system}, {cores} cores, load before {load_before}. Spans in ms.");
        println!("Clients, three processes of each system and brokers share this machine: quote the ratios.");
        if *build == "dev" {
            println!("This is a dev build: nothing below is a figure of Brigade. Use cargo run --release.");
        }
    }
}

/// The average over a minute: the first number of /proc/loadavg.
fn load_in(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_the_first_number() {
        assert_eq!(load_in("0.52 1.30 2.00 2/345 6789\n"), Some(0.52));
        assert_eq!(load_in(""), None);
    }
}
