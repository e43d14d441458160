//! Templates and env files: the parts of a result cover its template without a gap, and a variable that is missing
//! changes nothing else.

use cosec_core::compose::template::{self, Missing, TemplateError};
use cosec_core::compose::{Environment, PartKind, dotenv};
use cosec_core::source::Sources;

use super::{CONSTANT, Cost, FACTOR, bounded, is_place};

/// Stands between an env file and a template in one input.
pub const SEPARATOR: char = '\0';

/// Evaluates the template with what the env file before it sets. `Err` is the promise that was broken.
pub fn check(input: &str) -> Result<Cost, String> {
    let (env_file, text) = input.split_once(SEPARATOR).unwrap_or(("", input));
    let mut sources = Sources::default();
    let file = sources.add(".env", env_file);
    let mut set = Environment::default();
    let allowed = FACTOR * input.len() + CONSTANT;
    let (read, mut cost) = bounded("reading an env file", allowed, || {
        let outer = Environment::default();
        dotenv::parse(file, sources.file(file).text(), &outer, &mut set, Missing::Refuse)
    })?;
    if let Err(error) = read
        && !is_place(&sources, error.span)
    {
        return Err("an error of an env file points outside of it".to_owned());
    }
    // What a variable stands for counts as input, as often as it is written.
    let longest = set.iter().map(|(_, binding)| binding.value.len()).max().unwrap_or_default();
    let allowed = allowed + 4 * longest * text.matches('$').count();
    for lazy in [false, true] {
        let environment = set.clone().lazily(lazy);
        let (strict, one) =
            bounded("a template", allowed, || template::evaluate(text, &environment, Missing::Refuse))?;
        cost.add(one);
        let allowing = template::evaluate(text, &environment, Missing::Allow);
        match (&strict, &allowing) {
            (Ok((strict, _)), Ok((allowing, _))) if strict != allowing => {
                return Err("a template that lacks nothing has two results".to_owned());
            }
            (Ok(_), Err(_)) => return Err("a template is refused where more is allowed".to_owned()),
            (Err(TemplateError::Required { .. }), Err(TemplateError::Required { .. })) => {
                return Err("a variable is required where it may be missing".to_owned());
            }
            _ => {}
        }
        if let Ok((result, parts)) = &strict {
            let mut reached = 0;
            for part in parts {
                if part.range.0 != reached || text.get(part.range.0..part.range.1).is_none() {
                    return Err("the parts of a template leave a gap".to_owned());
                }
                reached = part.range.1;
            }
            if reached != text.len() {
                return Err("the parts of a template end before it does".to_owned());
            }
            let is_plain = parts.iter().all(|part| matches!(part.kind, PartKind::Literal));
            if is_plain && *result != text.replace("$$", "$") {
                return Err("a template without variables is not its text".to_owned());
            }
            cost.results += 1;
        }
    }
    Ok(cost)
}
