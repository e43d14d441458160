//! Whether a caller belongs to the service that a file is for.
//!
//! The kernel says which process asks; its cgroup says in which container it is; whose container that is, and whether
//! that cgroup is the container's own, only the engine knows, whom the supervisor asks once for each container. A
//! container's labels and its cgroup never change.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::caller::Caller;
use crate::spec::{Container, Grant, Scope};

/// A container that the engine does not know is asked for again after this long.
const STRANGER: Duration = Duration::from_secs(2);
/// A question that has got no answer for this long is asked again: the supervisor may have changed.
const AGAIN: Duration = Duration::from_secs(3);
/// More containers than this have not been seen at once; what is forgotten is asked for again.
const MOST: usize = 4096;

/// What the scope says of an open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It may, as far as the scope goes.
    Inside {
        /// By which of the file's grants.
        grant: usize,
        /// The container's name, if it is in one.
        container: Option<String>,
    },
    /// It may not.
    Outside(Outside),
    /// The engine has to be asked about these containers first.
    Ask(Vec<String>),
}

/// Why a caller may not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outside {
    pub(crate) reason: String,
    /// The name of the container that it is in, if that is known.
    pub(crate) container: Option<String>,
}

impl Outside {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Outside { reason: reason.into(), container: None }
    }
}

enum Known {
    Asked(Instant),
    Stranger(Instant),
    Is(Container),
}

/// What is known of containers.
#[derive(Default)]
pub(crate) struct Containers {
    known: Mutex<HashMap<String, Known>>,
}

impl Containers {
    /// What an earlier worker knew.
    pub(crate) fn knowing(containers: impl IntoIterator<Item = (String, Container)>) -> Self {
        let known = containers.into_iter().map(|(id, container)| (id, Known::Is(container))).collect();
        Containers { known: Mutex::new(known) }
    }

    /// The engine's answer.
    pub(crate) fn learn(&self, id: String, container: Option<Container>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id, container.map_or_else(|| Known::Stranger(Instant::now()), Known::Is));
    }

    /// By which grant a caller may open a file. Ids that the answer says to ask about count as asked.
    pub(crate) fn decide(&self, scope: Scope, project: &str, grants: &[Grant], caller: &Caller) -> Decision {
        let of = |service: &str| grants.iter().position(|grant| grant.service == service);
        let Scope::Services { host } = scope else { return Decision::Inside { grant: 0, container: None } };
        if !caller.known {
            return Decision::Outside(Outside::because("nothing is known of the process that asks"));
        }
        if caller.cgroups().containers.is_empty() {
            return match of("").or(host.then_some(0)) {
                Some(grant) => Decision::Inside { grant, container: None },
                None => Decision::Outside(Outside::because("a process outside the project's containers")),
            };
        }
        let cgroups = caller.cgroups();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut ask, mut waiting, mut only_named) = (Vec::new(), false, None);
        // The innermost is last: an engine inside a container has containers of its own.
        for id in cgroups.containers.iter().rev() {
            match known.get(id) {
                Some(Known::Is(container)) if !cgroups.are_in(&container.cgroups) => {
                    only_named = Some(container.name.clone());
                }
                Some(Known::Is(container)) if ask.is_empty() && !waiting => {
                    // A container without a service is not the host's.
                    let own = container.project == project && !container.service.is_empty();
                    return match of(&container.service).filter(|_| own) {
                        Some(grant) => Decision::Inside { grant, container: Some(container.name.clone()) },
                        None => Decision::Outside(Outside {
                            reason: format!(
                                "container {} is of no service of project `{project}` that is granted it",
                                container.name
                            ),
                            container: Some(container.name.clone()),
                        }),
                    };
                }
                Some(Known::Is(_)) => {}
                Some(Known::Stranger(since)) if since.elapsed() < STRANGER => {}
                Some(Known::Asked(since)) if since.elapsed() < AGAIN => waiting = true,
                _ => {
                    known.insert(id.clone(), Known::Asked(Instant::now()));
                    ask.push(id.clone());
                }
            }
        }
        if ask.is_empty() && !waiting {
            return Decision::Outside(Outside::because(match only_named {
                Some(name) => format!("its cgroup has the id of container {name} and is another"),
                None => "the engine does not know the container".to_owned(),
            }));
        }
        Decision::Ask(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Cgroups;

    /// Of a service `PROJECT/SERVICE`, at a place.
    fn container(place: &str, of: &str) -> Container {
        let (project, service) = of.split_once('/').unwrap();
        Container {
            name: "c".into(),
            project: project.into(),
            service: service.into(),
            cgroups: vec![format!(":/{place}")],
        }
    }

    fn grants(services: &[&str]) -> Vec<Grant> {
        let one = |service: &&str| Grant { service: (*service).into(), uid: 0, gid: 0, mode: 0o400 };
        services.iter().map(one).collect()
    }

    fn inside(grant: usize, container: Option<&str>) -> Decision {
        Decision::Inside { grant, container: container.map(str::to_owned) }
    }

    fn caller(ids: &[&str]) -> Caller {
        in_cgroup(&ids.join("/"), ids)
    }

    /// A process in a cgroup that names these containers.
    fn in_cgroup(cgroup: &str, ids: &[&str]) -> Caller {
        let containers = ids.iter().map(|id| (*id).to_owned()).collect();
        Caller::in_cgroups(Cgroups { text: format!("0::/{cgroup}\n"), containers })
    }

    #[test]
    fn only_containers_of_the_files_own_service_are_inside() {
        let containers = Containers::knowing([
            ("web".to_owned(), container("web", "shop/web")),
            ("db".to_owned(), container("db", "shop/db")),
            ("twin".to_owned(), container("twin", "other/web")),
        ]);
        let scope = Scope::Services { host: false };
        let decide = |id: &str| containers.decide(scope, "shop", &grants(&["web"]), &caller(&[id]));
        assert_eq!(decide("web"), inside(0, Some("c")));
        assert!(matches!(decide("db"), Decision::Outside(_)));
        assert!(matches!(decide("twin"), Decision::Outside(_)));
    }

    #[test]
    fn who_only_calls_its_cgroup_by_a_containers_id_is_outside() {
        let containers = Containers::knowing([
            ("web".to_owned(), container("docker/web", "shop/web")),
            ("db".to_owned(), container("docker/db", "shop/db")),
        ]);
        let decide = |cgroup: &str, ids: &[&str], granted: &str| {
            let caller = in_cgroup(cgroup, ids);
            containers.decide(Scope::Services { host: true }, "shop", &grants(&[granted]), &caller)
        };
        assert_eq!(decide("docker/web", &["web"], "web"), inside(0, Some("c")));
        assert!(matches!(decide("user.slice/web", &["web"], "web"), Decision::Outside(_)));
        assert!(matches!(decide("docker/db/web", &["db", "web"], "web"), Decision::Outside(_)), "from db");
        assert_eq!(
            decide("docker/db/web", &["db", "web"], "db"),
            inside(0, Some("c")),
            "it is db all the same"
        );
    }

    #[test]
    fn host_processes_and_unknown_ones_are_outside_unless_the_policy_lets_them_in() {
        let containers = Containers::default();
        let decide = |host, caller: &Caller| {
            containers.decide(Scope::Services { host }, "shop", &grants(&["web"]), caller)
        };
        assert!(matches!(decide(false, &caller(&[])), Decision::Outside(_)));
        assert_eq!(decide(true, &caller(&[])), inside(0, None));
        assert!(matches!(decide(true, &Caller::default()), Decision::Outside(_)), "no /proc, no rights");
    }

    #[test]
    fn of_a_file_for_several_each_service_and_the_host_get_their_own_grant() {
        let containers = Containers::knowing([
            ("db".to_owned(), container("db", "shop/db")),
            ("other".to_owned(), container("other", "shop/other")),
            ("nobodys".to_owned(), container("nobodys", "shop/")),
        ]);
        let decide = |caller: &Caller| {
            let grants = grants(&["web", "db", ""]);
            containers.decide(Scope::Services { host: false }, "shop", &grants, caller)
        };
        assert_eq!(decide(&caller(&["db"])), inside(1, Some("c")));
        assert_eq!(decide(&caller(&[])), inside(2, None));
        assert!(matches!(decide(&caller(&["other"])), Decision::Outside(_)));
        assert!(matches!(decide(&caller(&["nobodys"])), Decision::Outside(_)), "not the host's grant");
    }

    #[test]
    fn a_container_is_asked_about_once_and_a_nested_engines_containers_count_as_their_own() {
        let containers = Containers::default();
        let scope = Scope::Services { host: false };
        let decide = |ids: &[&str]| containers.decide(scope, "shop", &grants(&["web"]), &caller(ids));
        assert_eq!(decide(&["outer", "inner"]), Decision::Ask(vec!["inner".into(), "outer".into()]));
        assert_eq!(decide(&["outer", "inner"]), Decision::Ask(vec![]), "asked, not answered");
        containers.learn("inner".into(), None);
        containers.learn("outer".into(), Some(container("outer", "shop/web")));
        assert_eq!(decide(&["outer", "inner"]), inside(0, Some("c")));
        containers.learn("outer".into(), None);
        assert!(matches!(decide(&["outer", "inner"]), Decision::Outside(_)));
    }
}
