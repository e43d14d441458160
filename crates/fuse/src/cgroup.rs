//! In which container a process is, by its cgroup.
//!
//! A path with a container's id in it says little: whoever may make a cgroup may call it so, and systemd lets every
//! user make some. So the path has to be the one in which the container's first process really is.

/// In which cgroups a process is.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    /// As `/proc/PID/cgroup` has them.
    pub(crate) text: String,
    /// The ids of the containers that they name, the innermost last.
    pub(crate) containers: Vec<String>,
}

impl Cgroups {
    pub(crate) fn of(text: String) -> Self {
        Cgroups { containers: container_ids(&text), text }
    }

    /// Whether the cgroup of version 2 is all that there is: then its number stands for all of this.
    pub(crate) fn are_one(&self) -> bool {
        self.text.starts_with("0::") && self.text.lines().count() == 1
    }

    /// Whether they are at or below all of a container's places.
    pub(crate) fn are_in(&self, places: &[String]) -> bool {
        is_in(places, &self.text)
    }
}

/// The groups of 64 hexadecimal digits in the paths of `/proc/PID/cgroup`, the innermost last: Docker's, containerd's
/// and podman's container ids.
fn container_ids(cgroups: &str) -> Vec<String> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let mut found: Vec<String> = Vec::new();
    // Of cgroup v1 there is a line for each controller, and all say the same.
    for (_, path) in lines(cgroups) {
        let ids = path.split(|c: char| !c.is_ascii_alphanumeric());
        for id in ids.filter(|part| part.len() == 64 && part.bytes().all(is_hex)) {
            if !found.iter().any(|known| known == id) {
                found.push(id.to_owned());
            }
        }
    }
    found
}

/// Where the container `id` is, by the `/proc/PID/cgroup` of its first process: of each hierarchy that names it
/// `controllers:path`, as far as to the name. What the container makes below it is its own.
pub fn places(id: &str, cgroups: &str) -> Vec<String> {
    let place = |(controllers, path): (&str, &str)| {
        let end = path.find(id)? + id.len();
        let end = path[end..].find('/').map_or(path.len(), |more| end + more);
        Some(format!("{controllers}:{}", &path[..end]))
    };
    lines(cgroups).filter_map(place).collect()
}

/// Whether a process with this `/proc/PID/cgroup` is at or below all of a container's places.
fn is_in(places: &[String], cgroups: &str) -> bool {
    let is_at = |place: &String| {
        let Some((controllers, place)) = place.split_once(':') else { return false };
        lines(cgroups).any(|(own, path)| {
            own == controllers
                && path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    !places.is_empty() && places.iter().all(is_at)
}

/// Controllers and path of each hierarchy. Version 2 has one without controllers.
fn lines(cgroups: &str) -> impl Iterator<Item = (&str, &str)> {
    cgroups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> String {
        digit.repeat(64)
    }

    #[test]
    fn a_container_is_named_by_its_cgroup() {
        let (id, inner) = (id("a"), id("b"));
        assert_eq!(container_ids(&format!("0::/system.slice/docker-{id}.scope\n")), [id.as_str()]);
        assert_eq!(container_ids(&format!("1:cpu:/docker/{id}\n0::/docker/{id}\n")), [id.as_str()]);
        assert_eq!(container_ids(&format!("0::/docker/{id}/docker/{inner}\n")), [id, inner]);
        assert_eq!(container_ids("0::/user.slice\n"), [""; 0]);
    }

    #[test]
    fn a_cgroup_that_only_bears_a_containers_name_is_not_the_containers() {
        let (db, web) = (id("a"), id("b"));
        let scope = format!("/system.slice/docker-{db}.scope");
        let of = places(&db, &format!("0::{scope}/init.scope\n"));
        assert_eq!(of, [format!(":{scope}")]);
        assert!(is_in(&of, &format!("0::{scope}\n")));
        assert!(
            is_in(&of, &format!("0::{scope}/system.slice/a.service\n")),
            "what the container makes below"
        );
        assert!(!is_in(&of, &format!("0::{scope}2\n")));
        assert!(!is_in(&of, &format!("0::/user.slice/user-1001.slice/docker-{db}.scope\n")));
        assert!(
            !is_in(&of, &format!("0::/system.slice/docker-{web}.scope/docker-{db}.scope\n")),
            "of another container"
        );
        assert!(!is_in(&[], &format!("0::{scope}\n")));
    }

    #[test]
    fn each_hierarchy_has_to_name_the_container() {
        let id = id("a");
        let of = places(&id, &format!("4:memory:/docker/{id}\n1:name=systemd:/docker/{id}\n0::/\n"));
        assert_eq!(of.len(), 2);
        assert!(is_in(&of, &format!("9:memory:/docker/{id}\n1:name=systemd:/docker/{id}\n")));
        assert!(!is_in(&of, &format!("4:memory:/\n1:name=systemd:/docker/{id}\n")));
    }
}
