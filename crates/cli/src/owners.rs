//! As whom services run, and so whose their files are.

use std::collections::HashMap;
use std::ffi::OsString;

use cosec_core::compose::default_image;
use cosec_core::dockerfile;
use cosec_core::images;
use cosec_core::plan::{Delivery, ServiceUser};
use cosec_core::source::Sources;

use crate::args::Cli;
use crate::commands::up::wait;
use crate::deliver::Ids;
use crate::docker::Docker;
use crate::failure::Failure;
use crate::project::Loaded;

/// Finds out as whom services run; asks each image once.
pub(crate) struct Owners<'a> {
    docker: &'a Docker,
    loaded: &'a Loaded,
    cli: &'a Cli,
    /// As whom each service runs.
    services: HashMap<String, Ids>,
    /// USER of each image that was asked for; nothing for one that is not here.
    users: HashMap<String, Option<String>>,
    /// Files of images, by image and path; empty where there is none.
    files: HashMap<(String, &'static str), String>,
    renewed: Renewed,
}

/// What the command makes anew before it starts containers: then the images that are here may not be those that run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Renewed {
    /// What has a `build:`.
    pub(crate) built: bool,
    /// What has none.
    pub(crate) pulled: bool,
}

impl<'a> Owners<'a> {
    pub(crate) fn new(cli: &'a Cli, docker: &'a Docker, loaded: &'a Loaded, renewed: Renewed) -> Self {
        let (services, users, files) = (HashMap::new(), HashMap::new(), HashMap::new());
        Owners { docker, loaded, cli, services, users, files, renewed }
    }

    /// The owner of what is delivered. An image that is not here, or will be made anew, is fetched or built.
    pub(crate) fn ids(&mut self, delivery: &Delivery) -> Result<Ids, Failure> {
        let service = &delivery.service;
        let renewed = if self.builds(service) { self.renewed.built } else { self.renewed.pulled };
        let asks_image = !matches!(delivery.owner.user, ServiceUser::Ids { .. });
        if asks_image && renewed && !self.services.contains_key(service) {
            self.fetch(service)?;
        }
        if let Some(ids) = self.known(delivery)? {
            return Ok(ids);
        }
        self.fetch(service)?;
        if let Some(ids) = self.known(delivery)? {
            return Ok(ids);
        }
        // It may be none of the services that are started: Compose says so if it is.
        self.services.insert(service.clone(), Ids { uid: 0, gid: 0 });
        anstream::eprintln!(
            "cosec: the image {} of service `{service}` is not here, so its files are root's until the next `cosec up`; set `user:` to numbers to have them its own",
            self.image(service)
        );
        Ok(Ids { uid: delivery.owner.uid.unwrap_or(0), gid: delivery.owner.gid.unwrap_or(0) })
    }

    fn builds(&self, service: &str) -> bool {
        let services = &self.loaded.project.services;
        services.iter().any(|entry| &*entry.name == service && entry.build.is_some())
    }

    /// The same, as far as it can be told from what is here.
    pub(crate) fn known(&mut self, delivery: &Delivery) -> Result<Option<Ids>, Failure> {
        let owner = &delivery.owner;
        if let (Some(uid), Some(gid)) = (owner.uid, owner.gid) {
            return Ok(Some(Ids { uid, gid }));
        }
        let user = match &owner.user {
            ServiceUser::Ids { uid, gid } => Some(Ids { uid: *uid, gid: gid.unwrap_or(0) }),
            _ if self.services.contains_key(&delivery.service) => Some(self.services[&delivery.service]),
            ServiceUser::Named(name) => self.ask(&delivery.service, Some(name))?,
            ServiceUser::Image => self.ask(&delivery.service, None)?,
        };
        let Some(user) = user else { return Ok(None) };
        self.services.insert(delivery.service.clone(), user);
        Ok(Some(Ids { uid: owner.uid.unwrap_or(user.uid), gid: owner.gid.unwrap_or(user.gid) }))
    }

    fn ask(&mut self, service: &str, user: Option<&str>) -> Result<Option<Ids>, Failure> {
        let image = self.image(service);
        let Some(image_user) = self.user_of(&image)? else { return Ok(None) };
        let starts_as_root = user.is_none() && ["", "root", "0", "0:0"].contains(&image_user.as_str());
        let begun = self.base(service).unwrap_or_else(|| image.clone());
        let reader = images::reader(&begun, |variable| self.variable(service, variable));
        if let Some(reader) = reader.filter(|_| starts_as_root) {
            let passwd = self.file_of(&image, "/etc/passwd")?;
            let (name, group) = split(&reader);
            // An image of the same name without that user is another one.
            if let Some(ids) = look_up(name, group, &passwd, "") {
                return Ok(Some(ids));
            }
        }
        let user = user.map_or(image_user, str::to_owned);
        if user.is_empty() {
            return Ok(Some(Ids { uid: 0, gid: 0 }));
        }
        let (name, group) = split(&user);
        if let (Ok(uid), Some(Ok(gid))) = (name.parse(), group.map(str::parse)) {
            return Ok(Some(Ids { uid, gid }));
        }
        let passwd = self.file_of(&image, "/etc/passwd")?;
        let groups = match group {
            Some(group) if group.parse::<u32>().is_err() => self.file_of(&image, "/etc/group")?,
            _ => String::new(),
        };
        look_up(name, group, &passwd, &groups).map(Some).ok_or_else(|| {
            Failure::Cannot(format!(
                "the user `{user}` of service `{service}` is not in the image's /etc/passwd; set `user:` to numbers"
            ))
        })
    }

    /// The image's USER. A thousand services may have one image, and each question is a process.
    fn user_of(&mut self, image: &str) -> Result<Option<String>, Failure> {
        if let Some(known) = self.users.get(image) {
            return Ok(known.clone());
        }
        let user = self.docker.image_user(image)?;
        self.users.insert(image.to_owned(), user.clone());
        Ok(user)
    }

    /// A file of an image.
    fn file_of(&mut self, image: &str, path: &'static str) -> Result<String, Failure> {
        let key = (image.to_owned(), path);
        if let Some(known) = self.files.get(&key) {
            return Ok(known.clone());
        }
        let file = self.docker.image_file(image, path)?.unwrap_or_default();
        self.files.insert(key, file.clone());
        Ok(file)
    }

    /// The image that the service's own is built on, if it is built here.
    fn base(&self, service: &str) -> Option<String> {
        let own = self.loaded.project.services.iter().find(|entry| &*entry.name == service)?;
        let build = own.build.as_ref()?;
        let text = match &build.inline {
            Some(inline) => inline.raw.to_string(),
            None => std::fs::read_to_string(build.dockerfile_path(build.local_context()?)?).ok()?,
        };
        let file = Sources::default().add("", text.as_str());
        dockerfile::base(&dockerfile::parse(file, &text), build).map(|base| base.image)
    }

    /// What a variable of a service is.
    fn variable(&self, service: &str, name: &str) -> Option<String> {
        let own = self.loaded.project.services.iter().find(|entry| &*entry.name == service)?;
        let variable = own.environment.iter().find(|variable| *variable.name.value == *name)?;
        variable.value.as_ref().map(|value| value.value.to_string())
    }

    fn image(&self, service: &str) -> String {
        let project = &self.loaded.project;
        let image = project
            .services
            .iter()
            .find(|entry| &*entry.name == service)
            .and_then(|entry| entry.image.as_ref());
        image.map_or_else(|| default_image(&project.name, service), |image| image.value.to_string())
    }

    /// The image is needed before `up` would fetch it.
    fn fetch(&mut self, service: &str) -> Result<(), Failure> {
        // What is known of it is of another one by then.
        let image = self.image(service);
        self.users.remove(&image);
        self.files.retain(|(known, _), _| *known != image);
        let verb = if self.builds(service) { "build" } else { "pull" };
        let options: Vec<OsString> = self.loaded.compose_options(&self.cli.project, None);
        let mut command = self.docker.compose(&options);
        // Standard output is ours.
        command.args([verb, service]).stdout(std::io::stderr());
        wait(self.cli, &mut command).map(|_| ())
    }
}

/// `user` or `user:group`
fn split(user: &str) -> (&str, Option<&str>) {
    user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)))
}

/// A user by name or number in passwd's lines; the group by name or number, else the user's own.
fn look_up(name: &str, group: Option<&str>, passwd: &str, groups: &str) -> Option<Ids> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let user = passwd.lines().map(fields).find(|fields| {
        fields.first().is_some_and(|first| first == name) || fields.get(2).is_some_and(|uid| uid == name)
    });
    let number = |fields: &Option<Vec<String>>, at: usize| fields.as_ref()?.get(at)?.parse::<u32>().ok();
    let uid = number(&user, 2).or_else(|| name.parse().ok())?;
    let gid = match group {
        None => number(&user, 3).unwrap_or(0),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => {
                let found = groups
                    .lines()
                    .map(fields)
                    .find(|fields| fields.first().is_some_and(|first| first == group));
                number(&found, 2)?
            }
        },
    };
    Some(Ids { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_looked_up_as_the_engine_does() {
        let passwd = "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n";
        let ids = |name, group| look_up(name, group, passwd, "staff:x:50:\n").map(|ids| (ids.uid, ids.gid));
        assert_eq!(ids("app", None), Some((1000, 1001)));
        assert_eq!(ids("1000", None), Some((1000, 1001)));
        assert_eq!(ids("4242", None), Some((4242, 0)));
        assert_eq!(ids("app", Some("staff")), Some((1000, 50)));
        assert_eq!(ids("nobody", None), None);
    }
}
