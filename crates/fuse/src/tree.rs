//! Directories and files with inode numbers that every worker computes alike: they come from the path.

use std::collections::{BTreeMap, HashMap};

use crate::spec::FileSpec;

/// The root's inode number.
pub(crate) const ROOT: u64 = 1;

/// Why a list of paths is no tree.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TreeError {
    /// Absolute, empty, or with `.`, `..`, an empty component or NUL.
    #[error("`{0}` is no path below a mount point; use names with `/` between them")]
    Path(String),
    /// The same path twice, or a file where another path needs a directory.
    #[error("`{0}` is wanted twice, or both as a file and as a directory")]
    Conflict(String),
}

/// What an inode number stands for.
#[derive(Debug)]
pub(crate) enum Node {
    /// A directory: names and their inode numbers; and its parent's.
    Directory { children: BTreeMap<String, u64>, parent: u64 },
    /// A file, by its index in the spec.
    File(usize),
}

/// All inodes.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: HashMap<u64, Node>,
}

impl Tree {
    pub(crate) fn new(files: &[FileSpec]) -> Result<Self, TreeError> {
        let mut paths: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let valid = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
            if !file.path.split('/').all(valid) || file.path.contains('\0') {
                return Err(TreeError::Path(file.path.clone()));
            }
            for (at, _) in file.path.match_indices('/') {
                if paths.entry(file.path[..at].to_owned()).or_insert(None).is_some() {
                    return Err(TreeError::Conflict(file.path.clone()));
                }
            }
            if paths.insert(file.path.clone(), Some(index)).is_some() {
                return Err(TreeError::Conflict(file.path.clone()));
            }
        }
        let mut nodes = HashMap::from([(ROOT, Node::Directory { children: BTreeMap::new(), parent: ROOT })]);
        let mut inodes: HashMap<String, u64> = HashMap::new();
        // In the order of the paths, so that parents come first and a collision always ends the same way.
        for (path, file) in paths {
            let mut inode = hash(&path);
            while inode <= ROOT || nodes.contains_key(&inode) {
                inode = inode.wrapping_add(1);
            }
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let parent = inodes.get(directory).copied().unwrap_or(ROOT);
            if let Some(Node::Directory { children, .. }) = nodes.get_mut(&parent) {
                children.insert(name.to_owned(), inode);
            }
            let node = match file {
                Some(index) => Node::File(index),
                None => Node::Directory { children: BTreeMap::new(), parent },
            };
            nodes.insert(inode, node);
            inodes.insert(path, inode);
        }
        Ok(Tree { nodes })
    }

    pub(crate) fn node(&self, inode: u64) -> Option<&Node> {
        self.nodes.get(&inode)
    }

    /// The inode of a path; the empty one is the root's.
    pub(crate) fn find(&self, path: &str) -> Option<u64> {
        let mut names = path.split('/').filter(|name| !name.is_empty());
        names.try_fold(ROOT, |parent, name| self.child(parent, name))
    }

    pub(crate) fn child(&self, parent: u64, name: &str) -> Option<u64> {
        match self.nodes.get(&parent)? {
            Node::Directory { children, .. } => children.get(name).copied(),
            Node::File(_) => None,
        }
    }
}

/// FNV-1a.
fn hash(path: &str) -> u64 {
    path.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Result<Tree, TreeError> {
        let file = |path: &&str| FileSpec { path: (*path).to_owned(), secret: 0, grants: Vec::new() };
        Tree::new(&paths.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn a_new_worker_gives_a_file_the_number_that_the_last_one_gave_it() {
        let inode = |paths: &[&str]| {
            let tree = tree(paths).unwrap();
            tree.child(tree.child(ROOT, "web").unwrap(), "b").unwrap()
        };
        assert_eq!(inode(&["web/b", "a/x"]), inode(&["db/y", "web/a", "web/b"]));
    }

    #[test]
    fn paths_that_leave_the_tree_or_clash_are_refused() {
        for path in ["", "/a", "a//b", "a/../b", "a/", "."] {
            assert!(matches!(tree(&[path]), Err(TreeError::Path(_))), "{path}");
        }
        assert!(matches!(tree(&["a", "a"]), Err(TreeError::Conflict(_))));
        assert!(matches!(tree(&["a", "a/b"]), Err(TreeError::Conflict(_))));
        assert!(matches!(tree(&["a/b", "a"]), Err(TreeError::Conflict(_))));
    }
}
