//! Every rule's page has a bad and a good example, and they are what they say.

use super::ALL;
use crate::files::{Answer, FileKind, FileSystem, GitState, ReadError};
use crate::lint::{LintOptions, lint_file};

/// The example's file; git ignores what a line ending in `# .gitignore` names.
struct Example<'a>(&'a str);

impl FileSystem for Example<'_> {
    fn read(&self, path: &str) -> Result<String, ReadError> {
        if path == "compose.yaml" { Ok(self.0.to_owned()) } else { Err(ReadError::Missing) }
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

fn examples(page: &str, kind: &str) -> Vec<String> {
    page.split(&format!("```yaml {kind}\n"))
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(example, _)| example.to_owned())
        .collect()
}

#[test]
fn every_bad_example_is_found_and_every_good_one_is_clean() {
    for rule in ALL {
        let page = rule.markdown();
        assert!(page.starts_with(&format!("# {}\n", rule.id)), "{}: the page starts with its id", rule.id);
        let (bad, good) = (examples(&page, "bad"), examples(&page, "good"));
        assert!(!bad.is_empty() && !good.is_empty(), "{}: a bad and a good example", rule.id);
        for example in bad {
            let outcome = lint_file(&Example(&example), "compose.yaml", &LintOptions::default());
            assert!(outcome.findings.iter().any(|finding| finding.rule == rule.id), "{}: {example}", rule.id);
        }
        for example in good {
            let outcome = lint_file(&Example(&example), "compose.yaml", &LintOptions::default());
            assert!(outcome.error.is_none(), "{}: {:?}", rule.id, outcome.error);
            assert!(outcome.findings.is_empty(), "{}: {:?}", rule.id, outcome.findings);
        }
    }
}
