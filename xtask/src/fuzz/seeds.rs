//! `cargo xtask fuzz seeds [DIRECTORY…]`: writes what the targets in `fuzz/` start from, of the books, the rules' pages
//! and real files, and the pieces of Compose files as a dictionary.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::Result;
use xtask::promises::interpolating::SEPARATOR;

use super::{PIECES, collect, loader, page_examples};
use crate::shell;

pub(super) fn run(directories: &[&str]) -> Result<()> {
    let mut texts = page_examples();
    for directory in directories {
        collect(Path::new(directory), &mut texts)?;
    }
    let mut loader = loader::books()?;
    let mut interpolation: Vec<String> = Vec::new();
    let mut lint: Vec<String> = Vec::new();
    for (path, text) in &texts {
        if path == "compose.yaml" {
            loader.push(text.clone());
        }
        lint.push(format!("{path}\n{text}"));
    }
    for text in loader.iter().chain(texts.iter().map(|(_, text)| text)) {
        for line in text.lines().filter(|line| line.contains('$') || line.contains('=')) {
            interpolation.push(format!("A=a\nE=\nTAG='1.2'\n{SEPARATOR}{}", line.trim()));
            interpolation.push(format!("{}\n{SEPARATOR}${{A:-$B}}", line.trim()));
        }
    }
    for (target, seeds) in [("loader", loader), ("interpolation", interpolation), ("lint", lint)] {
        let directory = shell::root().join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&directory)?;
        for seed in &seeds {
            let mut name = DefaultHasher::new();
            seed.hash(&mut name);
            std::fs::write(directory.join(format!("{:016x}", name.finish())), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    let bytes = |piece: &str| piece.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let words: String = PIECES.iter().map(|piece| format!("\"{}\"\n", bytes(piece))).collect();
    std::fs::write(shell::root().join("fuzz/corpus/pieces.dict"), words)?;
    Ok(())
}
