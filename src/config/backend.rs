//! The configuration of a main backend: a TOML file, which may be missing, then environment variables (`BRIGADE_BACKEND_LEASE_MS=60000`).

use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};

use crate::backend::Options;

use super::error::{self, Error};

/// Reads a file and the environment. What is out of range is for `Options::faults`, after the command line has had its say.
pub fn read(path: Option<&Path>) -> Result<Options, Error> {
    let text = path.map(std::fs::read_to_string).transpose();
    let shown = path.unwrap_or(Path::new("the environment"));
    let text = text.map_err(|source| Error::File { path: shown.to_owned(), source })?.unwrap_or_default();
    toml::from_str::<toml::Table>(&text).map_err(|why| error::syntax(shown, &text, &why))?;
    // BRIGADE_BACKEND__URL is a controller's key, not ours.
    let environment = Env::prefixed("BRIGADE_BACKEND_").filter(|key| !key.starts_with("_")).split("__");
    let figment = Figment::from(Serialized::defaults(Options::default())).merge(Toml::string(&text)).merge(environment);
    figment.extract().map_err(|why: figment::Error| error::form(shown, &why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_it_names_and_an_unknown_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backend.toml");
        std::fs::write(&path, "lease_ms = 60000\nstarted_policy = \"fail\"\n").unwrap();
        let options = read(Some(&path)).unwrap();
        assert_eq!((options.lease_ms, options.margin_ms), (60_000, Options::default().margin_ms));
        std::fs::write(&path, "leese_ms = 60000\n").unwrap();
        let error = read(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("leese_ms"), "{error}");
    }
}
