//! Every rule's page has a bad and a good example, and they are what they say.

use super::{ALL, Needs, Severity};
use crate::files::{Answer, FileKind, FileSystem, GitState, ReadError};
use crate::lint::{LintOptions, lint_file};

/// The example's file; git ignores what a line ending in `# .gitignore` names.
struct Example<'a>(&'a str, &'a str);

impl FileSystem for Example<'_> {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        if path == self.1 { Ok(self.0.to_owned()) } else { Err(ReadError::Missing) }
    }

    fn kind(&self, _path: &str) -> Answer<FileKind> {
        Answer::Known(FileKind::File)
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        let ignored =
            self.0.lines().filter(|line| line.ends_with("# .gitignore")).any(|line| line.contains(path));
        Answer::Known(if ignored { GitState::Ignored } else { GitState::Untracked })
    }
}

/// The examples of one kind: each is a Compose file or an env file.
fn examples(page: &str, kind: &str) -> Vec<(String, &'static str)> {
    let of = |fence: &str, path: &'static str| {
        page.split(&format!("```{fence} {kind}\n"))
            .skip(1)
            .filter_map(|rest| rest.split_once("```"))
            .map(|(example, _)| (example.to_owned(), path))
            .collect::<Vec<_>>()
    };
    [of("yaml", "compose.yaml"), of("env", ".env")].concat()
}

#[test]
fn every_bad_example_is_found_and_every_good_one_is_clean() {
    for rule in ALL {
        let page = rule.markdown();
        assert!(page.starts_with(&format!("# {}\n", rule.id)), "{}: the page starts with its id", rule.id);
        let (bad, good) = (examples(&page, "bad"), examples(&page, "good"));
        assert!(!bad.is_empty() && !good.is_empty(), "{}: a bad and a good example", rule.id);
        for (example, path) in bad {
            let outcome = lint_file(&Example(&example, path), path, &LintOptions::default());
            assert!(outcome.findings.iter().any(|finding| finding.rule == rule.id), "{}: {example}", rule.id);
        }
        for (example, path) in good {
            let outcome = lint_file(&Example(&example, path), path, &LintOptions::default());
            assert!(outcome.error.is_none(), "{}: {:?}", rule.id, outcome.error);
            let of_note = outcome
                .findings
                .iter()
                .filter(|finding| finding.severity > Severity::Info || finding.rule == rule.id);
            assert_eq!(of_note.count(), 0, "{}: {:?}", rule.id, outcome.findings);
        }
    }
}

/// docs/rules holds each rule's page word for word; `cargo xtask docs` writes them.
#[test]
fn rule_pages_in_the_documentation_are_the_rules_own() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules");
    let write = std::env::var_os("COSEC_WRITE_DOCS").is_some();
    let rows = ALL.iter().map(|rule| {
        let needs = match rule.needs {
            Needs::Text => "the file",
            Needs::Files => "other files",
            Needs::Git => "git",
        };
        format!("| [{0}]({0}.md) | {1} | {needs} | {2} |\n", rule.id, rule.severity, rule.summary)
    });
    let head = "# Rules\n\nWritten by `cargo xtask docs` from the rules themselves.\n\n| Rule | Severity | Looks at | What |\n| --- | --- | --- | --- |\n";
    let index: String = std::iter::once(head.to_owned()).chain(rows).collect();
    let pages = ALL.iter().map(|rule| (format!("{}.md", rule.id), rule.markdown()));
    for (name, page) in pages.chain([("README.md".to_owned(), index)]) {
        let path = directory.join(&name);
        if write {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page, "{name} is stale: run `cargo xtask docs`");
    }
}
