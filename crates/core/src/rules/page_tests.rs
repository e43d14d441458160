//! Every rule's page has a bad and a good example, and they are what they say.

use super::{ALL, Needs, Persona, Rule, Severity};
use crate::files::{Answer, Ending, FileFacts, FileKind, FileOwner, FileSystem, GitState, ReadError};
use crate::lint::{LintOptions, Outcome, Target, lint_file};
use crate::settle::settle;

/// The example's file and those beside it. What the disk and git are to say of a file stands in a comment behind
/// its name: `# .gitignore, 0644, tracked`.
struct Example<'a>(&'a str, &'a str, &'a [(String, &'static str)]);

impl Example<'_> {
    fn says(&self, path: &str, fact: &str) -> bool {
        let facts = |line: &str| {
            line.rsplit_once("# ").is_some_and(|(_, facts)| facts.split(", ").any(|said| said == fact))
        };
        self.0.lines().any(|line| line.contains(path) && facts(line))
    }
}

impl FileSystem for Example<'_> {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        if path == self.1 {
            return Ok(self.0.to_owned());
        }
        self.2.iter().find(|(_, name)| *name == path).map(|(text, _)| text.clone()).ok_or(ReadError::Missing)
    }

    fn kind(&self, path: &str) -> Answer<FileKind> {
        Answer::Known(match path {
            path if self.says(path, "missing") => FileKind::Missing,
            path if self.says(path, "a directory") => FileKind::Directory,
            // The linter looks for these by itself.
            ".env" | "Dockerfile" if self.read(path).is_err() => FileKind::Missing,
            _ => FileKind::File,
        })
    }

    fn git(&self, path: &str) -> Answer<GitState> {
        Answer::Known(match path {
            path if self.says(path, "tracked") => GitState::Tracked,
            path if self.says(path, ".gitignore") => GitState::Ignored,
            _ => GitState::Untracked,
        })
    }

    fn facts(&self, path: &str) -> Answer<FileFacts> {
        let mode = if self.says(path, "0644") { 0o644 } else { 0o600 };
        Answer::Known(FileFacts {
            size: if self.says(path, "empty") { 0 } else { 24 },
            ending: if self.says(path, "ends with a newline") { Ending::Newline } else { Ending::Plain },
            owner: Some(FileOwner { uid: 1000, gid: 1000, mode, open: mode }),
        })
    }

    fn in_history(&self, path: &str) -> Answer<bool> {
        Answer::Known(self.says(path, "in history"))
    }
}

/// The examples of one kind: each is a Compose file, an env file or a Dockerfile.
fn examples(page: &str, kind: &str) -> Vec<(String, &'static str)> {
    let of = |fence: &str, path: &'static str| {
        page.split(&format!("```{fence} {kind}\n"))
            .skip(1)
            .filter_map(|rest| rest.split_once("```"))
            .map(|(example, _)| (example.to_owned(), path))
            .collect::<Vec<_>>()
    };
    [of("yaml", "compose.yaml"), of("env", ".env"), of("dockerfile", "Dockerfile")].concat()
}

fn lint_example(rule: &Rule, example: &str, path: &str, beside: &[(String, &'static str)]) -> Outcome {
    let target = if rule.id.starts_with("swarm-") { Target::Swarm } else { Target::Compose };
    let options = LintOptions { persona: rule.persona, target, ..LintOptions::default() };
    let mut outcomes = [lint_file(&Example(example, path, beside), path, &options)];
    settle(&mut outcomes);
    let [outcome] = outcomes;
    outcome
}

#[test]
fn every_bad_example_is_found_and_every_good_one_is_clean() {
    for rule in ALL {
        let page = rule.markdown();
        assert!(page.starts_with(&format!("# {}\n", rule.id)), "{}: the page starts with its id", rule.id);
        let (bad, good, beside) =
            (examples(&page, "bad"), examples(&page, "good"), examples(&page, "beside"));
        assert!(!bad.is_empty() && !good.is_empty(), "{}: a bad and a good example", rule.id);
        for (example, path) in bad {
            let outcome = lint_example(rule, &example, path, &beside);
            assert!(outcome.findings.iter().any(|finding| finding.rule == rule.id), "{}: {example}", rule.id);
        }
        for (example, path) in good {
            let outcome = lint_example(rule, &example, path, &beside);
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
        let persona = match rule.persona {
            Persona::Regular => "",
            Persona::Pedantic => "pedantic",
            Persona::Auditor => "auditor",
        };
        format!("| [{0}]({0}.md) | {1} | {persona} | {needs} | {2} |\n", rule.id, rule.severity, rule.summary)
    });
    let head = "# Rules\n\nWritten by `cargo xtask docs` from the rules themselves.\n\n| Rule | Severity | `--persona` | Looks at | What |\n| --- | --- | --- | --- | --- |\n";
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
