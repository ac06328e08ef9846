//! A preloaded library, compiled from one file of C beside this one.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A compiled shim; gone with its value.
pub struct Shim {
    library: PathBuf,
    _dir: TempDir,
}

impl Shim {
    pub fn compile(name: &str, source: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (file, library) = (dir.path().join(name), dir.path().join("shim.so"));
        std::fs::write(&file, source).expect("the folder can be written");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&file)
            .args(["-ldl", "-pthread"]);
        let made = cc.output().expect("a C compiler: building RocksDB needs one too");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { library, _dir: dir }
    }

    /// The variable that loads it.
    pub fn preload(&self) -> (String, PathBuf) {
        ("LD_PRELOAD".to_owned(), self.library.clone())
    }
}
