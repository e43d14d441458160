//! Variables replaced in all values, then text turned into the type that its place wants.
//! (compose-go `interpolation/interpolation.go`, `loader/interpolate.go`)

use super::environment::Environment;
use super::load::{Interpolation, LoadError};
use super::template::{self, Missing, TemplateError};
use super::value::{Data, Template, Value};

/// Replaces the variables of a document.
pub(super) fn interpolate(
    document: &mut Value,
    environment: &Environment,
    interpolation: Interpolation,
) -> Result<(), LoadError> {
    Interpolator { environment, interpolation }.value(document, &mut Vec::new())
}

struct Interpolator<'e> {
    environment: &'e Environment,
    interpolation: Interpolation,
}

/// Where a value stands; an item of a list is `[]`.
type Path<'v> = Vec<&'v str>;

impl Interpolator<'_> {
    fn value<'v>(&self, value: &'v mut Value, path: &mut Path<'v>) -> Result<(), LoadError> {
        if matches!(value.data, Data::Str(_)) {
            return self.text(value, path);
        }
        match &mut value.data {
            Data::Seq(items) => {
                path.push("[]");
                for item in items {
                    self.value(item, path)?;
                }
                path.pop();
            }
            Data::Map(map) => {
                for (key, entry) in map {
                    path.push(key);
                    self.value(&mut entry.value, path)?;
                    path.pop();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&self, value: &mut Value, path: &[&str]) -> Result<(), LoadError> {
        let Data::Str(text) = &value.data else { return Ok(()) };
        let mut text = text.clone();
        if text.contains('$') {
            match template::evaluate(&text, self.environment, self.interpolation.missing()) {
                Ok((result, parts)) => {
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
        match cast(&text, path) {
            Ok(Some(data)) => value.data = data,
            Ok(None) => {}
            Err(wanted) => {
                let message = format!("`{}` must be {wanted}", path.join("."));
                return Err(LoadError::new(message, value.span));
            }
        }
        Ok(())
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
            "invalid interpolation format for {path}; close every `${{`, and write `$$` for a plain `$`"
        ),
        TemplateError::Required { .. } => {
            format!("error while interpolating {path}: {error}; set it in the environment or in .env")
        }
    }
}

#[derive(Clone, Copy)]
enum Cast {
    Int,
    Float,
    /// Kept in single precision.
    Float32,
    Bool,
}

/// What a text becomes at its place, or what it should have been.
fn cast(text: &str, path: &[&str]) -> Result<Option<Data>, &'static str> {
    let Some(cast) = wanted(path) else { return Ok(None) };
    let data = match cast {
        Cast::Int => integer(text).map(Data::Int).ok_or("a whole number")?,
        Cast::Float => float(text).map(Data::Float).ok_or("a number")?,
        Cast::Float32 => float(text).map(|number| Data::Float(f64::from(number as f32))).ok_or("a number")?,
        Cast::Bool => Data::Bool(boolean(text).ok_or("true or false")?),
    };
    Ok(Some(data))
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
