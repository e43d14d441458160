//! `cosec config`

use std::collections::BTreeMap;
use std::process::ExitCode;

use anstream::{print, println};
use cosec_core::compose::{self, Resolved};
use cosec_core::yaml;
use serde_json::{Value, json};

use crate::args::{ConfigArgs, ConfigFormat, ProjectArgs, TargetName};
use crate::failure::Failure;
use crate::project::{self, Loaded, Purpose};

pub(crate) fn run(project: &ProjectArgs, args: &ConfigArgs) -> Result<ExitCode, Failure> {
    if args.target == Some(TargetName::Swarm) {
        return swarm(project, args);
    }
    let template = args.no_interpolate || args.variables;
    let purpose = if template { Purpose::ShowTemplate } else { Purpose::Show };
    let loaded = project::load(project, &args.services_named, purpose)?;
    loaded.warn_of_unset();
    let Some(resolved) = &loaded.resolved else { return Ok(ExitCode::SUCCESS) };
    if args.variables {
        print_variables(resolved, args.format)?;
    } else if args.environment {
        print_environment(&loaded);
    } else if let Some(names) = names(resolved, args)? {
        for name in names {
            println!("{name}");
        }
    } else {
        if !template {
            let one_each = resolved.check_container_names(&args.services_named);
            one_each.map_err(|error| loaded.show(&error))?;
        }
        print_config(resolved, args)?;
    }
    // The program ends here, and its memory goes at once. To give a large project back piece by piece takes long.
    std::mem::forget(loaded);
    Ok(ExitCode::SUCCESS)
}

/// The names that a flag asks for, one for each line.
fn names(resolved: &Resolved, args: &ConfigArgs) -> Result<Option<Vec<String>>, Failure> {
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    if args.services {
        let of_template = || {
            resolved
                .model()
                .get("services")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect()
        };
        return Ok(Some(if args.no_interpolate { of_template() } else { owned(resolved.services()) }));
    }
    if args.images {
        return resolved.images(&args.services_named).map(Some).map_err(|name| no_service(&name));
    }
    if args.profiles {
        return Ok(Some(owned(resolved.profiles())));
    }
    let sections = [(args.volumes, "volumes"), (args.networks, "networks")];
    Ok(sections.into_iter().find(|(asked, _)| *asked).map(|(_, section)| owned(resolved.members(section))))
}

fn no_service(name: &str) -> Failure {
    Failure::Cannot(format!("there is no service {name}; `cosec config --services` lists them"))
}

fn print_config(resolved: &Resolved, args: &ConfigArgs) -> Result<(), Failure> {
    let services = &args.services_named;
    if args.quiet {
        return resolved.config(services).map(drop).map_err(|name| no_service(&name));
    }
    let text = match args.format {
        ConfigFormat::Json if args.no_interpolate => json_text(&resolved.model())?,
        ConfigFormat::Json => json_text(&resolved.config(services).map_err(|name| no_service(&name))?)?,
        ConfigFormat::Yaml => resolved.config_yaml(services).map_err(|name| no_service(&name))?,
    };
    // So that the output is a Compose file again.
    let text = if args.no_interpolate { text } else { text.replace('$', "$$") };
    print!("{text}");
    Ok(())
}

fn json_text(value: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Cannot(format!("cannot write JSON: {error}")))?;
    Ok(text + "\n")
}

fn print_variables(resolved: &Resolved, format: ConfigFormat) -> Result<(), Failure> {
    let variables: BTreeMap<_, _> = compose::variables(&resolved.model())
        .into_iter()
        .map(|variable| (variable.name.clone(), variable))
        .collect();
    if matches!(format, ConfigFormat::Json) {
        let by_name = variables.into_iter().map(|(name, variable)| {
            let told = json!({
                "Name": variable.name,
                "DefaultValue": variable.default,
                "PresenceValue": variable.alternate,
                "Required": variable.required,
            });
            (name, told)
        });
        print!("{}", json_text(&Value::Object(by_name.collect()))?);
        return Ok(());
    }
    let mut rows = vec![["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"].map(str::to_owned)];
    rows.extend(variables.into_values().map(|variable| {
        [variable.name, variable.required.to_string(), variable.default, variable.alternate]
    }));
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default() + 4;
    let widths: Vec<usize> = (0..4).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}", width = *width));
        }
        println!("{}", line.trim_end());
    }
    Ok(())
}

fn print_environment(loaded: &Loaded) {
    let mut lines: Vec<String> = loaded
        .environment
        .iter()
        .filter(|(name, _)| *name != "COMPOSE_PROJECT_NAME")
        .map(|(name, binding)| format!("{name}={}", binding.value))
        .collect();
    lines.push(format!("COMPOSE_PROJECT_NAME={}", loaded.project.name));
    lines.sort();
    for line in lines {
        println!("{line}");
    }
}

/// What Swarm reads: one document for each file, nothing normalised.
fn swarm(project: &ProjectArgs, args: &ConfigArgs) -> Result<ExitCode, Failure> {
    let stack = project::read_stack(project, !args.no_interpolate)?;
    if args.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    for (number, config) in stack.config().iter().enumerate() {
        match args.format {
            ConfigFormat::Yaml if number > 0 => print!("---\n{}", yaml::write(config)),
            ConfigFormat::Yaml => print!("{}", yaml::write(config)),
            ConfigFormat::Json => print!("{}", json_text(config)?),
        }
    }
    Ok(ExitCode::SUCCESS)
}
