//! `cargo xtask demo`: the main job, on a WordPress + MySQL project, on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, output, program, root, run as run_command, works};

pub(crate) fn run() -> Result<()> {
    if !Path::new("/dev/fuse").exists() {
        bail!("the demo needs /dev/fuse: `modprobe fuse`, or give the container --device /dev/fuse");
    }
    if !works("git", &["--version"]) {
        bail!("the demo needs git: install the package git");
    }
    say("Building cosec");
    run_command(&mut cargo(&["build", "--quiet", "--package", "cosec"]))?;
    let demo = Demo::new()?;
    demo.lint()?;
    demo.local()?;
    demo.container()?;
    println!("\nThat was it. The project is in {}; README.md says how to go on.", demo.directory.display());
    Ok(())
}

/// A copy of the example, a git repository of its own, with secrets made for it.
struct Demo {
    directory: PathBuf,
    cosec: PathBuf,
}

impl Demo {
    fn new() -> Result<Self> {
        let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))
            .context("cargo metadata failed")?;
        let target = metadata.split("\"target_directory\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let target = PathBuf::from(target.context("cargo names no target directory")?);
        let directory = target.join("demo/wordpress");
        if directory.exists() {
            fs::remove_dir_all(&directory).context("cannot clear the last demo away")?;
        }
        fs::create_dir_all(directory.join("secrets"))?;
        let example = root().join("examples/wordpress");
        for name in ["compose.yaml", "compose.unsafe.yaml", ".gitignore"] {
            fs::copy(example.join(name), directory.join(name))
                .with_context(|| format!("cannot copy {name}"))?;
        }
        let demo = Demo { directory, cosec: target.join("debug/cosec") };
        run_command(demo.command("git").args(["init", "--quiet", "."]))?;
        for name in ["db_password", "db_root_password"] {
            write_secret(&demo.directory.join("secrets").join(name), 24)?;
        }
        Ok(demo)
    }

    fn command(&self, name: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.directory).stdin(Stdio::null());
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            command.env("XDG_RUNTIME_DIR", self.directory.with_file_name("runtime"));
        }
        command.env("XDG_STATE_HOME", self.directory.with_file_name("state"));
        command
    }

    /// Says a command as the user would type it, and makes it.
    fn cosec(&self, arguments: &[&str]) -> Command {
        println!("\n$ cosec {}", arguments.join(" "));
        let mut command = self.command(&self.cosec);
        command.args(arguments);
        command
    }

    fn lint(&self) -> Result<()> {
        say("The file that many projects have");
        let status = self.cosec(&["lint", "compose.unsafe.yaml"]).status()?;
        if status.code() != Some(1) {
            bail!("lint should have found something");
        }
        say("The same project with secrets");
        run_command(&mut self.cosec(&["lint", "compose.yaml"]))?;
        run_command(&mut self.cosec(&["plan"]))
    }

    /// A process reads its secrets, one is rotated under it, the audit trail tells.
    fn local(&self) -> Result<()> {
        fs::create_dir_all(self.directory.with_file_name("runtime"))?;
        say("A local process with the secrets of service db: nobody else sees them");
        let script = "stat -c '%A %U %s bytes  %n' /run/secrets/*; \
                      while [ $(wc -c < /run/secrets/db_password) = 24 ]; do sleep 0.05; done; \
                      echo \"rotated: db_password has now $(wc -c < /run/secrets/db_password) bytes\"";
        let mut child = self
            .cosec(&["run", "--service", "db", "--", "sh", "-c", script])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        for _ in 0..2 {
            println!("{}", lines.next().context("the process could not read its secrets")??);
        }
        println!("\n$ mv new_password secrets/db_password");
        write_secret(&self.directory.join("new_password"), 40)?;
        fs::rename(self.directory.join("new_password"), self.directory.join("secrets/db_password"))?;
        for line in lines {
            println!("{}", line?);
        }
        if !child.wait()?.success() {
            bail!("the process failed");
        }
        say("Every open is written down");
        println!("\n$ cosec audit | tail -n 3");
        let audit = output(self.command(&self.cosec).arg("audit")).context("cosec audit failed")?;
        let lines: Vec<&str> = audit.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(3)).for_each(|line| println!("{line}"));
        Ok(())
    }

    /// The same in a container, where there is an engine and an image to be had.
    fn container(&self) -> Result<()> {
        say("The same in a container");
        if !works("docker", &["version", "--format", "{{.Server.Version}}"]) {
            println!("No Docker engine answers here, so this part is left out. With one, it is `cosec up`.");
            return Ok(());
        }
        if !works("docker", &["compose", "version"]) || !image()? {
            println!("Docker has no Compose plugin or no busybox image here, so this part is left out.");
            return Ok(());
        }
        let file = self.directory.join("compose.container.yaml");
        let text = "services:\n  db:\n    image: busybox\n    user: \"999:999\"\n    network_mode: none\n    stop_grace_period: 0s\n    command: [sleep, \"600\"]\n    secrets: [db_password]\n  other:\n    image: busybox\n    network_mode: none\n    stop_grace_period: 0s\n    command: [sleep, \"600\"]\nsecrets:\n  db_password:\n    file: ./secrets/db_password\n";
        fs::write(file, text)?;
        let project = ["-f", "compose.container.yaml", "-p", "cosec-demo"];
        let up = run_command(&mut self.cosec(&[&project[..], &["up", "-d", "--quiet-pull"]].concat()));
        let shown = up.and_then(|()| self.look_into_containers());
        let down = run_command(&mut self.cosec(&[&project[..], &["down"]].concat()));
        shown.and(down)
    }

    fn look_into_containers(&self) -> Result<()> {
        for (service, user, script) in [
            (
                "db",
                "999",
                "stat -c '%A %u:%g %s bytes  %n' /run/secrets/db_password && wc -c < /run/secrets/db_password",
            ),
            ("db", "1000", "cat /run/secrets/db_password"),
            ("other", "0", "ls /run/secrets"),
        ] {
            println!("\n$ docker compose exec --user {user} {service} sh -c \"{script}\"");
            let arguments =
                ["compose", "-p", "cosec-demo", "exec", "-T", "--user", user, service, "sh", "-c", script];
            let status = self.command("docker").args(arguments).status()?;
            if status.success() != (user == "999") {
                bail!("the container saw what it should not, or did not see what it should");
            }
        }
        Ok(())
    }
}

/// Makes sure that there is a busybox image: the engine's, this machine's static busybox, or a pulled one.
fn image() -> Result<bool> {
    if works("docker", &["image", "inspect", "busybox"]) {
        return Ok(true);
    }
    let linked = output(&mut program("ldd", &["/bin/busybox"])).is_some();
    if !Path::new("/bin/busybox").exists() || linked {
        return Ok(works("docker", &["pull", "--quiet", "busybox"]));
    }
    let script = "set -e; d=$(mktemp -d); mkdir \"$d/bin\"; cp /bin/busybox \"$d/bin/\"; \
                  for a in sh cat ls stat sleep wc; do ln -s busybox \"$d/bin/$a\"; done; \
                  tar -C \"$d\" -c . | docker import - busybox >/dev/null; rm -r \"$d\"";
    run_command(&mut program("sh", &["-c", script])).map(|()| true)
}

/// A random value in a file that only we can read.
fn write_secret(path: &Path, length: usize) -> Result<()> {
    let mut bytes = vec![0; length];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let letters: Vec<u8> = bytes.iter().map(|byte| b'a' + byte % 26).collect();
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, &letters).with_context(|| format!("cannot write {}", path.display()))
}

fn say(text: &str) {
    println!("\n━━ {text}");
}
