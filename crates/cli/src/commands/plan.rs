//! `cosec plan`

use std::io::ErrorKind;
use std::process::ExitCode;

use anstream::println;
use cosec_core::extension;
use cosec_core::plan::{Delivery, Plan, ServiceUser, ValueSource, plan};

use super::table::print_table;
use crate::args::{Cli, Compat, PlanArgs, PlanFormat, TargetName};
use crate::deliver::Ids;
use crate::docker::Docker;
use crate::failure::Failure;
use crate::owners::{Owners, Renewed};
use crate::project::{self, Loaded, Purpose};

pub(crate) fn run(cli: &Cli, args: &PlanArgs) -> Result<ExitCode, Failure> {
    let project = &cli.project;
    let mut compat = args.compat.compat;
    if args.target == Some(TargetName::Swarm) {
        project::read_stack(project, true)?;
        compat = Compat::Swarm;
    }
    let loaded = project::load(project, &[], Purpose::Show)?;
    let mut plan = plan(&loaded.project, compat.into()).map_err(|error| loaded.show(&error))?;
    extension::check(&loaded.root).map_err(|error| loaded.show(&error))?;
    know_owners(cli, &loaded, &mut plan)?;
    match args.format {
        PlanFormat::Text => print_text(&loaded, &plan),
        PlanFormat::Json => {
            let text = serde_json::to_string_pretty(&plan)
                .map_err(|error| Failure::Cannot(format!("cannot write the plan: {error}")))?;
            println!("{text}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts in the numbers that the images tell, if the engine is there and has them.
fn know_owners(cli: &Cli, loaded: &Loaded, plan: &mut Plan) -> Result<(), Failure> {
    let docker = Docker::unchecked();
    if !plan.deliveries.iter().any(|delivery| !is_known(delivery)) || docker.engine().is_err() {
        return Ok(());
    }
    let mut owners = Owners::new(cli, &docker, loaded, Renewed::default());
    for delivery in &mut plan.deliveries {
        if let Some(Ids { uid, gid }) = owners.known(delivery)? {
            (delivery.owner.uid, delivery.owner.gid) = (Some(uid), Some(gid));
        }
    }
    Ok(())
}

fn is_known(delivery: &Delivery) -> bool {
    delivery.owner.uid.is_some() && delivery.owner.gid.is_some()
}

fn print_text(loaded: &Loaded, plan: &Plan) {
    if plan.deliveries.is_empty() {
        println!("project {}: no service is granted a secret", plan.project);
        return;
    }
    let mut rows = vec![["SERVICE", "SECRET", "TARGET", "OWNER", "MODE", "SOURCE"].map(str::to_owned)];
    rows.extend(plan.deliveries.iter().map(|delivery| {
        [
            delivery.service.clone(),
            delivery.secret.clone(),
            delivery.target.clone(),
            owner(delivery),
            format!("{:04o}", delivery.mode),
            source(loaded, delivery),
        ]
    }));
    print_table(&rows);
}

/// `file ./secrets/pw`, and what is missing for it to be served.
fn source(loaded: &Loaded, delivery: &Delivery) -> String {
    let is_gone =
        |path: &str| std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let missing = match &delivery.source {
        ValueSource::File(path) if is_gone(path) => ", which does not exist",
        ValueSource::Environment(name) if loaded.environment.get(name).is_none() => ", which is not set",
        _ => "",
    };
    format!("{}{missing}", delivery.source)
}

/// `1000:1000`; `app`, `image's user` where no image could be asked.
fn owner(delivery: &Delivery) -> String {
    let number = |id: Option<u32>| id.map(|id| id.to_string());
    let (user, group) = match &delivery.owner.user {
        ServiceUser::Ids { uid, gid } => (Some(uid.to_string()), number(*gid)),
        ServiceUser::Named(name) => (Some(name.clone()), None),
        ServiceUser::Image => (None, None),
    };
    let user = number(delivery.owner.uid).or(user).unwrap_or_else(|| "image's user".to_owned());
    match number(delivery.owner.gid).or(group) {
        Some(group) => format!("{user}:{group}"),
        None => user,
    }
}
