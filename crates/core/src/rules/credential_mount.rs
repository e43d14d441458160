use super::rule::rule;
use super::{Confidence, Context, Finding, Findings};

rule! {
    /// # credential-mount
    ///
    /// A service mounts this machine's credentials, or what reads all of them: `~/.aws`, `~/.ssh`, a private key, the
    /// engine's socket, `/`.
    ///
    /// ## Why is this bad
    ///
    /// The container gets all of a user's accounts where it needs one. With the engine's socket or the root
    /// directory it can read every secret of every project on this machine.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   deploy:
    ///     image: deploy
    ///     volumes: ["~/.aws:/root/.aws:ro"]
    /// ```
    ///
    /// Use instead an account made for the service, as a secret:
    ///
    /// ```yaml good
    /// services:
    ///   deploy:
    ///     image: deploy
    ///     environment:
    ///       AWS_SHARED_CREDENTIALS_FILE: /run/secrets/aws
    ///     secrets: [aws]
    /// secrets:
    ///   aws:
    ///     file: ./secrets/aws # .gitignore
    /// ```
    CREDENTIAL_MOUNT = "credential-mount", "a service mounts credentials of this machine", Warning, Pedantic, needs Text, Project check
}

/// Directories and files in a home directory.
const IN_HOME: &[&str] = &[
    ".aws",
    ".azure",
    ".config/gcloud",
    ".docker",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
    ".git-credentials",
    ".password-store",
    ".config/gh",
    ".terraform.d",
];

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for volume in &service.volumes {
            let Some(source) = &volume.source else { continue };
            let Some(what) = credentials(&source.value) else { continue };
            let path = format!("services.{}.volumes", service.name);
            let message = format!("the service `{}` mounts {what}", service.name);
            findings.push(
                Finding::new(&CREDENTIAL_MOUNT, volume.span, path, message)
                    .confidence(Confidence::Medium)
                    .label("credentials of this machine")
                    .help("make an account for the service, and grant its key as a secret")
                    .show(volume.span),
            );
        }
    }
}

fn credentials(source: &str) -> Option<&'static str> {
    let path = source.trim_end_matches('/');
    if source == "/" {
        return Some("the whole disk, with every secret on it");
    }
    if path.ends_with("docker.sock") || path.ends_with("containerd.sock") || path.ends_with("podman.sock") {
        return Some("the engine's socket, by which it can read every secret");
    }
    let looks_like_path = path.starts_with(['/', '.', '~', '$']);
    let in_home = |name: &&&str| path.ends_with(&format!("/{name}")) || path.contains(&format!("/{name}/"));
    if looks_like_path && IN_HOME.iter().find(in_home).is_some() {
        return Some("a user's own credentials");
    }
    let name = crate::files::file_name(path).to_ascii_lowercase();
    let is_key = ["id_rsa", "id_ed25519", "id_ecdsa"].contains(&name.as_str())
        || (name.ends_with(".pem") && name.contains("key"))
        || name.ends_with(".key")
        || name.ends_with(".p12")
        || name.ends_with(".pfx");
    (looks_like_path && is_key).then_some("a private key")
}
