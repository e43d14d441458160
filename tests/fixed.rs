//! `cosec fix`, then `cosec up`, with a real Docker engine: the services have what they had, and nobody else does.
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

use std::process::Command;
use std::time::Instant;

use rig::{Engine, Project, Ran, assert_absent_below, canary, holds, until};

const TESTS: &[(&str, rig::EngineTest)] = &[
    ("inline_passwords_are_served_from_ignored_files_after_one_fix", inline_passwords),
    ("an_image_that_drops_root_before_it_reads_can_read_after_the_fix", dropped_root),
    ("a_build_is_given_its_secret_or_says_that_this_buildkit_cannot", build_secret),
    ("a_postgresql_lets_its_client_in_with_the_same_password_before_and_after", postgresql),
];

fn main() {
    rig::run_with_engine(TESTS);
}

fn project(engine: &Engine, name: &str) -> Project {
    let mut project = Project::new();
    project.docker_host = Some(engine.host());
    name.clone_into(&mut project.name);
    project
}

fn fix(project: &Project, secrets: &[&str]) {
    let ran = project.cosec(&["fix", "--unsafe", "--write"]).succeeds();
    for secret in secrets {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{}{}", ran.stdout, ran.stderr);
    }
}

fn exec(project: &Project, service: &str, command: &str) -> Ran {
    project.docker(&["compose", "exec", "-T", service, "sh", "-c", command]).succeeds()
}

/// A map, a list and `.env`; a value with `$`, one with quotes and a line's comment, one that is shared.
fn inline_passwords(engine: &Engine) {
    engine.tag("cosec-test:app", "mariadb:test");
    let project = project(engine, "fixed");
    let (map, list, env) = (canary() + "$z", canary() + "'\"# é", canary());
    let service = |name: &str, environment: &str| {
        format!(
            "  {name}:\n    image: mariadb:test\n    command: [sleep, '600']\n    stop_grace_period: 0s\n    network_mode: none\n    environment:\n{environment}"
        )
    };
    let old = format!(
        "services:\n{}{}{}",
        service("map", &format!("      MARIADB_PASSWORD: {} # why\n      TZ: UTC\n", map.replace('$', "$$"))),
        service("list", &format!("      - 'MARIADB_PASSWORD={}'\n", list.replace('\'', "''"))),
        service("env", "      MARIADB_PASSWORD: ${MARIADB_PW}\n"),
    );
    let secrets = [("map", &map), ("list", &list), ("env", &env)];
    let all: Vec<&str> = secrets.iter().map(|(_, secret)| secret.as_str()).collect();
    project.write(".gitignore", "/.env\n");
    project.write(".env", format!("MARIADB_PW={env}\n"));
    project.write("compose.yaml", &old);
    let before = project.files();
    project.cosec(&["up", "-d"]).succeeds();
    let in_environment = |service: &str| exec(&project, service, "env").stdout;
    assert!(secrets.iter().all(|(service, secret)| in_environment(service).contains(*secret)), "as it was");

    fix(&project, &all);
    project.cosec(&["up", "-d"]).succeeds();
    for (service, secret) in secrets {
        let read = exec(&project, service, "echo $MARIADB_PASSWORD_FILE; cat $MARIADB_PASSWORD_FILE").stdout;
        let (path, read) = read.split_once('\n').unwrap();
        assert!(path.starts_with("/run/secrets/") && read == secret, "{service} reads other bytes at {path}");
        assert!(!in_environment(service).contains(secret));
        let id = project.docker(&["compose", "ps", "-q", service]).succeeds().stdout;
        let inspected = project.docker(&["inspect", id.trim()]).succeeds().stdout;
        assert!(!holds(inspected.as_bytes(), secret), "docker inspect shows it");
        let exported = engine.docker(&["export", id.trim()]).stdout;
        assert!(exported.len() > 100_000 && !holds(&exported, secret), "docker export has it");
        // What undo needs lies in .cosec, the value itself in secrets.
        let [keep, place] = [".cosec", "secrets"].map(|name| project.path(name));
        assert_absent_below(&project.directory(), &[&keep, &place], secret);
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(project.directory()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(git(&["status", "--porcelain", "-uall"]), "?? .gitignore\n?? compose.yaml\n");
    assert_eq!(git(&["add", "--all", "--dry-run"]), "add '.gitignore'\nadd 'compose.yaml'\n");

    project.cosec(&["fix", "--undo"]).succeeds();
    assert_eq!(project.files(), before);
    project.cosec(&["up", "-d"]).succeeds();
    assert!(secrets.iter().all(|(service, secret)| in_environment(service).contains(*secret)), "as before");
    project.cosec(&["down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

/// As the official image does: it starts as root, and becomes mongodb before it looks at its files.
fn dropped_root(engine: &Engine) {
    engine.tag("cosec-test", "mongo:test");
    let project = project(engine, "dropped");
    let secret = canary();
    project.write(
        "compose.yaml",
        format!("services:\n  db:\n    image: mongo:test\n    command: [sleep, '600']\n    stop_grace_period: 0s\n    network_mode: none\n    environment:\n      MONGO_INITDB_ROOT_PASSWORD: {secret}\n"),
    );
    fix(&project, &[&secret]);
    project.cosec(&["up", "-d"]).succeeds();
    let script = "stat -c '%a %u:%g' $MONGO_INITDB_ROOT_PASSWORD_FILE; cat $MONGO_INITDB_ROOT_PASSWORD_FILE";
    let read =
        |user: &str| project.docker(&["compose", "exec", "-T", "-u", user, "db", "sh", "-c", script]).stdout;
    assert_eq!(read("mongodb"), format!("400 999:998\n{secret}"));
    assert_eq!(read("other"), "400 999:998\n");
    project.cosec(&["down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

/// The image is built as Compose does it, by `docker build`: Compose itself wants a newer buildx than Debian has. A
/// BuildKit before 0.16 cannot mount a secret as a variable, and then it must not build without it.
fn build_secret(engine: &Engine) {
    let project = project(engine, "built");
    let secret = canary();
    let run = "test -n \"$NPM_TOKEN\" && echo ${#NPM_TOKEN} > /tmp/length";
    project.write("Dockerfile", format!("FROM cosec-test\nARG NPM_TOKEN={secret}\nRUN {run}\n"));
    project.write(
        "compose.yaml",
        "services:\n  app:\n    build: {context: ., network: none}\n    image: built:test\n",
    );
    let build = || {
        let config = project.cosec(&["config", "--format", "json"]).succeeds().stdout;
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        let grants = config["services"]["app"]["build"]["secrets"].as_array().cloned().unwrap_or_default();
        let secret = |grant: &serde_json::Value| {
            let name = grant["source"].as_str().unwrap();
            format!("--secret=id={name},src={}", config["secrets"][name]["file"].as_str().unwrap())
        };
        let secrets: Vec<String> = grants.iter().map(secret).collect();
        let mut arguments = vec!["build", "--network=none", "--progress=plain", "--tag=built:test", "."];
        arguments.extend(secrets.iter().map(String::as_str));
        project.docker(&arguments)
    };
    let history = || engine.docker(&["history", "--no-trunc", "built:test"]).stdout;
    build().succeeds();
    assert!(holds(&history(), &secret), "as it was");
    assert!(engine.docker(&["rmi", "built:test"]).status.success());

    fix(&project, &[&secret]);
    let built = build();
    if built.code != 0 {
        assert!(built.stderr.contains("unexpected key 'env'"), "{}", built.stderr);
        assert!(!engine.docker(&["image", "inspect", "built:test"]).status.success(), "built without it");
        eprintln!("this BuildKit is older than 0.16 and says so: secrets as variables are not tried here");
        return;
    }
    let length = engine.docker(&["run", "--rm", "--network=none", "built:test", "cat", "/tmp/length"]).stdout;
    assert_eq!(String::from_utf8(length).unwrap(), format!("{}\n", secret.len()));
    assert!(!holds(&history(), &secret));
    assert!(!holds(&engine.docker(&["save", "built:test"]).stdout, &secret));
}

fn postgresql(engine: &Engine) {
    engine.make_postgres();
    let start = Instant::now();
    let project = project(engine, "postgresql");
    let password = canary() + "$1";
    project.write(".gitignore", "");
    project.write(
        "compose.yaml",
        format!("services:\n  db:\n    image: postgres:15\n    network_mode: none\n    environment:\n      POSTGRES_USER: app\n      POSTGRES_PASSWORD: \"{}\" # the shop's\n    volumes: [data:/var/lib/postgresql/data]\nvolumes:\n  data:\n", password.replace('$', "$$")),
    );
    // A client by the network, as nobody: no trusted socket, no user of the system.
    let query = |password: &str, statement: &str| {
        project.docker(&[
            "compose",
            "exec",
            "-T",
            "-u",
            "nobody",
            "-e",
            &format!("PGPASSWORD={password}"),
            "db",
            "psql",
            "-XAtq",
            "-h",
            "127.0.0.1",
            "-U",
            "app",
            "-d",
            "postgres",
            "-c",
            statement,
        ])
    };
    let is_ready = || {
        until("it answers", || {
            let ended = project.docker(&["compose", "ps", "-aq", "--status", "exited"]).stdout;
            assert_eq!(ended, "", "{}", project.docker(&["compose", "logs", "--tail", "9"]).stdout);
            query(&password, "SELECT 1").stdout == "1\n"
        });
    };
    let wrong_is_refused = || {
        let refused = query("wrong", "SELECT 1");
        assert!(
            refused.code != 0 && refused.stderr.contains("password authentication failed"),
            "{}",
            refused.stderr
        );
    };

    project.cosec(&["up", "-d"]).succeeds();
    is_ready();
    wrong_is_refused();
    query(&password, "CREATE TABLE orders AS SELECT 42 AS number").succeeds();

    fix(&project, &[&password]);
    assert!(project.text("compose.yaml").contains("POSTGRES_PASSWORD_FILE"));
    project.cosec(&["up", "-d"]).succeeds();
    is_ready();
    wrong_is_refused();
    assert_eq!(query(&password, "SELECT number FROM orders").succeeds().stdout, "42\n", "the same volume");
    let id = project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let inspected = project.docker(&["inspect", id.trim()]).succeeds().stdout;
    assert!(inspected.contains("POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password"));
    assert!(!holds(inspected.as_bytes(), &password));

    project.cosec(&["down", "-t", "5", "-v"]).succeeds();
    project.cosec(&["up", "-d"]).succeeds();
    is_ready();
    wrong_is_refused();
    let gone = query(&password, "SELECT number FROM orders");
    assert!(gone.stderr.contains("does not exist"), "another volume, made with the secret: {}", gone.stderr);
    project.cosec(&["down", "-t", "5", "-v"]).succeeds();
    project.assert_nothing_left();
    eprintln!("postgresql: {:.1?}", start.elapsed());
}
