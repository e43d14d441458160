//! `cosec up` with a real Docker engine: what a service sees, what nobody else sees, what is left behind.
//!
//! A harness of its own, so that one engine serves all tests and is ended after the last.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use rig::{Engine, Project, assert_absent_below, assert_absent_in_processes, canary, servers, signal, until};

type Test = fn(&Engine);

const TESTS: &[(&str, Test)] = &[
    ("a_service_reads_its_secret_as_its_own_user_and_no_other_user_does", own_user_only),
    ("declared_owner_mode_and_target_are_what_the_container_sees", declared_options),
    ("swarm_compat_gives_root_and_0444", swarm_compat),
    ("a_service_without_the_grant_sees_nothing", no_grant),
    ("a_rotated_secret_is_seen_without_a_restart", rotation),
    ("a_killed_worker_costs_no_container_its_secret", killed_worker),
    ("a_stopped_worker_costs_no_container_its_secret", stopped_worker),
    ("a_killed_supervisor_or_standby_costs_no_container_its_secret", killed_supervisor),
    ("only_the_services_own_containers_read_not_even_root_of_the_host", scope),
    ("after_a_total_loss_up_brings_the_secrets_back", total_loss),
    ("a_mount_point_in_use_is_named_and_left_alone", busy_mount_point),
    ("up_again_keeps_the_containers_and_takes_new_grants", up_again),
    ("a_named_user_and_an_image_user_own_their_files", users),
    ("the_value_is_in_no_place_but_the_file_and_the_container", canary_search),
    ("an_attached_up_ends_clean_when_it_is_interrupted", interrupted),
    ("a_failed_up_leaves_nothing_mounted", failed_up),
    ("a_killed_up_leaves_nothing_mounted", killed_up),
    ("a_file_that_git_would_commit_is_not_served", unignored),
    ("an_env_secret_never_reaches_the_container_layer", env_secret),
    ("read_only_and_tmpfs_services_get_their_secrets", read_only),
];

fn main() {
    let arguments = Arguments::from_args();
    if arguments.list {
        libtest_mimic::run(&arguments, TESTS.iter().map(|(name, _)| Trial::test(*name, || Ok(()))).collect())
            .exit();
    }
    let engine = match Engine::start() {
        Ok(engine) => Arc::new(engine),
        Err(reason) if std::env::var_os("CI").is_none() => {
            eprintln!("not run: {reason}");
            let ignored =
                TESTS.iter().map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(true)).collect();
            libtest_mimic::run(&arguments, ignored).exit();
        }
        Err(reason) => {
            eprintln!("{reason}");
            std::process::exit(101);
        }
    };
    let trials = TESTS.iter().map(|(name, test)| {
        let engine = Arc::clone(&engine);
        Trial::test(*name, move || {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&engine)))
                .map_err(|_| Failed::without_message())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(engine);
    conclusion.exit();
}

/// Each project has a name of its own: the tests share the engine.
static NUMBER: AtomicU32 = AtomicU32::new(1);

const WAIT: &str = r#"["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"]"#;

/// A project of one service `app` with the given lines, and the secret `pw` of the given value.
fn project(engine: &Engine, service: &str, value: &str) -> Project {
    let mut project = Project::new();
    project.docker_host = Some(engine.host());
    project.name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    project.write("secrets/pw", value);
    project.write("compose.yaml", compose(service));
    project
}

fn compose(service: &str) -> String {
    let service = service.trim_end().replace('\n', "\n    ");
    format!(
        "services:\n  app:\n    image: cosec-test:app\n    command: {WAIT}\n    stop_grace_period: 1s\n    network_mode: none\n    {service}\nsecrets:\n  pw:\n    file: ./secrets/pw\n"
    )
}

fn up(project: &Project) {
    project.cosec(&["up", "-d"]).succeeds();
}

fn down(project: &Project) {
    project.cosec(&["down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

fn exec(project: &Project, user: Option<&str>, command: &str) -> rig::Ran {
    let mut arguments = vec!["compose", "exec", "-T"];
    if let Some(user) = user {
        arguments.extend(["-u", user]);
    }
    arguments.extend(["app", "sh", "-c", command]);
    project.docker(&arguments)
}

fn own_user_only(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value-1");
    up(&project);
    let seen = exec(&project, None, "stat -c '%a %u:%g %s' /run/secrets/pw; cat /run/secrets/pw").succeeds();
    assert_eq!(seen.stdout, "400 1000:1000 7\nvalue-1");
    let refused = exec(&project, Some("1001"), "cat /run/secrets/pw");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("Permission denied"), "{}", refused.stderr);
    let written = exec(&project, Some("0"), "echo x > /run/secrets/pw");
    assert!(written.stderr.contains("Read-only file system"), "{}", written.stderr);
    let audit = project.audit();
    let denied =
        audit.lines().find(|line| line.contains("\"outcome\":\"denied\"")).expect("denials are written down");
    assert!(denied.contains("\"uid\":1001") && denied.contains("\"secret\":\"pw\""), "{denied}");
    let container = project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    assert!(denied.contains(container.trim()), "the container is named: {denied}");
    down(&project);
}

fn declared_options(engine: &Engine) {
    let grants = "secrets:\n  - {source: pw, target: sub/name, uid: \"1001\", gid: \"50\", mode: 0440}\n  - {source: pw, target: /etc/app/key}";
    let project = project(engine, grants, "value");
    up(&project);
    let seen =
        exec(&project, None, "stat -c '%a %u:%g' /run/secrets/sub/name /etc/app/key; cat /etc/app/key")
            .succeeds();
    assert_eq!(seen.stdout, "440 1001:50\n400 1000:1000\nvalue");
    exec(&project, Some("1001"), "cat /run/secrets/sub/name").succeeds();
    let plan = project.cosec(&["plan"]).succeeds().stdout;
    assert!(plan.contains("/run/secrets/sub/name  1001:50") && plan.contains("0440"), "{plan}");
    down(&project);
}

fn swarm_compat(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    project.cosec(&["up", "--compat", "swarm", "-d"]).succeeds();
    let seen =
        exec(&project, Some("1001"), "stat -c '%a %u:%g' /run/secrets/pw; cat /run/secrets/pw").succeeds();
    assert_eq!(seen.stdout, "444 0:0\nvalue");
    down(&project);
}

fn no_grant(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let text = compose("secrets: [pw]").replace(
        "secrets:\n  pw:\n",
        &format!("  bare:\n    image: cosec-test\n    network_mode: none\n    stop_grace_period: 0s\n    command: {WAIT}\nsecrets:\n  pw:\n"),
    );
    project.write("compose.yaml", text);
    up(&project);
    let seen = project
        .docker(&["compose", "exec", "-T", "bare", "sh", "-c", "ls -a /run/secrets 2>&1; true"])
        .succeeds();
    assert!(seen.stdout.contains("No such file"), "{}", seen.stdout);
    down(&project);
}

fn rotation(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "first");
    up(&project);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "first");
    project.replace("secrets/pw", "second, longer");
    let seen = exec(&project, None, "cat /run/secrets/pw; stat -c ' %s' /run/secrets/pw").succeeds();
    assert_eq!(seen.stdout, "second, longer 14\n");
    project.write("secrets/pw", "third");
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "third");
    // Through a bind mount nobody asks for the size: shorter, longer, and at the edge of a page.
    for length in [12, 1, 4097, 4096, 2, 300_000, 8193] {
        let value = "x".repeat(length - 1) + "y";
        project.replace("secrets/pw", &value);
        assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, value, "{length} bytes");
    }
    down(&project);
}

/// A reader in the service that goes on until a read fails or gives something else than `value`.
fn reader(project: &Project, value: &str) {
    let script = format!(
        "n=0; while [ \"$(cat /run/secrets/pw)\" = '{value}' ]; do n=$((n+1)); echo $n > /tmp/reads; done; touch /tmp/failed"
    );
    project.docker(&["compose", "exec", "-d", "app", "sh", "-c", &script]).succeeds();
}

#[track_caller]
fn reader_is_well(project: &Project) {
    let reads: u32 = exec(project, None, "cat /tmp/reads").succeeds().stdout.trim().parse().unwrap_or(0);
    assert!(reads > 10, "{reads} reads");
    exec(project, None, "test ! -e /tmp/failed").succeeds();
}

fn killed_worker(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    let before = servers(&project, "__worker");
    assert_eq!(before.len(), 1);
    reader(&project, "value");
    for _ in 0..5 {
        servers(&project, "__worker").into_iter().for_each(|pid| signal(pid, "KILL"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    until("another worker serves", || {
        let now = servers(&project, "__worker");
        !now.is_empty() && now != before
    });
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    reader_is_well(&project);
    down(&project);
}

fn stopped_worker(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    reader(&project, "value");
    let stopped = servers(&project, "__worker");
    signal(stopped[0], "STOP");
    until("it is replaced", || servers(&project, "__worker").iter().any(|pid| *pid != stopped[0]));
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    reader_is_well(&project);
    down(&project);
}

fn killed_supervisor(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    reader(&project, "value");
    for round in 0..6 {
        let supervisors = servers(&project, "__supervisor");
        assert_eq!(supervisors.len(), 2, "supervisor and standby");
        // The supervisor alone, the standby alone, then the supervisor with the worker.
        signal(supervisors[usize::from(round % 3 == 1)], "KILL");
        if round % 3 == 2 {
            servers(&project, "__worker").into_iter().for_each(|pid| signal(pid, "KILL"));
        }
        until("all three are there again", || {
            servers(&project, "__supervisor").len() == 2 && servers(&project, "__worker").len() == 1
        });
    }
    reader_is_well(&project);
    project.replace("secrets/pw", "other");
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "other");
    let id = || project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let before = id();
    up(&project);
    assert_eq!(id(), before, "it is the same mount: nothing is made anew");
    down(&project);
}

fn total_loss(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    let all = [servers(&project, "__supervisor"), servers(&project, "__worker")].concat();
    assert_eq!(all.len(), 3);
    // First stopped, so that none has the time to notice that another is gone.
    all.iter().for_each(|pid| signal(*pid, "STOP"));
    all.iter().for_each(|pid| signal(*pid, "KILL"));
    until("the mount is dead", || exec(&project, None, "cat /run/secrets/pw").code != 0);
    up(&project);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    down(&project);
}

/// Whoever is not in one of the service's own containers is refused, root or not, and written down.
fn scope(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    let mount = project.runtime().join("cosec").join(&project.name).join("mnt");
    let thief = format!(
        "  thief:\n    image: cosec-test\n    network_mode: none\n    stop_grace_period: 0s\n    command: {WAIT}\n    volumes: [\"{}:/stolen\"]\nsecrets:\n  pw:\n",
        mount.display()
    );
    up(&project);
    project.write("compose.yaml", text.replace("secrets:\n  pw:\n", &thief));
    up(&project);
    let file = mount.join("app/run/secrets/pw");
    let refused = std::fs::read(&file).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied, "root of the host");
    let stolen = project.docker(&["compose", "exec", "-T", "thief", "cat", "/stolen/app/run/secrets/pw"]);
    assert_eq!(stolen.code, 1);
    assert!(stolen.stderr.contains("Permission denied"), "root of another service: {}", stolen.stderr);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    let audit = project.audit();
    let line =
        |word: &str| audit.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{audit}"));
    assert!(line("outside the project's containers").contains("\"outcome\":\"denied\""));
    assert!(line("is not one of service `app`").contains("\"outcome\":\"denied\""));
    assert!(line("allowed").contains(&format!("\"container_name\":\"{}-app-1\"", project.name)));
    project.cosec(&["up", "--allow-host", "-d"]).succeeds();
    let read = std::fs::read(&file).unwrap_or_else(|error| panic!("{error}: {}", project.audit()));
    assert_eq!(read, b"value", "the policy lets the host in");
    down(&project);
}

fn busy_mount_point(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let point = project.runtime().join("cosec").join(&project.name).join("mnt");
    std::fs::create_dir_all(&point).unwrap();
    let shown = point.display().to_string();
    assert!(
        std::process::Command::new("mount").args(["-t", "tmpfs", "x", &shown]).status().unwrap().success()
    );
    project.cosec(&["up", "-d"]).fails(2, &["something is mounted at", "umount -l"]);
    assert!(std::process::Command::new("umount").arg(&shown).status().unwrap().success());
    up(&project);
    down(&project);
}

fn up_again(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    let id = || project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let before = id();
    up(&project);
    assert_eq!(id(), before, "nothing has changed, nothing is made anew");
    let text = compose("secrets: [pw, {source: pw, target: again}]");
    project.write("compose.yaml", text);
    up(&project);
    assert_ne!(id(), before);
    assert_eq!(
        exec(&project, None, "cat /run/secrets/pw /run/secrets/again").succeeds().stdout,
        "valuevalue"
    );
    down(&project);
}

fn users(engine: &Engine) {
    for (user, expected) in [("user: other", "1001:1001"), ("user: \"1001:7\"", "1001:7"), ("", "1000:1000")]
    {
        let project = project(engine, &format!("secrets: [pw]\n{user}"), "value");
        up(&project);
        let seen = exec(&project, None, "stat -c '%u:%g' /run/secrets/pw; cat /run/secrets/pw").succeeds();
        assert_eq!(seen.stdout, format!("{expected}\nvalue"), "{user}");
        down(&project);
    }
}

fn canary_search(engine: &Engine) {
    let (file_value, variable_value) = (canary(), canary());
    let project = project(engine, "secrets: [pw, token]", &file_value);
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    project.write("compose.yaml", format!("{text}  token:\n    environment: TOKEN\n"));
    // From .env, so that no process has it in its environment: cosec must not put it there either.
    project.write(".env", format!("TOKEN={variable_value}\n"));
    project.write(".gitignore", "/secrets/\n/.env\n");
    let said = project.cosec(&["-vv", "up", "-d"]).succeeds();
    let read = exec(&project, None, "cat /run/secrets/pw /run/secrets/token").succeeds().stdout;
    assert_eq!(read, format!("{file_value}{variable_value}"), "the service has both");
    let id = project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let inspected = project.docker(&["inspect", id.trim()]).succeeds().stdout;
    let logs = project.docker(&["compose", "logs"]).succeeds();
    let lint = project.cosec(&["lint"]);
    let plan = project.cosec(&["-vv", "plan", "--format", "json"]);
    let audit = project.cosec(&["audit"]);
    for canary in [&file_value, &variable_value] {
        let texts =
            [&said.stdout, &said.stderr, &inspected, &logs.stdout, &lint.stdout, &plan.stdout, &audit.stdout];
        for text in texts {
            assert!(!text.contains(canary.as_str()), "the canary is in:\n{text}");
        }
        let mount = project.runtime().join("cosec").join(&project.name).join("mnt");
        assert_absent_below(&project.runtime(), &[&mount], canary);
        assert_absent_below(&project.state(), &[], canary);
        assert_absent_below(&engine.data(), &[], canary);
        let looked_at = assert_absent_in_processes(&["cosec", "docker", "containerd"], canary);
        assert!(looked_at >= 4, "supervisor, worker and engine are looked at");
    }
    down(&project);
    assert_absent_below(&engine.data(), &[], &file_value);
}

fn interrupted(engine: &Engine) {
    for signal in ["INT", "TERM"] {
        let project = project(engine, "secrets: [pw]", "value");
        let mut child = project
            .command(&["up"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        until("the service runs", || exec(&project, None, "cat /run/secrets/pw").stdout == "value");
        let _ = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        let mut ended = None;
        until("up has ended", || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        project.assert_nothing_left();
        project.docker(&["compose", "down", "-t", "0"]).succeeds();
    }
}

fn failed_up(engine: &Engine) {
    let project = project(engine, "secrets: [pw]\nports: [nonsense]", "value");
    let failed = project.cosec(&["up", "-d"]);
    assert_ne!(failed.code, 0);
    project.assert_nothing_left();
    let project = self::project(engine, "secrets: [pw]\nentrypoint: /no/such/program", "value");
    assert_ne!(project.cosec(&["up", "-d"]).code, 0);
    project.assert_nothing_left();
    project.docker(&["compose", "down", "-t", "0"]).succeeds();
}

fn killed_up(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let mut child = project
        .command(&["up"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the service runs", || exec(&project, None, "cat /run/secrets/pw").stdout == "value");
    child.kill().unwrap();
    child.wait().unwrap();
    let runtime = project.runtime().display().to_string();
    until("nothing is mounted", || {
        !std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&runtime)
    });
    // The next command clears away what a killed one could not.
    project.cosec(&["down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

fn unignored(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    project.write(".gitignore", "");
    project
        .cosec(&["up", "-d"])
        .fails(1, &["does not ignore secrets/pw", "echo /secrets/pw >> .gitignore", "--allow-unignored"]);
    project.git(&["add", "secrets/pw"]);
    project.cosec(&["up", "-d"]).fails(1, &["git tracks secrets/pw", "git rm --cached secrets/pw"]);
    project.assert_nothing_left();
    project.cosec(&["up", "--allow-unignored", "-d"]).succeeds();
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    down(&project);
}

fn env_secret(engine: &Engine) {
    let value = canary();
    let project = project(engine, "secrets: [pw]", "unused");
    let text = compose("secrets: [pw]").replace("file: ./secrets/pw", "environment: PW");
    project.write("compose.yaml", text);
    project.cosec(&["up", "-d"]).fails(2, &["`pw`", "PW, which is not set"]);
    project.write(".env", format!("PW={value}\n"));
    up(&project);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, value);
    assert_absent_below(&engine.data(), &[], &value);
    let id = project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let archive = project.path("export.tar");
    project.docker(&["export", "-o", &archive.display().to_string(), id.trim()]).succeeds();
    let exported = std::fs::read(&archive).unwrap();
    assert!(!rig::holds(&exported, &value), "in docker export");
    down(&project);
}

fn read_only(engine: &Engine) {
    for option in ["read_only: true", "tmpfs: [/run]"] {
        let project = project(engine, &format!("secrets: [pw]\n{option}"), "unused");
        project.write(
            "compose.yaml",
            compose(&format!("secrets: [pw]\n{option}")).replace("file: ./secrets/pw", "environment: PW"),
        );
        project.write(".env", "PW=value\n");
        up(&project);
        assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value", "{option}");
        down(&project);
    }
}
