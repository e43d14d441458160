//! Whether a caller belongs to the service that a file is for.
//!
//! The kernel says which process asks; its cgroup says in which container it is; whose container that is only
//! the engine knows, whom the supervisor asks once for each container. A container's labels never change.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::caller::Caller;
use crate::spec::{Container, Scope};

/// A container that the engine does not know is asked for again after this long.
const STRANGER: Duration = Duration::from_secs(2);
/// A question that has got no answer for this long is asked again: the supervisor may have changed.
const AGAIN: Duration = Duration::from_secs(3);
/// More containers than this have not been seen at once; what is forgotten is asked for again.
const MOST: usize = 4096;

/// What the scope says of an open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It may, as far as the scope goes. The container's name, if it is in one.
    Inside(Option<String>),
    /// It may not, and why.
    Outside(String),
    /// The engine has to be asked about these containers first.
    Ask(Vec<String>),
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

    /// Whether a caller may open a file of `service`. Ids that the answer says to ask about count as asked.
    pub(crate) fn decide(&self, scope: Scope, project: &str, service: &str, caller: &Caller) -> Decision {
        let Scope::Services { host } = scope else { return Decision::Inside(None) };
        if !caller.known {
            return Decision::Outside("nothing is known of the process that asks".to_owned());
        }
        if caller.containers.is_empty() {
            return if host {
                Decision::Inside(None)
            } else {
                Decision::Outside("a process outside the project's containers".to_owned())
            };
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut ask, mut waiting) = (Vec::new(), false);
        // The innermost is last: an engine inside a container has containers of its own.
        for id in caller.containers.iter().rev() {
            match known.get(id) {
                Some(Known::Is(container)) if ask.is_empty() && !waiting => {
                    return if container.project == project && container.service == service {
                        Decision::Inside(Some(container.name.clone()))
                    } else {
                        Decision::Outside(format!(
                            "container {} is not one of service `{service}` of project `{project}`",
                            container.name
                        ))
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
            return Decision::Outside("the engine does not know the container".to_owned());
        }
        Decision::Ask(ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(project: &str, service: &str) -> Container {
        Container { name: "c".into(), project: project.into(), service: service.into() }
    }

    fn caller(containers: &[&str]) -> Caller {
        let containers = containers.iter().map(|id| (*id).to_owned()).collect();
        Caller { known: true, containers, ..Caller::default() }
    }

    #[test]
    fn only_containers_of_the_files_own_service_are_inside() {
        let containers = Containers::knowing([
            ("web".to_owned(), container("shop", "web")),
            ("db".to_owned(), container("shop", "db")),
            ("twin".to_owned(), container("other", "web")),
        ]);
        let scope = Scope::Services { host: false };
        let decide = |id: &str| containers.decide(scope, "shop", "web", &caller(&[id]));
        assert_eq!(decide("web"), Decision::Inside(Some("c".into())));
        assert!(matches!(decide("db"), Decision::Outside(_)));
        assert!(matches!(decide("twin"), Decision::Outside(_)));
    }

    #[test]
    fn host_processes_and_unknown_ones_are_outside_unless_the_policy_lets_them_in() {
        let containers = Containers::default();
        let decide =
            |host, caller: &Caller| containers.decide(Scope::Services { host }, "shop", "web", caller);
        assert!(matches!(decide(false, &caller(&[])), Decision::Outside(_)));
        assert_eq!(decide(true, &caller(&[])), Decision::Inside(None));
        assert!(matches!(decide(true, &Caller::default()), Decision::Outside(_)), "no /proc, no rights");
    }

    #[test]
    fn a_container_is_asked_about_once_and_a_nested_engines_containers_count_as_their_own() {
        let containers = Containers::default();
        let scope = Scope::Services { host: false };
        let decide = |ids: &[&str]| containers.decide(scope, "shop", "web", &caller(ids));
        assert_eq!(decide(&["outer", "inner"]), Decision::Ask(vec!["inner".into(), "outer".into()]));
        assert_eq!(decide(&["outer", "inner"]), Decision::Ask(vec![]), "asked, not answered");
        containers.learn("inner".into(), None);
        containers.learn("outer".into(), Some(container("shop", "web")));
        assert_eq!(decide(&["outer", "inner"]), Decision::Inside(Some("c".into())));
        containers.learn("outer".into(), None);
        assert!(matches!(decide(&["outer", "inner"]), Decision::Outside(_)));
    }
}
