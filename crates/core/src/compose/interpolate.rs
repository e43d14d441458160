//! Variables replaced in all values, then text turned into the type that its place wants.
//! (compose-go `interpolation/interpolation.go`, `loader/interpolate.go`)

use std::cell::{Cell, RefCell};

use indexmap::IndexMap;

use super::environment::{Binding, Environment, Lookup};
use super::load::{Interpolation, LoadError};
use super::template::{self, Missing, Piece, TemplateError};
use super::value::{Data, Template, Value};
use crate::source::Span;

/// Replaces the variables of a document; those of paths that a linter looks at have what `paths` says, too. Adds to
/// `unset` those that have no value and no default.
pub(super) fn interpolate(
    document: &mut Value,
    environment: &Environment,
    paths: &Environment,
    interpolation: Interpolation,
    unset: &mut Unset,
) -> Result<(), LoadError> {
    let interpolator =
        Interpolator { environment, paths, interpolation, unset: RefCell::new(unset), left: Cell::new(MOST) };
    each_text(document, &mut Vec::new(), &|value, path| interpolator.text(value, path))
}

/// Variables by their names, each with the first text that has it.
pub(super) type Unset = IndexMap<String, Span>;

/// Where a value stands; an item of a list is `[]`.
type Path<'v> = Vec<&'v str>;

/// Calls `change` with each text below a value, and where it stands.
pub(super) fn each_text<'v>(
    value: &'v mut Value,
    path: &mut Path<'v>,
    change: &impl Fn(&mut Value, &[&str]) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    if matches!(value.data, Data::Str(_)) {
        return change(value, path);
    }
    match &mut value.data {
        Data::Seq(items) => {
            path.push("[]");
            for item in items {
                each_text(item, path, change)?;
            }
            path.pop();
        }
        Data::Map(map) => {
            for (key, entry) in map {
                path.push(key);
                each_text(&mut entry.value, path, change)?;
                path.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

struct Interpolator<'e> {
    environment: &'e Environment,
    paths: &'e Environment,
    interpolation: Interpolation,
    unset: RefCell<&'e mut Unset>,
    /// What the variables of the document may still stand for, in bytes.
    left: Cell<usize>,
}

/// The most that all variables of a document may stand for together, in bytes.
const MOST: usize = 64 << 20;

impl Interpolator<'_> {
    fn within_budget(&self, result: String) -> Result<String, TemplateError> {
        let left = self.left.get().checked_sub(result.len()).ok_or(TemplateError::TooLarge)?;
        self.left.set(left);
        Ok(result)
    }

    fn note_unset(&self, text: &str, pieces: &[Piece], span: Span) {
        for piece in pieces {
            let Piece::Variable { name, fallback, .. } = piece else { continue };
            match fallback {
                Some(fallback) => self.note_unset(text, &fallback.pieces, span),
                None if self.environment.get(&text[name.clone()]).is_none() => {
                    self.unset.borrow_mut().entry(text[name.clone()].to_owned()).or_insert(span);
                }
                None => {}
            }
        }
    }

    fn text(&self, value: &mut Value, path: &[&str]) -> Result<(), LoadError> {
        let Data::Str(text) = &value.data else { return Ok(()) };
        let mut text = text.clone();
        if text.contains('$') {
            let of_path = OfPath { paths: self.paths, environment: self.environment };
            let environment: &dyn Lookup = if names_file(path) { &of_path } else { self.environment };
            let evaluated = template::evaluate(&text, environment, self.interpolation.missing())
                .and_then(|(result, parts)| Ok((self.within_budget(result)?, parts)));
            match evaluated {
                Ok((result, parts)) => {
                    if self.interpolation == Interpolation::Strict {
                        self.note_unset(&text, &template::parse(&text).unwrap_or_default(), value.span);
                    }
                    value.template = Some(Template { text, parts }.into());
                    text = result.into();
                    value.data = Data::Str(text.clone());
                }
                Err(_) if self.interpolation == Interpolation::Lenient => return Ok(()),
                Err(error) => return Err(LoadError::new(sentence(&error, path), value.span)),
            }
        }
        // A linter wants the text as it is.
        if self.interpolation == Interpolation::Lenient {
            return Ok(());
        }
        if let Some(cast) = wanted(path) {
            value.data = cast.read(&text).map_err(|wanted| {
                LoadError::new(format!("`{}` must be {wanted}", path.join(".")), value.span)
            })?;
        }
        Ok(())
    }
}

/// The variables of a path.
struct OfPath<'e> {
    paths: &'e Environment,
    environment: &'e Environment,
}

impl Lookup for OfPath<'_> {
    fn look_up(&self, name: &str) -> Option<&Binding> {
        self.paths.get(name).or_else(|| self.environment.get(name))
    }

    fn is_lazy(&self) -> bool {
        self.environment.is_lazy()
    }
}

/// Whether what stands at a path of the document names a file or a directory that is read.
fn names_file(path: &[&str]) -> bool {
    match path {
        ["services", _, rest @ ..] => matches!(
            rest,
            ["env_file" | "build"]
                | ["env_file", "[]"]
                | ["env_file", "[]", "path"]
                | ["build", "context" | "dockerfile"]
                | ["extends", "file"]
        ),
        ["secrets", _, "file"] | ["include", ..] => true,
        _ => false,
    }
}

impl Interpolation {
    pub(super) fn missing(self) -> Missing {
        match self {
            Interpolation::Strict | Interpolation::None => Missing::Refuse,
            Interpolation::Lenient => Missing::Allow,
        }
    }
}

fn sentence(error: &TemplateError, path: &[&str]) -> String {
    let path = path.join(".");
    match error {
        TemplateError::Invalid(_) => format!(
            "invalid interpolation format for {path}; a variable is `$NAME`, `${{NAME}}` or has `-`, `:-`, `?`, `:?`, `+`, `:+` and a text behind its name; write `$$` for a plain `$`"
        ),
        TemplateError::TooLarge => format!("error while interpolating {path}: {error}"),
        TemplateError::Required { .. } => {
            format!("error while interpolating {path}: {error}; set it in the environment or in .env")
        }
    }
}

/// The type that a text becomes.
#[derive(Clone, Copy)]
pub(super) enum Cast {
    Int,
    Float,
    /// Kept in single precision.
    Float32,
    Bool,
}

impl Cast {
    /// What a text becomes, or what it should have been.
    pub(super) fn read(self, text: &str) -> Result<Data, &'static str> {
        let single = |number: f64| f64::from(number as f32);
        match self {
            Cast::Int => integer(text).map(Data::Int).ok_or("a whole number"),
            Cast::Float => float(text).map(Data::Float).ok_or("a number"),
            Cast::Float32 => float(text).map(single).map(Data::Float).ok_or("a number"),
            Cast::Bool => boolean(text).map(Data::Bool).ok_or("true or false"),
        }
    }
}

/// go's `strconv.ParseInt(…, 10, 64)`.
pub(super) fn integer(text: &str) -> Option<i128> {
    text.parse::<i64>().ok().map(i128::from)
}

/// go's `strconv.ParseFloat`, which knows hexadecimal and the names of infinity in any case; no file has
/// those, and Rust's parser takes the rest.
pub(super) fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// compose-go's `toBoolean`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn wanted(path: &[&str]) -> Option<Cast> {
    let cast = match path {
        ["services", _, rest @ ..] => match rest {
            [
                "cpu_count" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime" | "cpu_shares"
                | "oom_score_adj" | "pids_limit" | "scale",
            ]
            | ["deploy", "replicas"]
            | ["deploy", "update_config" | "rollback_config", "parallelism"]
            | ["deploy", "restart_policy", "max_attempts"]
            | ["deploy", "placement", "max_replicas_per_node"]
            | ["healthcheck", "retries"]
            | ["ports", "[]", "target"]
            | ["ulimits", _]
            | ["ulimits", _, "hard" | "soft"] => Cast::Int,
            ["cpu_percent"] | ["deploy", "update_config" | "rollback_config", "max_failure_ratio"] => {
                Cast::Float
            }
            ["cpus"] => Cast::Float32,
            ["init" | "oom_kill_disable" | "privileged" | "read_only" | "stdin_open" | "tty"]
            | ["healthcheck", "disable"]
            | ["volumes", "[]", "read_only"]
            | ["volumes", "[]", "volume", "nocopy"] => Cast::Bool,
            _ => return None,
        },
        ["networks", _, "external" | "internal" | "attachable" | "enable_ipv4" | "enable_ipv6"]
        | ["volumes" | "secrets" | "configs", _, "external"] => Cast::Bool,
        _ => return None,
    };
    Some(cast)
}
