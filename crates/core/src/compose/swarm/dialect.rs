//! Templates as `docker stack` reads them. `$V-x` has a default, a lone `$` is an error, nothing nests, and there is
//! no `:+`. (docker/cli `cli/compose/template/template.go`, `cli/compose/loader/interpolate.go`)

use std::ops::Range;

use super::super::environment::Environment;
use super::super::interpolate::{Cast, each_text};
use super::super::load::LoadError;
use super::super::template::{Operator, Piece, parse};
use super::super::value::{Data, Value};

/// Replaces the variables of a document.
pub(super) fn interpolate(document: &mut Value, environment: &Environment) -> Result<(), LoadError> {
    each_text(document, &mut Vec::new(), &|value, path| text(value, environment, path))
}

fn text(value: &mut Value, environment: &Environment, path: &[&str]) -> Result<(), LoadError> {
    let Data::Str(text) = &value.data else { return Ok(()) };
    let wrong =
        |says: &str| LoadError::new(format!("Swarm cannot read `{}`: {says}", path.join(".")), value.span);
    let result = substitute(text, environment).map_err(|problem| wrong(&problem.to_string()))?;
    if *result == **text {
        return Ok(());
    }
    value.data = match cast(path) {
        None => Data::Str(result.into()),
        Some(cast) => cast.read(&result).map_err(|wanted| wrong(&format!("it must be {wanted}")))?,
    };
    Ok(())
}

/// Why a template is refused. Holds no value of a variable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum Problem {
    #[error(
        "a `$` must start `$NAME`, `${{NAME}}`, `${{NAME:-default}}` or `${{NAME:?error}}`; write `$$` for a plain one. Compose \
         takes more: `:+` and a lone `$`"
    )]
    Invalid,
    #[error(
        "required variable {0} is missing a value, and Swarm reads no .env; set it in the environment of the deployment"
    )]
    Required(String),
}

fn substitute(text: &str, environment: &Environment) -> Result<String, Problem> {
    let mut result = String::with_capacity(text.len());
    // docker keeps the outcome of the last variable only: what is wrong before a good one passes.
    let mut last = Ok(());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(more) = rest.strip_prefix('$') {
            result.push('$');
            rest = more;
            continue;
        }
        let (expression, length) = match rest.strip_prefix('{') {
            None => (expression(rest), 0),
            Some(braced) => (expression(braced).filter(|length| braced[*length..].starts_with('}')), 1),
        };
        let Some(end) = expression else {
            last = Err(Problem::Invalid);
            continue;
        };
        let found = &rest[length..length + end];
        rest = &rest[end + 2 * length..];
        match evaluate(found, environment) {
            Ok(value) => {
                result.push_str(&value);
                last = Ok(());
            }
            Err(problem) => last = Err(problem),
        }
    }
    result.push_str(rest);
    last.map(|()| result)
}

/// The length of `NAME`, with `:-`, `-`, `:?` or `?` and all up to the next `}`.
fn expression(text: &str) -> Option<usize> {
    let first = text.bytes().next().filter(|byte| *byte == b'_' || byte.is_ascii_alphabetic())?;
    let is_name = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let name = text.bytes().take_while(|byte| is_name(*byte)).count().max(usize::from(first.is_ascii()));
    let after = &text[name..];
    let operator = after.strip_prefix(':').unwrap_or(after);
    if !operator.starts_with(['-', '?']) {
        return Some(name);
    }
    Some(after.find('}').map_or(text.len(), |at| name + at))
}

/// The first operator in this order counts, wherever it stands: `V?a-b` is the variable `V?a` or `b`.
fn evaluate(expression: &str, environment: &Environment) -> Result<String, Problem> {
    let look_up = |name: &str| environment.get(name).map(|binding| binding.value.to_string());
    if let Some((name, default)) = expression.split_once(":-") {
        return Ok(look_up(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned()));
    }
    if let Some((name, default)) = expression.split_once('-') {
        return Ok(look_up(name).unwrap_or_else(|| default.to_owned()));
    }
    if let Some((name, _)) = expression.split_once(":?") {
        return look_up(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Problem::Required(name.to_owned()));
    }
    if let Some((name, _)) = expression.split_once('?') {
        return look_up(name).ok_or_else(|| Problem::Required(name.to_owned()));
    }
    Ok(look_up(expression).unwrap_or_default())
}

/// How `docker stack` reads a template otherwise than Compose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistaken {
    /// It refuses it.
    Refused,
    /// `$NAME-…`: what follows is a default.
    Bare,
    /// A default in which Compose replaces something.
    Nested,
    /// `${NAME?a-b}`: a default stands in the message.
    Message,
}

/// What `docker stack` would read otherwise of a text that Compose takes, and where. It is told from the text alone,
/// whatever the variables are. Of several the first.
pub(crate) fn read_by_swarm(text: &str) -> Option<(Mistaken, Range<usize>)> {
    let pieces = parse(text).ok()?;
    pieces.into_iter().find_map(|piece| match piece {
        Piece::Dollar(_) => None,
        Piece::Literal(range) => {
            let at = range.start + text[range].find('$')?;
            Some((Mistaken::Refused, at..at + 1))
        }
        Piece::Variable { range, fallback: None, .. } => {
            let braced = text[range.clone()].starts_with("${");
            let rest = &text[range.end..];
            let operator = rest.strip_prefix(':').unwrap_or(rest);
            (!braced && operator.starts_with(['-', '?'])).then_some((Mistaken::Bare, range))
        }
        Piece::Variable { range, fallback: Some(fallback), .. } => {
            let said = &text[fallback.range];
            let mistaken = match fallback.operator {
                Operator::Alternate => Mistaken::Refused,
                Operator::Default
                    if said.contains(['$', '}']) || (!fallback.colon && said.contains(":-")) =>
                {
                    Mistaken::Nested
                }
                Operator::Required if said.contains('-') => Mistaken::Message,
                Operator::Required if said.contains('}') => Mistaken::Nested,
                _ => return None,
            };
            Some((mistaken, range))
        }
    })
}

/// The type that an interpolated text becomes.
fn cast(path: &[&str]) -> Option<Cast> {
    Some(match path {
        ["services", _, rest @ ..] => match rest {
            ["configs" | "secrets", "[]", "mode"]
            | ["healthcheck", "retries"]
            | ["deploy", "replicas"]
            | ["deploy", "update_config" | "rollback_config", "parallelism"]
            | ["deploy", "restart_policy", "max_attempts"]
            | ["deploy", "placement", "max_replicas_per_node"]
            | ["ports", "[]", "target" | "published"]
            | ["ulimits", _]
            | ["ulimits", _, "hard" | "soft"]
            | ["oom_score_adj"] => Cast::Int,
            ["deploy", "update_config" | "rollback_config", "max_failure_ratio"] => Cast::Float,
            ["healthcheck", "disable"]
            | ["privileged" | "read_only" | "stdin_open" | "tty"]
            | ["volumes", "[]", "read_only"]
            | ["volumes", "[]", "volume", "nocopy"] => Cast::Bool,
            _ => return None,
        },
        ["networks", _, "external" | "internal" | "attachable"]
        | ["volumes" | "secrets" | "configs", _, "external"] => Cast::Bool,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::environment::{Binding, BindingOrigin};
    use super::*;

    #[test]
    fn templates_mean_what_they_mean_to_docker_stack() {
        let mut environment = Environment::default();
        for (name, value) in [("V", "val"), ("E", "")] {
            environment.set(name, Binding { value: value.into(), origin: BindingOrigin::Process });
        }
        let said = |text: &str| substitute(text, &environment);
        for (text, expected) in [
            ("$V", "val"),
            ("${V}x", "valx"),
            ("$V-x", "val"),
            ("$U-x y", "x y"),
            ("${U:-${V}}", "${V}"),
            ("${E:-d}${E-d}", "d"),
            ("$$V", "$V"),
            ("${U?a-b}", "b"),
            ("$ $V", " val"),
            ("${U}", ""),
            ("é$V", "éval"),
        ] {
            assert_eq!(said(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["$", "$1", "$(c)", "${}", "${V", "${V:+x}", "${V/a/b}", "${V:=x}"] {
            assert_eq!(said(text), Err(Problem::Invalid), "{text}");
        }
        assert_eq!(said("${U:?because}"), Err(Problem::Required("U".to_owned())));
    }

    /// Compose's reading of a text, and Swarm's: the same wherever nothing is told, another or none where something is.
    #[test]
    fn what_swarm_reads_otherwise_is_told_and_nothing_else_is() {
        use super::super::super::template::{Missing, evaluate};
        let mut environment = Environment::default();
        for (name, value) in [("V", "val"), ("E", "")] {
            environment.set(name, Binding { value: value.into(), origin: BindingOrigin::Process });
        }
        let names = ["V", "E", "U"];
        let tails = [
            "", "-d", ":-d", "?m", ":?m n", "?m-n", ":?m:-n", ":-${V}", "-${U}", ":-a$$b", "+x", ":+x",
            "-a:-b", ":-a-b", ":-{a}", "?a$V", "?a{b}c",
        ];
        let mut texts: Vec<String> =
            ["$", "a$ b", "$$", "$$V", "x", "$1", "$V-x", "$U-x", "$U:-x", "$E?x", "$V.x", "${V}-x"]
                .map(str::to_owned)
                .to_vec();
        texts.extend(
            names.iter().flat_map(|name| tails.iter().map(move |tail| format!("a ${{{name}{tail}}} b"))),
        );
        let mut of_each = [0, 0];
        for text in texts {
            // An unused variable's difference is one all the same: each text is read with each of the three names.
            let differs = names.iter().any(|name| {
                let text = text.replace(['V', 'E', 'U'], name);
                let compose = evaluate(&text, &environment, Missing::Refuse).map(|(value, _)| value).ok();
                compose != substitute(&text, &environment).ok()
            });
            assert_eq!(read_by_swarm(&text).is_some(), differs, "{text}");
            of_each[usize::from(differs)] += 1;
        }
        assert!(of_each.iter().all(|count| *count > 10), "{of_each:?}");
    }
}
