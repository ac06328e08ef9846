//! Puts the disk that a power cut left in the place of the directory that the processes saw.
//!
//! What was not synced is drawn from the seed: gone, cut anywhere, zeros from anywhere, or all there by luck. A folder is armed once (its
//! files are put on record as durable), then cut; after a cut it is armed again.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;

use super::disk::Disk;

/// What may become of bytes that were written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Gone, all of them, in every file.
    Gone,
    /// Zeros in their place, from somewhere on: the size reached the disk, the content did not.
    Zeros,
    /// For each file: gone, cut anywhere, zeros from somewhere on, or whole.
    Any,
}

/// What a cut did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Bytes that were thrown away.
    pub bytes: u64,
    /// Bytes that became zeros.
    pub zeros: u64,
    /// Changes of names that were undone.
    pub names: usize,
}

impl std::ops::AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.zeros += other.zeros;
        self.names += other.names;
    }
}

/// A directory whose power can be cut.
#[derive(Clone, Debug)]
pub struct Armed {
    root: PathBuf,
    vault: PathBuf,
    journal: PathBuf,
}

impl Armed {
    /// Arms a directory; vault and journal are kept beside it. What it holds now is on disk.
    pub fn new(root: PathBuf) -> Self {
        let beside = |suffix: &str| PathBuf::from(format!("{}.{suffix}", root.display()));
        let armed = Self { vault: beside("vault"), journal: beside("journal"), root };
        armed.record();
        armed
    }

    /// What the shim is told.
    pub fn environment(&self) -> Vec<(String, PathBuf)> {
        let named = [("ROOT", &self.root), ("VAULT", &self.vault), ("JOURNAL", &self.journal)];
        named.map(|(name, path)| (format!("POWERLOSS_{name}"), path.clone())).into()
    }

    fn record(&self) {
        let _ = fs::remove_dir_all(&self.vault);
        fs::create_dir_all(&self.vault).expect("a folder can be made");
        fs::create_dir_all(&self.root).expect("a folder can be made");
        let mut lines = String::new();
        self.record_directory(&self.root, &mut lines);
        fs::write(&self.journal, lines).expect("a journal can be written");
    }

    fn record_directory(&self, directory: &Path, lines: &mut String) {
        for entry in fs::read_dir(directory).expect("a folder can be read") {
            let path = entry.expect("a folder can be read").path();
            let name = self.name(&path);
            if path.is_dir() {
                *lines += &format!("M {name}\n");
                self.record_directory(&path, lines);
            } else {
                let about = path.metadata().expect("a file has a size");
                fs::hard_link(&path, self.vault.join(about.ino().to_string())).expect("one file system");
                *lines += &format!("C {0} {name}\nS {0} {1}\n", about.ino(), about.len());
            }
        }
        *lines += &format!("D {}\n", self.name(directory));
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).expect("it is below the root").display().to_string()
    }

    /// Puts in place what is left after a power cut. Nothing may run in the directory.
    pub fn cut(&self, tail: Tail, chance: &mut StdRng) -> Lost {
        let disk = Disk::of(&fs::read_to_string(&self.journal).expect("the shim writes a journal"));
        let pending = disk.changes_pending();
        let kept = if tail == Tail::Gone { 0 } else { chance.random_range(0..=pending) };
        let disk = disk.after_cut(kept);
        let mut lost = Lost { names: pending - kept, ..Lost::default() };
        let image = self.root.with_extension("image");
        fs::create_dir_all(&image).expect("a folder can be made");
        disk.directories().for_each(|path| fs::create_dir_all(image.join(path)).expect("a folder can be made"));
        for (path, file) in disk.files() {
            let content = self.vault.join(file.ino.to_string());
            lost += copy(&content, &image.join(path), file.synced, tail, chance);
        }
        fs::remove_dir_all(&self.root).expect("it is ours");
        fs::rename(&image, &self.root).expect("one file system");
        self.record();
        lost
    }
}

/// Copies what is left of a file.
fn copy(from: &Path, to: &Path, synced: u64, tail: Tail, chance: &mut StdRng) -> Lost {
    let mut content = Vec::new();
    File::open(from).and_then(|mut file| file.read_to_end(&mut content)).expect("the vault keeps every file");
    let (synced, size) = ((synced as usize).min(content.len()), content.len());
    let somewhere = |chance: &mut StdRng| chance.random_range(synced..=size);
    let draw = if tail == Tail::Any { chance.random_range(0..4) } else { 0 };
    let (whole, zeros) = match (tail, draw) {
        (Tail::Gone, _) | (Tail::Any, 0) => (synced, false),
        (Tail::Zeros, _) | (Tail::Any, 1) => (somewhere(chance), true),
        (Tail::Any, 2) => (somewhere(chance), false),
        (Tail::Any, _) => (size, false),
    };
    let rest = (size - whole) as u64;
    let mut file = File::create(to).expect("the image can be written");
    file.write_all(&content[..whole]).expect("the image can be written");
    if zeros {
        file.seek(SeekFrom::Start(whole as u64)).and_then(|_| file.set_len(size as u64)).expect("it can grow");
        return Lost { zeros: rest, ..Lost::default() };
    }
    Lost { bytes: rest, ..Lost::default() }
}
