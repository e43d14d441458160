//! What a rule is.

use super::context::{Context, DockerfileContext, EnvFileContext, Findings};
use super::finding::{FixKind, Severity};

/// Who wants to hear of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Persona {
    /// Everybody.
    #[default]
    Regular,
    /// Those who want it stricter than most.
    Pedantic,
    /// Those who look for everything and sort out by hand.
    Auditor,
}

/// What a rule must look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The Compose file's text.
    Text,
    /// Other files.
    Files,
    /// Git.
    Git,
}

/// A rule.
pub struct Rule {
    /// Its name, kebab-case: what people write in `# cosec: ignore[…]`.
    pub id: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The severity of its usual finding.
    pub severity: Severity,
    /// Who hears of it.
    pub persona: Persona,
    /// What it looks at.
    pub needs: Needs,
    /// What a fix would change; `None` where `cosec fix` has none.
    pub fix: Option<FixKind>,
    /// Its doc comment, line by line as written; [`Rule::markdown`] is for reading.
    pub page: &'static str,
    /// What looks.
    pub check: Check,
}

/// What a rule looks at.
pub enum Check {
    /// A Compose project.
    Project(fn(&Context<'_>, &mut Findings)),
    /// A file of variables: `.env` and its like.
    EnvFile(fn(&EnvFileContext<'_>, &mut Findings)),
    /// Both.
    ProjectAndEnvFile(fn(&Context<'_>, &mut Findings), fn(&EnvFileContext<'_>, &mut Findings)),
    /// A Dockerfile, that of a project's `build:` or one that was named.
    Dockerfile(fn(&DockerfileContext<'_>, &mut Findings)),
    /// What the other rules have found; the linter itself looks.
    AfterAll,
}

impl Rule {
    /// The page in Markdown.
    pub fn markdown(&self) -> String {
        let page = self.page.lines().flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"]);
        let fix = match self.fix {
            Some(FixKind::Safe) => "`cosec fix` mends it. That is safe: the stack runs as before.",
            Some(FixKind::Unsafe) => {
                "`cosec fix --unsafe` mends it where that can be done for sure, and says why where it cannot. It is unsafe:\nit changes how the stack runs or is built."
            }
            None => "There is none: this has to be mended by hand.",
        };
        page.chain(["\n## Fix\n\n", fix, "\n"]).collect()
    }

    /// Where its page stands on the web.
    pub fn url(&self) -> String {
        format!("{}/blob/main/docs/rules/{}.md", env!("CARGO_PKG_REPOSITORY"), self.id)
    }
}

/// Declares a rule: the doc comment is the rule's page, word for word.
macro_rules! rule {
    (@fix) => { None };
    (@fix $fix:ident) => { Some($crate::rules::FixKind::$fix) };
    (@check $kind:ident) => { $crate::rules::Check::$kind };
    (@check $kind:ident $($check:path),+) => { $crate::rules::Check::$kind($($check),+) };
    (
        $(#[doc = $line:literal])+
        $name:ident = $id:literal, $summary:literal, $severity:ident, $persona:ident, needs $needs:ident $(fix $fix:ident)?, $kind:ident $($check:path),*
    ) => {
        $(#[doc = $line])+
        pub(crate) static $name: $crate::rules::Rule = $crate::rules::Rule {
            id: $id,
            summary: $summary,
            severity: $crate::rules::Severity::$severity,
            persona: $crate::rules::Persona::$persona,
            needs: $crate::rules::Needs::$needs,
            fix: rule!(@fix $($fix)?),
            page: concat!($($line, "\n"),+),
            check: rule!(@check $kind $($check),*),
        };
    };
}
pub(super) use rule;
