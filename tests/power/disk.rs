//! What a disk holds after a power cut: computed from the journal of powerloss.c. Pure: no file is read here, and no chance is drawn.
//!
//! A file's content counts up to its last sync. A change of a name (made, renamed, unlinked) counts once its directory was synced; of the
//! others a prefix may have reached the disk all the same, as a journalling file system writes them in order. Files only grow: a file
//! that is cut has lost what lay behind the cut at once, which is the worst of both.

use std::collections::{BTreeMap, BTreeSet};

/// A file on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its inode: the name of its content in the vault.
    pub ino: u64,
    /// So many bytes are on disk for certain.
    pub synced: u64,
}

/// A change of names that no sync of its directory followed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Made { path: String, ino: u64 },
    Renamed { from: String, to: String, ino: u64 },
    Unlinked { path: String },
    DirectoryMade { path: String },
    DirectoryRemoved { path: String },
}

/// The disk, as far as it has promised anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    files: BTreeMap<String, u64>,
    directories: BTreeSet<String>,
    synced: BTreeMap<u64, u64>,
    pending: Vec<Change>,
}

/// The directory of a path below the root; the root itself is "".
fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl Change {
    fn directory(&self) -> &str {
        match self {
            Self::Made { path, .. }
            | Self::Unlinked { path }
            | Self::DirectoryMade { path }
            | Self::DirectoryRemoved { path } => directory(path),
            Self::Renamed { from, to, .. } => {
                assert_eq!(directory(from), directory(to), "a rename between directories is not modelled");
                directory(to)
            }
        }
    }
}

impl Disk {
    /// Reads a journal from its beginning. Half a last line is left out.
    pub fn of(journal: &str) -> Self {
        let mut disk = Self::default();
        let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
        for line in whole.lines() {
            disk.read(line).unwrap_or_else(|| panic!("the shim writes no such line: {line:?}"));
        }
        disk
    }

    fn read(&mut self, line: &str) -> Option<()> {
        let (verb, rest) = line.split_once(' ')?;
        let path = || rest.to_owned();
        match verb {
            "S" | "T" => {
                let (ino, size) = rest.split_once(' ')?;
                self.resize(verb == "S", ino.parse().ok()?, size.parse().ok()?);
            }
            "C" => {
                let (ino, path) = rest.split_once(' ')?;
                self.pending.push(Change::Made { path: path.to_owned(), ino: ino.parse().ok()? });
            }
            "R" => {
                let (ino, names) = rest.split_once(' ')?;
                let (from, to) = names.split_once('\t')?;
                let (from, to) = (from.to_owned(), to.to_owned());
                self.pending.push(Change::Renamed { from, to, ino: ino.parse().ok()? });
            }
            "U" => self.pending.push(Change::Unlinked { path: path() }),
            "M" => self.pending.push(Change::DirectoryMade { path: path() }),
            "X" => self.pending.push(Change::DirectoryRemoved { path: path() }),
            "D" => self.sync_directory(rest),
            _ => return None,
        }
        Some(())
    }

    fn resize(&mut self, synced: bool, ino: u64, size: u64) {
        let known = self.synced.entry(ino).or_default();
        *known = if synced { size.max(*known) } else { size.min(*known) };
    }

    fn sync_directory(&mut self, directory: &str) {
        let pending = std::mem::take(&mut self.pending);
        let (durable, pending) = pending.into_iter().partition(|change| change.directory() == directory);
        self.pending = pending;
        Vec::into_iter(durable).for_each(|change| self.make(change));
    }

    fn make(&mut self, change: Change) {
        match change {
            Change::Made { path, ino } => drop(self.files.insert(path, ino)),
            Change::Renamed { from, to, ino } => {
                self.files.remove(&from);
                self.files.insert(to, ino);
            }
            Change::Unlinked { path } => drop(self.files.remove(&path)),
            Change::DirectoryMade { path } => drop(self.directories.insert(path)),
            Change::DirectoryRemoved { path } => drop(self.directories.remove(&path)),
        }
    }

    /// How many changes of names may be lost.
    pub fn changes_pending(&self) -> usize {
        self.pending.len()
    }

    /// The disk when the power comes back, if the first `kept` of the pending changes reached it.
    pub fn after_cut(mut self, kept: usize) -> Self {
        let pending = std::mem::take(&mut self.pending);
        pending.into_iter().take(kept).for_each(|change| self.make(change));
        self
    }

    /// The directories that can be reached from the root, parents first.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().map(String::as_str).filter(|path| self.is_reached(path))
    }

    /// The files that can be reached from the root.
    pub fn files(&self) -> impl Iterator<Item = (&str, Kept)> {
        let kept = |ino: &u64| Kept { ino: *ino, synced: self.synced.get(ino).copied().unwrap_or(0) };
        self.files.iter().filter(|(path, _)| self.is_reached(path)).map(move |(path, ino)| (path.as_str(), kept(ino)))
    }

    fn is_reached(&self, path: &str) -> bool {
        let parent = directory(path);
        parent.is_empty() || (self.directories.contains(parent) && self.is_reached(parent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(journal: &str, kept: usize) -> Vec<(String, u64, u64)> {
        let disk = Disk::of(journal).after_cut(kept);
        disk.files().map(|(path, kept)| (path.to_owned(), kept.ino, kept.synced)).collect()
    }

    fn file(path: &str, ino: u64, synced: u64) -> (String, u64, u64) {
        (path.to_owned(), ino, synced)
    }

    #[test]
    fn a_file_counts_up_to_its_last_sync() {
        assert_eq!(files("C 7 a\nD \nS 7 10\n", 0), [file("a", 7, 10)]);
        assert_eq!(files("C 7 a\nD \n", 0), [file("a", 7, 0)], "its name is there, its content is not");
        assert_eq!(files("C 7 a\nD \nS 7 10\nT 7 4\nS 7 6\n", 0), [file("a", 7, 6)]);
        assert_eq!(files("C 7 a\nD \nS 7 10\nS 7 9\n", 0), [file("a", 7, 10)], "syncs may end out of order");
    }

    #[test]
    fn a_name_counts_once_its_directory_was_synced() {
        assert_eq!(files("C 7 a\nS 7 10\n", 0), []);
        assert_eq!(files("C 7 a\nS 7 10\n", 1), [file("a", 7, 10)], "or if chance had it written");
        assert_eq!(files("C 7 a\nD b\n", 0), [], "another directory's sync does not help");
    }

    #[test]
    fn a_rename_that_is_not_durable_leaves_the_old_file_under_the_name() {
        let journal = "C 1 id\nS 1 5\nD \nC 2 id.tmp\nS 2 6\nR 2 id.tmp\tid\n";
        assert_eq!(files(journal, 0), [file("id", 1, 5)]);
        assert_eq!(files(journal, 1), [file("id", 1, 5), file("id.tmp", 2, 6)]);
        assert_eq!(files(journal, 2), [file("id", 2, 6)]);
        assert_eq!(files(&format!("{journal}D \n"), 0), [file("id", 2, 6)]);
    }

    #[test]
    fn an_unlinked_file_comes_back_until_its_directory_was_synced() {
        assert_eq!(files("C 7 a\nS 7 3\nD \nU a\n", 0), [file("a", 7, 3)]);
        assert_eq!(files("C 7 a\nS 7 3\nD \nU a\nD \n", 0), []);
    }

    #[test]
    fn what_lies_in_a_directory_that_is_not_durable_is_gone_with_it() {
        let journal = "M db\nC 7 db/a\nS 7 3\nD db\n";
        assert_eq!(files(journal, 0), []);
        assert_eq!(files(&format!("{journal}D \n"), 0), [file("db/a", 7, 3)]);
        let disk = Disk::of(&format!("{journal}D \n"));
        assert_eq!(disk.directories().collect::<Vec<_>>(), ["db"]);
    }

    #[test]
    fn half_a_last_line_is_left_out() {
        assert_eq!(files("C 7 a\nD \nS 7 1", 0), [file("a", 7, 0)]);
    }
}
