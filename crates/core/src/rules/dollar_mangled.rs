use super::context::slot;
use super::rule::rule;
use super::{Confidence, Context, EnvFileContext, Finding, Findings};
use crate::compose::template::{self, Piece};
use crate::detect::is_secret_name;
use crate::files::parent;

rule! {
    /// # dollar-mangled
    ///
    /// A password or a password's hash has a `$` that Compose takes for a variable.
    ///
    /// ## Why is this bad
    ///
    /// `pa$sword` becomes `pa`: Compose puts in the value of the variable `sword`, which is not set, and says so in a
    /// warning only. Logins fail, or a much shorter password is set.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   proxy:
    ///     image: traefik:3
    ///     labels:
    ///       traefik.http.middlewares.login.basicauth.users: admin:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj1
    /// ```
    ///
    /// Use instead a second dollar for each, or better a secret's file:
    ///
    /// ```yaml good
    /// services:
    ///   proxy:
    ///     image: traefik:3
    ///     labels:
    ///       traefik.http.middlewares.login.basicauth.users: admin:$$apr1$$H6uskkkW$$IgXLP6ewTrSuBkTrqE8wj1
    /// ```
    DOLLAR_MANGLED = "dollar-mangled", "a dollar in a password is taken for a variable", Warning, Regular, needs Text fix Unsafe, ProjectAndEnvFile check, check_env_file
}

/// How hashes begin.
const HASHES: &[&str] =
    &["$apr1$", "$2y$", "$2a$", "$2b$", "$argon2", "$pbkdf2", "$5$", "$6$", "$1$", "$y$", "$scrypt$"];

fn check(context: &Context<'_>, findings: &mut Findings) {
    context.scalars(|path, value| {
        let Some(written) = &value.template else { return };
        let (name, start) = slot(path, &written.text);
        // A command's `$NAME` is a variable as often as not.
        let key = path.split('.').nth(2).unwrap_or_default();
        if matches!(key, "command" | "entrypoint" | "healthcheck")
            || !is_mangled(name, &written.text[start..])
        {
            return;
        }
        let span = context.sources.within(value.span, &written.text, start..written.text.len());
        findings.push(finding(name, span, path.to_owned()));
    });
}

fn check_env_file(context: &EnvFileContext<'_>, findings: &mut Findings) {
    for assigned in context.assigned {
        let Some(value) = &assigned.value else { continue };
        let file = context.sources.file(value.span.file).text();
        // Single quotes keep dollars as they are; so does a file without any.
        let single =
            value.span.start > 0 && file.as_bytes().get(value.span.start as usize - 1) == Some(&b'\'');
        let is_template = parent(context.path).contains("templates");
        if !single && !is_template && is_mangled(&assigned.name.value, &value.raw) {
            let name = assigned.name.value.to_string();
            findings.push(finding(&name, value.span, name.clone()).show(assigned.name.span));
        }
    }
}

/// Text with a dollar in its midst that Compose takes for a variable, and that nobody can have meant as one: in a
/// hash, or in a password right behind other characters and not in capitals.
fn is_mangled(name: &str, raw: &str) -> bool {
    let Ok(pieces) = template::parse(raw) else { return false };
    let bare = |piece: &Piece| match piece {
        Piece::Variable { range, name, fallback: None } if name.end == range.end => Some(name.clone()),
        _ => None,
    };
    let braced = pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }) && bare(piece).is_none());
    if braced {
        return false;
    }
    if HASHES.iter().any(|hash| raw.contains(hash)) && !raw.contains("$$") {
        return pieces.iter().any(|piece| bare(piece).is_some());
    }
    is_secret_name(name)
        && pieces.windows(2).any(|pair| {
            let behind = matches!(&pair[0], Piece::Literal(text) if raw[text.clone()].ends_with(|c: char| c.is_ascii_alphanumeric()));
            behind && bare(&pair[1]).is_some_and(|name| raw[name].bytes().any(|byte| byte.is_ascii_lowercase()))
        })
}

fn finding(name: &str, span: crate::source::Span, path: String) -> Finding {
    let message =
        format!("a `$` in the value of {name} is taken for a variable: what stands behind it is lost");
    Finding::new(&DOLLAR_MANGLED, span, path, message)
        .confidence(Confidence::Medium)
        .label("a dollar is lost")
        .help("write `$$` for each `$`; in an env file put the value into single quotes")
}
