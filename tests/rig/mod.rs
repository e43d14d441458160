//! What the end-to-end tests stand on: projects in git repositories of their own, the real program, a real
//! Docker engine, and a search for canaries in every place where a value could end up.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// A project directory that is a git repository, with runtime and state directories of its own.
pub struct Project {
    root: tempfile::TempDir,
    pub docker_host: Option<String>,
    /// Compose's name for it; empty where the file or the directory is to decide.
    pub name: String,
}

/// What a command printed and how it ended.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Ran {
    pub fn of(output: &Output) -> Ran {
        Ran {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    #[track_caller]
    pub fn succeeds(self) -> Ran {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Ends with `code`, and standard error says each of `words`.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in:\n{}", self.stderr);
        }
        self
    }
}

impl Project {
    /// A project in a git repository in which git ignores /secrets/.
    pub fn new() -> Project {
        let project = Project::without_git();
        project.git(&["init", "--quiet", "."]);
        project.write(".gitignore", "/secrets/\n");
        project
    }

    pub fn without_git() -> Project {
        let root = tempfile::Builder::new().prefix("cosec-test-").tempdir().unwrap();
        for directory in ["project/secrets", "runtime", "state"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        Project { root, docker_host: None, name: String::new() }
    }

    pub fn directory(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub fn runtime(&self) -> PathBuf {
        self.root.path().join("runtime")
    }

    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_edit = path.exists();
        fs::write(path, text).unwrap();
        if is_edit {
            // A server takes what is written in place once it is at rest.
            std::thread::sleep(Duration::from_millis(80));
        }
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// All files with their bytes, git's own left out.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let git = self.path(".git");
        let files = files_below(&self.directory()).into_iter().filter(|path| !path.starts_with(&git));
        files
            .map(|path| (path.strip_prefix(self.directory()).unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect()
    }

    /// Makes a file its owner's alone.
    pub fn private(&self, name: &str) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Replaces a file as careful programs do: a new one, renamed over the old.
    pub fn replace(&self, name: &str, text: &str) {
        self.write(&format!("{name}.new"), text);
        fs::rename(self.path(&format!("{name}.new")), self.path(name)).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"])
            .args(arguments)
            .current_dir(self.directory())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The program, in the project's directory, with nothing of the test's own environment that matters.
    pub fn command(&self, arguments: &[&str]) -> Command {
        // A bench brings an optimised one.
        let program = std::env::var_os("COSEC_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_cosec").into());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.directory())
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("XDG_STATE_HOME", self.state())
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROJECT_NAME")
            .stdin(Stdio::null());
        match &self.docker_host {
            Some(host) => command.env("DOCKER_HOST", host),
            None => command.env("DOCKER_HOST", "unix:///nowhere/docker.sock"),
        };
        if !self.name.is_empty() {
            command.env("COMPOSE_PROJECT_NAME", &self.name);
        }
        command
    }

    pub fn cosec(&self, arguments: &[&str]) -> Ran {
        finish(&mut self.command(arguments))
    }

    /// Docker itself, on the project.
    pub fn docker(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("docker");
        command.args(arguments).current_dir(self.directory()).stdin(Stdio::null());
        if let Some(host) = &self.docker_host {
            command.env("DOCKER_HOST", host);
        }
        if !self.name.is_empty() {
            command.env("COMPOSE_PROJECT_NAME", &self.name);
        }
        finish(&mut command)
    }

    /// The audit trail's lines of all of the project's runs.
    pub fn audit(&self) -> String {
        let mut text = String::new();
        for file in files_below(&self.state()) {
            text.push_str(&fs::read_to_string(file).unwrap_or_default());
        }
        text
    }

    /// Nothing mounted, nothing in the runtime directory, no server.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let root = self.root.path().display().to_string();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(&root), "still mounted");
        let left: Vec<PathBuf> = files_below(&self.runtime());
        assert!(left.is_empty(), "left behind: {left:?}");
        assert!(fs::read_dir(self.runtime()).unwrap().next().is_none(), "a directory is left behind");
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A failed test must not leave a mount behind, or the directory could not be removed.
        let runtime = self.root.path().display().to_string();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for point in table
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .filter(|point| point.starts_with(&runtime))
        {
            let _ = Command::new("umount").args(["-l", point]).status();
        }
    }
}

/// Runs a command to its end, which must come within a minute.
pub fn finish(command: &mut Command) -> Ran {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        let _ = sender.send(());
        output
    });
    if receiver.recv_timeout(Duration::from_secs(60)).is_err() {
        let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        panic!("{command:?} does not end");
    }
    Ran::of(&waiter.join().unwrap())
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A value that stands nowhere else.
pub fn canary() -> String {
    let mut bytes = [0; 12];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
    bytes.iter().fold("canary-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// All files below a directory, links and special files left out.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    let mut seen = HashSet::new();
    while let Some(directory) = open.pop() {
        if !seen.insert(directory.clone()) {
            continue;
        }
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() || kind.is_socket() {
                found.push(entry.path());
            }
        }
    }
    found
}

/// The canary as it may be written down: as it is, and the middle of what base64 makes of it at each of the
/// three places where it may begin.
pub fn forms(canary: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![canary.as_bytes().to_vec()];
    for before in 0..3 {
        let text = [vec![0; before], canary.as_bytes().to_vec()].concat();
        let encoded = base64(&text);
        // What the neighbours have a part in is left out.
        let whole = encoded.len() / 4 * 4;
        forms.push(encoded[if before == 0 { 0 } else { 4 }..whole - 4].to_vec());
    }
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for part in bytes.chunks(3) {
        let number = part.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - part.len()));
        text.extend(
            (0..4).map(
                |at| if at > part.len() { b'=' } else { LETTERS[(number >> (18 - 6 * at) & 63) as usize] },
            ),
        );
    }
    text
}

/// Whether some bytes hold the canary in one of its forms.
pub fn holds(bytes: &[u8], canary: &str) -> bool {
    forms(canary).iter().any(|form| {
        // A quick look for the first byte, then for all of them.
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == form[0]) {
            if rest[at..].starts_with(form) {
                return true;
            }
            rest = &rest[at + 1..];
        }
        false
    })
}

/// No file below `directory` holds `canary`, but for those below `except`.
#[track_caller]
pub fn assert_absent_below(directory: &Path, except: &[&Path], canary: &str) {
    for file in files_below(directory) {
        if except.iter().any(|except| file.starts_with(except)) {
            continue;
        }
        let bytes = fs::read(&file).unwrap_or_default();
        assert!(!holds(&bytes, canary), "the canary is in {}", file.display());
    }
}

/// Files of this machine's own file systems, memory ones among them, that have changed since a moment.
pub fn changed_since(moment: SystemTime) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    const OF_THIS_MACHINE: [&str; 7] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "overlay", "tmpfs"];
    let moment = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut devices = HashSet::new();
    let mut found = Vec::new();
    for line in table.lines() {
        let point = Path::new(line.split(' ').nth(4).unwrap());
        let kind = line.split(" - ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let Ok(root) = fs::symlink_metadata(point) else { continue };
        if !OF_THIS_MACHINE.contains(&kind) || !devices.insert(root.dev()) {
            continue;
        }
        let mut open = vec![point.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let Ok(facts) = entry.metadata() else { continue };
                if facts.dev() != root.dev() {
                    continue;
                }
                if facts.is_dir() {
                    open.push(entry.path());
                } else if facts.is_file() && facts.mtime().max(facts.ctime()) >= moment {
                    found.push(entry.path());
                }
            }
        }
    }
    found
}

/// No process whose command line has one of `names` shows `canary` in its arguments or environment.
#[track_caller]
pub fn assert_absent_in_processes(names: &[&str], canary: &str) -> usize {
    let mut looked_at = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
        let arguments = read("cmdline");
        let text = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if !names.iter().any(|name| text.contains(name)) {
            continue;
        }
        looked_at += 1;
        for file in ["cmdline", "environ"] {
            assert!(!holds(&read(file), canary), "the canary is in {file} of {text}");
        }
    }
    looked_at
}

/// Whether a process holds the canary in its readable memory. Root can look even where dumps are off.
pub fn in_memory(pid: u32, canary: &str) -> bool {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    maps.lines().any(|line| {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with('r') || line.ends_with("[vvar]") {
            return false;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; (to - from) as usize];
        let Ok(count) = memory.read_at(&mut bytes, from) else { return false };
        holds(&bytes[..count], canary)
    })
}

/// Pids of processes started with exactly these words.
pub fn processes(words: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).replace('\0', " ").trim() == words {
            found.push(pid);
        }
    }
    found
}

/// The processes of a kind (`__supervisor`, `__worker`) that serve a project: their log is in its runtime
/// directory. The first is the oldest.
pub fn servers(project: &Project, kind: &str) -> Vec<u32> {
    let mut found = processes(&format!("cosec {kind}"));
    let runtime = project.runtime();
    found.retain(|pid| {
        fs::read_link(format!("/proc/{pid}/fd/2")).unwrap_or_default().starts_with(&runtime) && is_alive(*pid)
    });
    found.sort_by_key(|pid| started(*pid));
    found
}

fn started(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok()).unwrap_or(0)
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Sends a signal. What is killed is dead afterwards: one that is still on its way out would be counted among
/// those that live.
pub fn signal(pids: &[u32], name: &str) {
    let words = pids.iter().map(u32::to_string);
    let _ = Command::new("kill").arg(format!("-{name}")).args(words).stderr(Stdio::null()).status();
    if name == "KILL" {
        until("what was killed is dead", || !pids.iter().any(|pid| is_alive(*pid)));
    }
}

/// The command in a session of its own, as a terminal starts it: its process id is the session's and the group's.
pub fn in_its_own_session(command: &Command) -> Command {
    let mut apart = Command::new("setsid");
    // Whoever runs the tests in the background has had them ignore what a terminal sends.
    apart.args(["env", "--default-signal"]).arg(command.get_program()).args(command.get_args());
    apart.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => apart.env(name, value),
            None => apart.env_remove(name),
        };
    }
    apart.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    apart
}

/// Sends a signal to all of a group, as a terminal does.
pub fn signal_group(group: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), "--", &format!("-{group}")]).status();
}

/// How a process ended, which must be soon.
#[track_caller]
pub fn ending(child: &mut Child) -> std::process::ExitStatus {
    let mut ended = None;
    until("it has ended", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    ended.unwrap()
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// A test that wants a Docker engine.
pub type EngineTest = fn(&Engine);

/// Runs all tests with one engine and ends the process. Without an engine they are left out, except in CI.
pub fn run_with_engine(tests: &[(&'static str, EngineTest)]) -> ! {
    use libtest_mimic::{Arguments, Failed, Trial, run};
    let arguments = Arguments::from_args();
    let not_run = |is_ignored| {
        let trial = |name: &&'static str| Trial::test(*name, || Ok(())).with_ignored_flag(is_ignored);
        run(&arguments, tests.iter().map(|(name, _)| name).map(trial).collect()).exit()
    };
    if arguments.list {
        not_run(false);
    }
    let engine = match Engine::start() {
        Ok(engine) => std::sync::Arc::new(engine),
        Err(reason) => {
            eprintln!("not run: {reason}");
            if std::env::var_os("CI").is_some() {
                std::process::exit(101);
            }
            not_run(true)
        }
    };
    let trials = tests.iter().map(|(name, test)| {
        let (engine, test) = (std::sync::Arc::clone(&engine), *test);
        Trial::test(*name, move || {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&engine)))
                .map_err(|_| Failed::without_message())
        })
    });
    let conclusion = run(&arguments, trials.collect());
    drop(engine);
    conclusion.exit();
}

/// A dockerd of our own, ended by process id.
pub struct Engine {
    child: Child,
    pub directory: tempfile::TempDir,
}

impl Engine {
    /// Starts it and makes the images; the reason if it cannot be.
    pub fn start() -> Result<Engine, String> {
        if !fs::exists("/usr/sbin/dockerd").unwrap_or(false)
            && !fs::exists("/usr/bin/dockerd").unwrap_or(false)
        {
            return Err("there is no dockerd here; run `cargo xtask setup` as root".to_owned());
        }
        let directory = tempfile::Builder::new().prefix("cosec-engine-").tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let log = fs::File::create(at("log")).unwrap();
        // It ends with this process, however that ends; and its bridge stays in a network of its own.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "unshare", "--net", "sh", "-c"])
            .arg("ip link set lo up 2>/dev/null; exec dockerd \"$@\"")
            .arg("dockerd")
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("--host")
            .arg(format!("unix://{}", at("docker.sock").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("dockerd does not start: {error}"))?;
        let engine = Engine { child, directory };
        let start = Instant::now();
        while !engine.docker(&["version"]).status.success() {
            if start.elapsed() > Duration::from_secs(60) {
                let log = fs::read_to_string(engine.directory.path().join("log")).unwrap_or_default();
                return Err(format!(
                    "dockerd does not answer; its last words: {}",
                    log.lines().last().unwrap_or("")
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        engine.make_images();
        Ok(engine)
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.directory.path().join("docker.sock").display())
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn docker(&self, arguments: &[&str]) -> Output {
        Command::new("docker").args(arguments).env("DOCKER_HOST", self.host()).output().unwrap()
    }

    /// `cosec-test` runs as root, `cosec-test:app` as user app (1000:1000): busybox and some users.
    fn make_images(&self) {
        let root = self.directory.path().join("image");
        for directory in ["bin", "etc", "tmp"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy("/bin/busybox", root.join("bin/busybox"))
            .expect("busybox-static is installed by xtask setup");
        for applet in
            ["sh", "cat", "ls", "id", "stat", "sleep", "echo", "touch", "test", "wc", "kill", "env", "cmp"]
        {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let users = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\nother:x:1001:1001::/:/bin/sh\nmongodb:x:999:998::/:/bin/sh\n";
        fs::write(root.join("etc/passwd"), users).unwrap();
        let archive = self.directory.path().join("image.tar");
        let packed =
            Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status().unwrap();
        assert!(packed.success());
        self.import(&archive, &[], "cosec-test");
        self.import(&archive, &["USER app"], "cosec-test:app");
    }

    #[track_caller]
    fn import(&self, archive: &Path, changes: &[&str], name: &str) {
        let archive = archive.display().to_string();
        let mut arguments = vec!["import"];
        arguments.extend(changes.iter().flat_map(|change| ["--change", change]));
        arguments.extend([archive.as_str(), name]);
        let output = self.docker(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// `postgres:15`: Debian's server with what matters of the official entrypoint. The file system is made once
    /// for each recipe and kept below `target`.
    pub fn make_postgres(&self) {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hash = DefaultHasher::new();
        [include_str!("../postgres/image.sh"), include_str!("../postgres/entrypoint.sh")].hash(&mut hash);
        let archive =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{:016x}.tar", hash.finish()));
        if !archive.exists() {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/postgres/image.sh");
            let start = Instant::now();
            let made = Command::new("sh").arg(script).arg(&archive).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            eprintln!("made the file system of postgres:15 in {:.0?}", start.elapsed());
        }
        let changes = [
            r#"ENTRYPOINT ["docker-entrypoint.sh"]"#,
            r#"CMD ["postgres"]"#,
            "ENV PATH=/usr/sbin:/usr/bin",
            "VOLUME /var/lib/postgresql/data",
            "STOPSIGNAL SIGINT",
        ];
        self.import(&archive, &changes, "postgres:15");
    }

    /// Gives an image another name.
    pub fn tag(&self, name: &str, other: &str) {
        assert!(self.docker(&["tag", name, other]).status.success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SIGTERM lets dockerd end its containerd and unmount.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let start = Instant::now();
        while self.child.try_wait().ok().flatten().is_none() {
            if start.elapsed() > Duration::from_secs(20) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(80));
        }
    }
}
