//! `cargo xtask setup`: installs what the tests need and the machine lacks.
//!
//! On Debian 12 as root it does so itself. Docker is too old there and Compose is missing: both come from later
//! releases, with pins so low that nothing else follows them. Elsewhere it says what to install.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, output, program, run as run_command, works};

/// The version that the facts about Compose were measured on.
const COMPOSE: &str = "2.40.";
const CARGO_DENY: &str = "0.20.2";

/// Something the tests need.
struct Need {
    name: &'static str,
    /// Whether it is there.
    there: fn() -> bool,
    /// Debian packages; those with a `/` come from another release.
    packages: &'static [&'static str],
}

const NEEDS: &[Need] = &[
    Need { name: "git", there: || works("git", &["--version"]), packages: &["git"] },
    Need { name: "fusermount3 and /dev/fuse", there: fuse, packages: &["fuse3"] },
    Need {
        name: "setpriv, unshare, script",
        there: || works("setpriv", &["--version"]) && works("script", &["--version"]),
        packages: &["util-linux", "bsdutils"],
    },
    Need { name: "strace", there: || works("strace", &["-V"]), packages: &["strace"] },
    Need { name: "pkill", there: || works("pkill", &["--version"]), packages: &["procps"] },
    Need {
        name: "a static busybox",
        there: || Path::new("/bin/busybox").exists(),
        packages: &["busybox-static"],
    },
    Need {
        name: "apt and Debian's keys",
        there: || {
            works("apt-get", &["--version"])
                && Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists()
        },
        packages: &["debian-archive-keyring"],
    },
    Need {
        name: "Docker engine and Compose 2.40",
        there: docker,
        packages: &[
            "docker.io/trixie",
            "docker-cli/trixie",
            "docker-buildx/sid",
            "docker-compose/sid",
            "iptables",
        ],
    },
    Need {
        name: "Chromium",
        there: || {
            Path::new("/usr/bin/chromium-headless-shell").exists() || Path::new("/usr/bin/chromium").exists()
        },
        packages: &["chromium-headless-shell"],
    },
    Need { name: "Neovim", there: || works("nvim", &["--version"]), packages: &["neovim"] },
    Need { name: "node and npm", there: || works("npm", &["--version"]), packages: &["nodejs", "npm"] },
    Need { name: "a C compiler", there: || works("cc", &["--version"]), packages: &["gcc", "libc6-dev"] },
];

/// Installs, or says what is missing.
pub(crate) fn run() -> Result<()> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.there)()).collect();
    if !missing.is_empty() {
        let root = output(&mut program("id", &["-u"])).as_deref() == Some("0");
        let debian =
            fs::read_to_string("/etc/os-release").unwrap_or_default().contains("VERSION_CODENAME=bookworm");
        if !root || !debian {
            let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
            bail!("please install: {}. As root on Debian 12 this command does it", names.join("; "));
        }
        install(&missing)?;
    }
    rust_parts()?;
    println!("all that the tests need is here");
    Ok(())
}

fn fuse() -> bool {
    Path::new("/dev/fuse").exists() && works("fusermount3", &["--version"])
}

fn docker() -> bool {
    let compose = output(&mut program("docker", &["compose", "version", "--short"])).unwrap_or_default();
    // Compose builds with BuildKit's 0.17 or later; the package of Debian 13 is older.
    let buildx = output(&mut program("docker", &["buildx", "version"])).unwrap_or_default();
    let minor =
        buildx.split_whitespace().nth(1).and_then(|version| version.split('.').nth(1)?.parse::<u32>().ok());
    compose.starts_with(COMPOSE) && minor.is_some_and(|minor| minor >= 17) && works("dockerd", &["--version"])
}

fn install(missing: &[&Need]) -> Result<()> {
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    println!("installing {}", packages.join(" "));
    if packages.iter().any(|package| package.contains('/')) {
        add_later_releases()?;
    }
    let apt = |arguments: &[&str]| {
        let mut command = program("apt-get", arguments);
        run_command(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-qq", "-y", "--no-install-recommends"], packages.as_slice()].concat())?;
    for need in missing {
        if !(need.there)() {
            bail!("{} is installed but does not work; see the output above", need.name);
        }
    }
    Ok(())
}

/// Debian's own next releases from the mirror that this machine uses, never preferred by themselves.
fn add_later_releases() -> Result<()> {
    let mirror = mirror().context("no Debian mirror in /etc/apt; add trixie and sid as sources yourself")?;
    let sources = format!(
        "Types: deb\nURIs: {mirror}\nSuites: trixie sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    );
    let pins = "Package: *\nPin: release n=trixie\nPin-Priority: 90\n\nPackage: *\nPin: release n=sid\nPin-Priority: 80\n";
    fs::write("/etc/apt/sources.list.d/cosec.sources", sources).context("cannot add apt sources")?;
    fs::write("/etc/apt/preferences.d/cosec", pins).context("cannot add apt preferences")
}

fn mirror() -> Option<String> {
    let directory = fs::read_dir("/etc/apt/sources.list.d").ok()?;
    let mut files: Vec<_> = directory.flatten().map(|entry| entry.path()).collect();
    files.push("/etc/apt/sources.list".into());
    files.sort();
    let texts: Vec<String> = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let stanzas = texts.iter().flat_map(|text| text.split("\n\n")).filter(|stanza| {
        stanza.lines().any(|line| {
            line.starts_with("Suites:") && line.split_whitespace().any(|suite| suite == "bookworm")
        })
    });
    let from_stanza = stanzas.flat_map(str::lines).find_map(|line| line.strip_prefix("URIs:"));
    let from_line = || {
        texts.iter().flat_map(|text| text.lines()).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with('[')).collect();
            (words.first() == Some(&"deb") && words.get(2) == Some(&"bookworm")).then(|| words[1])
        })
    };
    let uris = from_stanza.or_else(from_line)?;
    uris.split_whitespace().next().map(str::to_owned)
}

fn rust_parts() -> Result<()> {
    if works("rustup", &["--version"]) {
        let targets = output(&mut program("rustup", &["target", "list", "--installed"])).unwrap_or_default();
        if !targets.contains("wasm32-unknown-unknown") {
            run_command(&mut program("rustup", &["target", "add", "wasm32-unknown-unknown"]))?;
        }
        let components =
            output(&mut program("rustup", &["component", "list", "--installed"])).unwrap_or_default();
        for component in ["clippy", "rustfmt"].into_iter().filter(|component| !components.contains(component))
        {
            run_command(&mut program("rustup", &["component", "add", component]))?;
        }
    }
    if !works("cargo", &["deny", "--version"]) {
        println!("building cargo-deny, which takes some minutes");
        run_command(&mut cargo(&["install", "--quiet", "--locked", "cargo-deny", "--version", CARGO_DENY]))?;
    }
    Ok(())
}
