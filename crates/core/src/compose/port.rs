//! A port in its short form: `address:published:target/protocol`, ranges included.
//! (docker/go-connections `nat/nat.go`)

use std::net::IpAddr;

/// One port of a short form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) address: Option<String>,
    pub(super) target: u16,
    /// A port or a range of ports.
    pub(super) published: Option<String>,
    pub(super) protocol: String,
}

/// What is wrong with a port of the container that is none.
pub(super) const NO_TARGET: &str =
    "has a container port that is none, nor a range; ports are 1 to 65535, as in `8080:80`";

/// The ports that a short form means, in Compose's order: by target and protocol as text.
pub(super) fn parse(spec: &str) -> Result<Vec<Port>, &'static str> {
    let mut parts: Vec<&str> = spec.split(':').collect();
    let container = parts.pop().unwrap_or_default();
    let published = parts.pop().unwrap_or_default();
    let address = address(&parts.join(":"))?;
    let (port, protocol) = match container.split_once('/') {
        Some((port, rest)) => (port, rest.split('/').next().unwrap_or_default()),
        None => (container, ""),
    };
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_lowercase() };
    if port.is_empty() {
        return Err("names no port of the container");
    }
    let (first, last) = range(port).ok_or(NO_TARGET)?;
    let host = match published {
        "" => None,
        published => Some(range(published).ok_or(
            "has a published port that is none, nor a range; ports are 0 to 65535, as in `8080:80`",
        )?),
    };
    if let Some((host_first, host_last)) = host
        && last - first != host_last - host_first
        && first != last
    {
        return Err("has ranges of different length for container and host");
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err("has an unknown protocol; it is tcp, udp or sctp");
    }
    let mut ports: Vec<Port> = (first..=last)
        .map(|target| Port {
            address: address.clone(),
            target,
            published: host.map(|(host_first, host_last)| {
                let port = u32::from(host_first) + u32::from(target - first);
                // One container port may be published at any port of a range.
                if first == last && host_first != host_last {
                    format!("{port}-{host_last}")
                } else {
                    port.to_string()
                }
            }),
            protocol: protocol.clone(),
        })
        .collect();
    ports.sort_by_key(|port| port.target.to_string());
    Ok(ports)
}

fn address(text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let bare = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(bare) => bare,
        None if text.contains(':') => return Err("has an IPv6 address without brackets around it"),
        None => text,
    };
    match bare.parse::<IpAddr>() {
        Ok(_) => Ok(Some(bare.to_owned())),
        Err(_) => Err("has an invalid IP address; write `127.0.0.1` for this machine, names are not taken"),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten()
    };
    match text.split_once('-') {
        None => port(text).map(|port| (port, port)),
        Some((first, rest)) => {
            let (first, last) = (port(first)?, port(rest.split('-').next()?)?);
            (first <= last).then_some((first, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_short_form_gives_the_ports_that_docker_gives() {
        let parsed = |spec: &str| -> Vec<String> {
            parse(spec)
                .unwrap()
                .into_iter()
                .map(|port| {
                    format!(
                        "{}|{}|{}/{}",
                        port.address.unwrap_or_default(),
                        port.published.unwrap_or_default(),
                        port.target,
                        port.protocol
                    )
                })
                .collect()
        };
        assert_eq!(parsed("80"), ["||80/tcp"]);
        assert_eq!(parsed("8080:80/UDP"), ["|8080|80/udp"]);
        assert_eq!(parsed("127.0.0.1:8080:80"), ["127.0.0.1|8080|80/tcp"]);
        assert_eq!(parsed("127.0.0.1::80"), ["127.0.0.1||80/tcp"]);
        assert_eq!(parsed("[::1]:80:80"), ["::1|80|80/tcp"]);
        assert_eq!(parsed("9-10:19-20"), ["|9|19/tcp", "|10|20/tcp"]);
        assert_eq!(parsed("9-10"), ["||10/tcp", "||9/tcp"]);
        assert_eq!(parsed("8000-8010:80"), ["|8000-8010|80/tcp"]);
        for wrong in ["", "a", "80:", "1-3:1-2", "999999", "x:1:2", "80/xyz", "::1:80:80"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
