//! `cosec up` with a real Docker engine: what a service sees, what nobody else sees, what is left behind.
//!
//! A harness of its own, so that one engine serves all tests and is ended after the last.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod rig;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rig::{Engine, Project, assert_absent_below, assert_absent_in_processes, canary, servers, signal, until};

const TESTS: &[(&str, rig::EngineTest)] = &[
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
    ("repair_brings_running_containers_their_secrets_back", repair),
    ("what_has_changed_during_a_loss_is_said_of_who_has_not_read_it", changed_while_lost),
    ("containers_that_could_not_start_after_a_boot_are_named_and_started", boot),
    ("a_new_value_is_served_told_and_taken_back", rotate),
    ("what_is_served_is_written_back_where_its_file_was_lost", written_back),
    ("a_server_of_very_many_secrets_says_that_it_keeps_no_version", very_many),
    ("a_replica_that_cannot_be_told_keeps_no_other_from_hearing", replicas),
    ("a_rotated_value_is_gone_from_the_workers_memory", memory),
    ("configs_are_served_too", configs),
    ("every_other_verb_of_compose_keeps_the_secrets", pass_through),
    ("other_files_of_one_project_build_and_run_and_who_loses_its_secrets_is_told", other_files),
    ("secrets_stay_as_long_as_containers_run_whatever_command_ends", ends),
    ("options_before_compose_s_verb_serve_as_those_before_cosec_s", options_before),
    ("what_changes_between_two_commands_is_looked_at_again", between),
    ("a_change_is_told_though_the_supervisor_dies_and_through_links", told_all_the_same),
    ("owner_mode_and_content_are_as_planned_however_they_are_asked_for", matrix),
    ("swarm_shows_the_same_as_compat_swarm", swarm),
    ("nothing_fails_while_all_of_it_is_killed_and_rotated", chaos),
    ("a_mount_point_in_use_is_named_and_left_alone", busy_mount_point),
    ("up_again_keeps_the_containers_and_takes_new_grants", up_again),
    ("two_ups_at_once_end_with_one_server", two_ups),
    ("a_named_user_and_an_image_user_own_their_files", users),
    ("the_value_is_in_no_place_but_the_file_and_the_container", canary_search),
    ("no_file_of_the_machine_nor_a_committed_image_has_an_old_or_a_new_value", canary_on_disk),
    ("a_second_project_of_one_name_does_not_take_the_first_ones_server", one_name),
    ("an_attached_up_ends_clean_when_it_is_interrupted", interrupted),
    ("a_failed_up_leaves_nothing_mounted", failed_up),
    ("containers_that_a_terminal_ends_read_their_secrets_to_the_end", ended_by_a_terminal),
    ("what_a_terminal_sends_is_not_for_the_server_of_containers_that_go_on", detached_from_a_terminal),
    ("a_killed_up_leaves_its_containers_their_secrets_as_long_as_they_run", killed_up),
    ("a_command_that_is_interrupted_early_leaves_nothing", interrupted_early),
    ("a_file_that_git_would_commit_is_not_served", unignored),
    ("an_env_secret_never_reaches_the_container_layer", env_secret),
    ("read_only_and_tmpfs_services_get_their_secrets", read_only),
    ("plain_compose_up_reads_what_mount_serves_each_service_by_its_own_grant", mounted),
    ("a_mount_refuses_strangers_keeps_other_files_and_gives_back_what_was_there", mounted_files),
    ("a_mount_whose_server_is_lost_is_mended_with_its_containers", mounted_loss),
    ("a_service_with_a_provider_mounts_on_up_and_unmounts_on_down", provider),
    ("an_ordinary_user_mounts_too_or_is_told_what_is_missing", ordinary_user),
    ("a_changed_env_file_is_a_new_value_at_the_next_open", env_file),
    ("what_up_costs_and_how_soon_a_new_value_is_seen", costs),
    ("what_changes_together_is_told_once_and_a_failure_is_shown", hooks),
];

fn main() {
    rig::run_with_engine(TESTS);
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
    // The file may be empty while it is written.
    let reads = || exec(project, None, "cat /tmp/reads").stdout.trim().parse().unwrap_or(0);
    until("it has read", || reads() > 10);
    exec(project, None, "test ! -e /tmp/failed").succeeds();
}

fn killed_worker(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    let before = servers(&project, "__worker");
    assert_eq!(before.len(), 1);
    reader(&project, "value");
    for _ in 0..5 {
        signal(&servers(&project, "__worker"), "KILL");
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
    signal(&stopped, "STOP");
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
        until("there is a supervisor and a standby", || servers(&project, "__supervisor").len() == 2);
        let supervisors = servers(&project, "__supervisor");
        // The supervisor alone, the standby alone, then the supervisor with the worker.
        signal(&supervisors[usize::from(round % 3 == 1)..][..1], "KILL");
        if round % 3 == 2 {
            signal(&servers(&project, "__worker"), "KILL");
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
    signal(&all, "STOP");
    signal(&all, "KILL");
    until("the mount is dead", || exec(&project, None, "cat /run/secrets/pw").code != 0);
    let id = || project.docker(&["compose", "ps", "-q", "app"]).succeeds().stdout;
    let before = id();
    let said = project.cosec(&["up", "-d"]).succeeds().stdout;
    assert!(said.contains("1 files are back"), "{said}");
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    assert_eq!(id(), before, "the container is mended, not made anew");
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
    let id = project.docker(&["compose", "ps", "-q", "app"]).succeeds().stdout;
    let named = read_in_a_cgroup_called(id.trim(), &file);
    assert!(named.contains("Permission denied"), "a host process that calls its cgroup by the id: {named}");
    let stolen = project.docker(&["compose", "exec", "-T", "thief", "cat", "/stolen/app/run/secrets/pw"]);
    assert_eq!(stolen.code, 1);
    assert!(stolen.stderr.contains("Permission denied"), "root of another service: {}", stolen.stderr);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    let audit = project.audit();
    let line =
        |word: &str| audit.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{audit}"));
    assert!(line("outside the project's containers").contains("\"outcome\":\"denied\""));
    let other = line("is of no service of project");
    assert!(other.contains("\"outcome\":\"denied\"") && other.contains("-thief-1\""), "{other}");
    assert!(line("its cgroup has the id of container").contains("\"outcome\":\"denied\""));
    assert!(line("allowed").contains(&format!("\"container_name\":\"{}-app-1\"", project.name)));
    project.cosec(&["up", "--allow-host", "-d"]).succeeds();
    let read = std::fs::read(&file).unwrap_or_else(|error| panic!("{error}: {}", project.audit()));
    assert_eq!(read, b"value", "the policy lets the host in");
    down(&project);
}

/// What `cat` says in a new cgroup of a given name, which anybody may make to whom some cgroup is left.
fn read_in_a_cgroup_called(name: &str, file: &Path) -> String {
    let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd"].map(Path::new);
    let root =
        roots.into_iter().find(|root| root.join("cgroup.procs").exists()).expect("a cgroup file system");
    let group = root.join(format!("cosec-test-{}", std::process::id())).join(name);
    std::fs::create_dir_all(&group).unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", "echo $$ > \"$1/cgroup.procs\" && exec cat \"$2\"", "sh"])
        .args([group.as_path(), file])
        .output()
        .unwrap();
    for directory in [group.as_path(), group.parent().unwrap()] {
        std::fs::remove_dir(directory).unwrap();
    }
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
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

/// `cosec rotate` with the value on standard input.
fn give(project: &Project, name: &str, value: &str) -> String {
    use std::io::Write;
    let mut command = project.command(&["rotate", name]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    rig::Ran::of(&child.wait_with_output().unwrap()).succeeds().stdout
}

fn one_name(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    let elsewhere = project.directory().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("secrets")).unwrap();
    std::fs::write(elsewhere.join("secrets/pw"), "of another").unwrap();
    std::fs::copy(project.path("compose.yaml"), elsewhere.join("compose.yaml")).unwrap();
    let from = elsewhere.join("compose.yaml").display().to_string();
    let refused = project.cosec(&["-f", &from, "up", "--allow-unignored", "-d"]);
    refused.fails(1, &["another project of the name", "is served", "-p"]);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    project
        .cosec(&["-f", &from, "down"])
        .fails(1, &["another project of the name", "there, with `cosec down`"]);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    for command in [&["mount", "--allow-unignored"][..], &["umount"]] {
        let arguments = [&["-f", from.as_str()], command].concat();
        project.cosec(&arguments).fails(1, &["another project of the name"]);
    }
    let mut rotate = project.command(&["-f", &from, "rotate", "pw", "--generate"]);
    rig::finish(&mut rotate).fails(1, &["another project of the name"]);
    project.cosec(&["-f", &from, "rollback", "pw", "--to", "1"]).fails(1, &["another project of the name"]);
    assert_eq!(std::fs::read_to_string(elsewhere.join("secrets/pw")).unwrap(), "of another");
    let mut unnamed = project.command(&["-f", &from, "versions", "pw"]);
    let named = format!("name: {}\n{}", project.name, project.text("compose.yaml"));
    std::fs::write(elsewhere.join("compose.yaml"), named).unwrap();
    rig::finish(unnamed.env_remove("COMPOSE_PROJECT_NAME")).fails(1, &["another project of the name"]);
    up(&project);
    down(&project);
    project.cosec(&["-f", &from, "up", "--allow-unignored", "-d"]).succeeds();
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "of another");
    project.cosec(&["-f", &from, "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

/// After up, read, rotate, commit and down, whatever has changed on the machine meanwhile is looked at.
fn canary_on_disk(engine: &Engine) {
    let before = std::time::SystemTime::now();
    let (old, new) = (canary(), canary());
    let project = project(engine, "secrets: [pw]", &old);
    up(&project);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, old);
    assert!(give(&project, "pw", &new).contains("version 2 now"));
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, new);
    let id = project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let image = format!("{}-committed", project.name);
    project.docker(&["commit", id.trim(), &image]).succeeds();
    for (verb, of) in [("save", image.as_str()), ("export", id.trim())] {
        let archive = engine.docker(&[verb, of]).stdout;
        assert!(archive.len() > 100_000, "{verb} gives an archive");
        assert!(!rig::holds(&archive, &old) && !rig::holds(&archive, &new), "docker {verb} has a value");
    }
    for pid in [servers(&project, "__supervisor"), servers(&project, "__worker")].concat() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("VmSwap:\t       0 kB"), "nothing of {pid} is swapped out:\n{status}");
    }
    down(&project);
    project.docker(&["rmi", &image]).succeeds();
    let source = std::fs::canonicalize(project.path("secrets/pw")).unwrap();
    let changed = rig::changed_since(before);
    assert!(changed.contains(&source), "the search finds what there is");
    for file in changed.iter().filter(|file| **file != source) {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(!rig::holds(&bytes, &old) && !rig::holds(&bytes, &new), "a value is in {}", file.display());
    }
    assert_eq!(std::fs::read_to_string(source).unwrap(), new, "only the source has it");
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
    // Compose is still there.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    project.docker(&["compose", "stop", "-t", "0"]).succeeds();
    is_gone(&project);
    // All of it at once, without a word to anybody.
    let mut child = rig::in_its_own_session(&project.command(&["up"])).spawn().unwrap();
    until("the service runs", || exec(&project, None, "cat /run/secrets/pw").stdout == "value");
    let docker = rig::children(child.id());
    let docker: Vec<u32> =
        docker.into_iter().filter(|pid| !servers(&project, "__supervisor").contains(pid)).collect();
    let plugin: Vec<u32> = docker.iter().copied().flat_map(rig::children).collect();
    signal(&[child.id()], "KILL");
    let _ = child.wait();
    // The plugin first: where docker is gone, it ends the containers.
    signal(&[plugin, docker].concat(), "KILL");
    until("the engine was asked", || {
        let log = project.runtime().join("cosec").join(&project.name).join("server.log");
        std::fs::read_to_string(log).unwrap_or_default().contains("goes on by itself")
    });
    // Also by the standby, which was told.
    signal(&servers(&project, "__supervisor")[..1], "KILL");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    down(&project);
}

/// Mount, server and runtime directory go by themselves.
#[track_caller]
fn is_gone(project: &Project) {
    until("the server is gone", || std::fs::read_dir(project.runtime()).unwrap().next().is_none());
    project.assert_nothing_left();
    assert!(servers(project, "__worker").is_empty());
}

/// Reads its secret last of all.
const AT_THE_END: &str =
    r#"["sh", "-c", "trap 'sleep 1; cat /run/secrets/pw; exit $$?' TERM; while :; do sleep 0.1; done"]"#;

fn ended_by_a_terminal(engine: &Engine) {
    for (name, times, code) in [("INT", 1, 130), ("INT", 2, 130), ("TERM", 1, 143), ("HUP", 1, 129)] {
        let project = project(engine, "secrets: [pw]", "value");
        let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
        project.write("compose.yaml", text.replace(WAIT, AT_THE_END).replace("period: 1s", "period: 20s"));
        let mut child = rig::in_its_own_session(&project.command(&["up"])).spawn().unwrap();
        until("the service runs", || exec(&project, None, "cat /run/secrets/pw").stdout == "value");
        for _ in 0..times {
            rig::signal_group(child.id(), name);
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        assert_eq!(rig::ending(&mut child).code(), Some(code), "{name}");
        project.assert_nothing_left();
        if times == 1 {
            let container = format!("{}-app-1", project.name);
            let code = project.docker(&["inspect", "--format", "{{.State.ExitCode}}", &container]).succeeds();
            assert_eq!(code.stdout.trim(), "0", "{name}: it was killed, or could not read");
            // The engine writes down the last words after the end.
            until("the last words are there", || project.docker(&["logs", &container]).stdout == "value");
        }
        project.docker(&["compose", "down", "-t", "0"]).succeeds();
    }
}

fn detached_from_a_terminal(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let script = |line: &str| {
        let line = line.replace("cosec", env!("CARGO_BIN_EXE_cosec"));
        let command = project.command(&[]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &line]).current_dir(project.directory());
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell.env_remove("COMPOSE_FILE");
        rig::in_its_own_session(&shell).spawn().unwrap()
    };
    for line in ["cosec up -d; sleep 60", "cosec mount; docker compose up -d; sleep 60"] {
        for name in ["INT", "HUP"] {
            let mut child = script(line);
            until("the service runs", || exec(&project, None, "cat /run/secrets/pw").stdout == "value");
            for pid in servers(&project, "__supervisor").into_iter().chain(servers(&project, "__worker")) {
                let group = rustix::process::Pid::from_raw(pid as i32);
                let session = rustix::process::getsid(group).unwrap().as_raw_pid();
                assert_ne!(session, child.id() as i32);
            }
            rig::signal_group(child.id(), name);
            rig::ending(&mut child);
            std::thread::sleep(std::time::Duration::from_secs(1));
            assert_eq!(
                exec(&project, None, "cat /run/secrets/pw").succeeds().stdout,
                "value",
                "{line} {name}"
            );
            // Not even if it is sent to all of them.
            signal(&servers(&project, "__supervisor"), name);
            assert_eq!(
                exec(&project, None, "cat /run/secrets/pw").succeeds().stdout,
                "value",
                "{line} {name}"
            );
            project.cosec(&["down", "-t", "0"]).succeeds();
            project.cosec(&["umount"]).succeeds();
            project.assert_nothing_left();
        }
    }
}

fn interrupted_early(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    for arguments in [&["up"][..], &["up", "-d"][..], &["mount"][..], &["run", "--", "sleep", "9"][..]] {
        for tenths in 0..12 {
            let mut child = rig::in_its_own_session(&project.command(arguments)).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20 + 50 * tenths));
            let (name, number) = if tenths % 2 == 0 { ("INT", 2) } else { ("TERM", 15) };
            rig::signal_group(child.id(), name);
            let status = rig::ending(&mut child);
            let by_signal = std::os::unix::process::ExitStatusExt::signal(&status) == Some(number);
            let is_interrupted = by_signal || status.code() == Some(128 + number);
            let is_done = status.success() && matches!(arguments, ["mount"] | ["up", "-d"]);
            assert!(is_interrupted || is_done, "{arguments:?} {tenths}: {status:?}");
            let running = project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
            // Compose may have started it before it ended.
            if is_done || arguments == ["up", "-d"] && !running.is_empty() {
                project.cosec(&["down", "-t", "0"]).succeeds();
                project.cosec(&["umount"]).succeeds();
            } else {
                assert_eq!(running, "", "{arguments:?} {tenths}");
            }
            project.assert_nothing_left();
        }
    }
    project.docker(&["compose", "down", "-t", "0"]).succeeds();
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

fn repair(engine: &Engine) {
    let project = project(engine, "secrets: [pw, {source: pw, target: /etc/app/key}]", "value");
    up(&project);
    let facts = || project.docker(&["compose", "ps", "-q"]).succeeds().stdout;
    let before = facts();
    let all = [servers(&project, "__supervisor"), servers(&project, "__worker")].concat();
    signal(&all, "STOP");
    signal(&all, "KILL");
    until("the mount is dead", || exec(&project, None, "cat /run/secrets/pw").code != 0);
    project.cosec(&["status"]).fails(2, &["server", "cosec repair"]);
    let said = project.cosec(&["repair"]).succeeds().stdout;
    assert!(said.contains("2 files are back"), "{said}");
    let seen =
        exec(&project, None, "cat /run/secrets/pw /etc/app/key; stat -c ' %a %u' /etc/app/key").succeeds();
    assert_eq!(seen.stdout, "valuevalue 400 1000\n");
    assert_eq!(facts(), before, "neither made anew nor restarted");
    up(&project);
    assert_eq!(facts(), before, "the mended container is as good as a new one");
    down(&project);
    let said = project.cosec(&["repair"]).succeeds().stdout;
    assert!(said.starts_with("nothing is to be repaired"), "{said}");
    project.assert_nothing_left();
}

/// All of a project's processes at once.
fn lose(project: &Project) {
    let all = [servers(project, "__supervisor"), servers(project, "__worker")].concat();
    // First stopped, so that none has the time to notice that another is gone.
    signal(&all, "STOP");
    signal(&all, "KILL");
    until("they are gone", || servers(project, "__worker").is_empty());
}

fn changed_while_lost(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value-1");
    up(&project);
    let read = || exec(&project, None, "cat /run/secrets/pw").succeeds().stdout;
    assert_eq!(read(), "value-1");
    for command in [&["repair"][..], &["up", "-d"]] {
        lose(&project);
        project.replace("secrets/pw", "value-2");
        let said = project.cosec(command).succeeds().stdout;
        assert!(said.contains("app may hold an older value of pw"), "{said}");
        assert!(said.contains("docker compose restart app"), "{said}");
        assert_eq!(read(), "value-2");
        lose(&project);
        let said = project.cosec(command).succeeds().stdout;
        assert!(!said.contains("may hold") && said.contains("1 files are back"), "read since: {said}");
    }
    down(&project);
}

/// What a boot leaves: nothing of the runtime directory, and containers that the engine could not start.
fn boot(engine: &Engine) {
    let project = project(engine, "restart: always\nsecrets: [pw]", "value");
    up(&project);
    let inspect = |format: &str| {
        let id = project.docker(&["compose", "ps", "--all", "-q"]).succeeds().stdout;
        project.docker(&["inspect", "--format", format, id.trim()]).succeeds().stdout.trim().to_owned()
    };
    let before = inspect("{{.Id}}");
    let runtime = project.runtime().join("cosec").join(&project.name);
    lose(&project);
    assert!(std::process::Command::new("umount").arg(runtime.join("mnt")).status().unwrap().success());
    std::fs::remove_dir_all(runtime).unwrap();
    signal(&[inspect("{{.State.Pid}}").parse().unwrap()], "KILL");
    until("the engine gives up", || inspect("{{.State.Status}} {{.State.Error}}").contains("exited failed"));
    let repaired = project.cosec(&["repair"]);
    assert_eq!(repaired.code, 1, "{}", repaired.stdout);
    for words in ["could not start: its secrets were not served", "to be restarted: app;"] {
        assert!(repaired.stdout.contains(words), "{}", repaired.stdout);
    }
    project.cosec(&["repair", "--restart"]).succeeds();
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    up(&project);
    assert_eq!(inspect("{{.Id}}"), before, "it is the mount that the container was made with");
    down(&project);
}

fn rotate(engine: &Engine) {
    let project = project(engine, "secrets: [pw, token]\nx-cosec: {on-rotate: signal HUP}", "first");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    let waiting = r#"["sh", "-c", "trap 'exit 0' TERM; trap 'cat /run/secrets/pw > /tmp/told' HUP; while :; do sleep 0.1; done"]"#;
    project.write("compose.yaml", text.replace(WAIT, waiting) + "  token:\n    environment: TOKEN\n");
    project.write(".env", "TOKEN=old\n");
    up(&project);
    let read = |name: &str| exec(&project, None, &format!("cat /run/secrets/{name}")).succeeds().stdout;
    assert_eq!(read("pw"), "first");
    let give = |name: &str, value: &str| give(&project, name, value);
    assert!(give("pw", "second").contains("version 2"));
    assert_eq!(read("pw"), "second");
    assert_eq!(std::fs::read_to_string(project.path("secrets/pw")).unwrap(), "second");
    until("the service is told", || exec(&project, None, "cat /tmp/told").stdout == "second");
    assert!(give("token", "new").contains("held until"));
    assert_eq!(read("token"), "new");
    // A held value outlives its worker.
    let worker = servers(&project, "__worker");
    signal(&worker, "KILL");
    until("another worker serves", || {
        !servers(&project, "__worker").is_empty() && servers(&project, "__worker") != worker
    });
    assert_eq!((read("token"), read("pw")), ("new".to_owned(), "second".to_owned()));
    project.cosec(&["rotate", "pw", "--generate=40"]).succeeds();
    assert_eq!(read("pw").len(), 40);
    let versions = project.cosec(&["versions", "pw"]).succeeds().stdout;
    assert_eq!(versions.lines().count(), 4, "{versions}");
    project.cosec(&["rollback", "pw", "--to", "1"]).succeeds();
    assert_eq!(read("pw"), "first");
    let status = project.cosec(&["status"]).succeeds().stdout;
    assert!(status.contains("app      pw      /run/secrets/pw     4"), "{status}");
    project
        .cosec(&["rollback", "pw", "--to", "9"])
        .fails(2, &["version 9 of `pw` is not kept; `cosec versions pw` shows"]);
    project
        .cosec(&["rotate", "nothing", "--generate"])
        .fails(2, &["no service is granted a secret `nothing`"]);
    for said in [versions, status] {
        assert!(!said.contains("second") && !said.contains("first"), "{said}");
    }
    down(&project);
}

fn written_back(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "first");
    up(&project);
    let lose = || std::fs::remove_file(project.path("secrets/pw")).unwrap();
    let served = || exec(&project, None, "cat /run/secrets/pw").succeeds().stdout;
    lose();
    project.cosec(&["rollback", "pw"]).fails(2, &["no earlier version", "`cosec rollback pw --to 1` writes"]);
    project.cosec(&["rollback", "pw", "--to", "1"]).succeeds();
    assert_eq!((project.text("secrets/pw"), served()), ("first".to_owned(), "first".to_owned()));
    let again = project.cosec(&["rollback", "pw", "--to", "1"]).succeeds().stdout;
    assert!(again.contains("`pw` has version 1 already") && !again.contains("first"), "{again}");
    lose();
    assert!(give(&project, "pw", "second").contains("version 2"));
    project.replace("secrets/pw", "");
    until("nothing is served as the value", || served().is_empty());
    assert!(give(&project, "pw", "fourth").contains("version 4"));
    project.cosec(&["rollback", "pw"]).succeeds();
    assert_eq!((project.text("secrets/pw"), served()), (String::new(), String::new()), "empty as it was");
    lose();
    project.cosec(&["rollback", "pw", "--to", "2"]).succeeds();
    assert_eq!((project.text("secrets/pw"), served()), ("second".to_owned(), "second".to_owned()));
    lose();
    std::os::unix::fs::symlink("nowhere", project.path("secrets/pw")).unwrap();
    project.cosec(&["rollback", "pw", "--to", "1"]).fails(2, &["is a symbolic link to nowhere"]);
    // With the file broken the name is enough.
    lose();
    let text = project.text("compose.yaml");
    project.write("compose.yaml", "services: [");
    project.cosec(&["rollback", "pw", "--to", "1"]).succeeds();
    assert_eq!(served(), "first");
    project.cosec(&["versions", "pw"]).succeeds();
    project.cosec(&["versions", "pw", "--config"]).fails(2, &["it is a secret: leave --config out"]);
    project.write("compose.yaml", text);
    down(&project);
}

fn very_many(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "first");
    let names: Vec<String> = (0..cosec_fuse::MOST_KEPT).map(|number| format!("s{number}")).collect();
    let granted = format!("secrets: [pw, {}]\nuser: \"0\"", names.join(", "));
    let mut text = compose(&granted);
    for name in &names {
        text += &format!("  {name}: {{file: ./secrets/{name}}}\n");
        project.write(&format!("secrets/{name}"), "value");
    }
    project.write("compose.yaml", text);
    project.cosec(&["mount"]).succeeds();
    let rotated = project.cosec(&["rotate", "pw", "--generate"]).succeeds();
    assert!(rotated.stderr.contains("no earlier version of `pw` is kept"), "{}", rotated.stderr);
    let versions = project.cosec(&["versions", "pw"]).succeeds().stdout;
    assert!(versions.contains("for up to 256 secrets, and has 257"), "{versions}");
    project.cosec(&["rollback", "pw"]).fails(2, &["no earlier version", "for up to 256 secrets"]);
    project.cosec(&["rollback", "pw", "--to", "1"]).fails(2, &["for up to 256 secrets"]);
    project.cosec(&["umount"]).succeeds();
    project.assert_nothing_left();
}

fn replicas(engine: &Engine) {
    let service = "secrets: [pw]\ndeploy: {replicas: 3}\nx-cosec: {on-rotate: {exec: [touch, /tmp/told]}}";
    let project = project(engine, service, "first");
    up(&project);
    let docker = |arguments: &[&str]| rig::Ran::of(&engine.docker(arguments));
    let label = format!("label=com.docker.compose.project={}", project.name);
    let ids = docker(&["ps", "--quiet", "--filter", &label]).succeeds().stdout;
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 3);
    // The one that is told first.
    docker(&["pause", ids[0]]).succeeds();
    give(&project, "pw", "second");
    for id in &ids[1..] {
        until("the others are told", || docker(&["exec", id, "test", "-e", "/tmp/told"]).code == 0);
    }
    let log = project.runtime().join("cosec").join(&project.name).join("server.log");
    let logged = |words: &str| std::fs::read_to_string(&log).unwrap_or_default().contains(words);
    until("who was not told is known", || logged("is paused"));
    docker(&["unpause", ids[0]]).succeeds();
    project.write("compose.yaml", project.text("compose.yaml").replace("touch, /tmp/told", "nosuch"));
    up(&project);
    give(&project, "pw", "third");
    until("the reason is told", || logged("\"nosuch\": executable file not found"));
    down(&project);
}

fn memory(engine: &Engine) {
    let (old, new) = (canary(), canary());
    let project = project(engine, "secrets: [pw]", &old);
    up(&project);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, old);
    let worker = servers(&project, "__worker")[0];
    assert!(rig::in_memory(worker, &old), "the search finds what is there");
    project.replace("secrets/pw", &new);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, new);
    until("the old value is gone", || !rig::in_memory(worker, &old));
    for supervisor in servers(&project, "__supervisor") {
        assert!(!rig::in_memory(supervisor, &old) && !rig::in_memory(supervisor, &new));
    }
    let versions = project.cosec(&["versions", "pw"]).succeeds().stdout;
    assert_eq!(versions.lines().count(), 3, "it can be brought back all the same: {versions}");
    down(&project);
}

fn configs(engine: &Engine) {
    let project =
        project(engine, "configs: [settings, {source: inline, target: /etc/inline, mode: 0440}]", "unused");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    project.write("settings.ini", "a=1");
    project.write(
        "compose.yaml",
        text + "configs:\n  settings:\n    file: ./settings.ini\n  inline:\n    content: hello $$there\n",
    );
    up(&project);
    let seen = exec(&project, None, "stat -c '%a %u:%g' /settings /etc/inline; cat /settings").succeeds();
    assert_eq!(seen.stdout, "444 0:0\n440 0:0\na=1");
    assert_eq!(exec(&project, Some("0"), "cat /etc/inline").succeeds().stdout, "hello $there");
    project.replace("settings.ini", "a=2");
    assert_eq!(exec(&project, None, "cat /settings").succeeds().stdout, "a=2");
    down(&project);
}

fn pass_through(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let ran = project.cosec(&["compose", "run", "--rm", "-T", "app", "cat", "/run/secrets/pw"]).succeeds();
    assert_eq!(ran.stdout, "value");
    let seen = |project: &Project| exec(project, None, "stat -c %a /run/secrets/pw; cat /run/secrets/pw");
    project.cosec(&["compose", "up", "-d"]).succeeds();
    assert_eq!(seen(&project).succeeds().stdout, "400\nvalue");
    project.cosec(&["compose", "restart", "-t", "0"]).succeeds();
    assert_eq!(seen(&project).succeeds().stdout, "400\nvalue");
    assert!(project.cosec(&["compose", "ps"]).succeeds().stdout.contains("app"));
    // Plain Compose, in a shell that was told where.
    let script = format!(
        "eval \"$({} env)\" && docker compose up -d --force-recreate && docker compose exec -T app cat /run/secrets/pw",
        env!("CARGO_BIN_EXE_cosec")
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).current_dir(project.directory());
    for (name, value) in project.command(&[]).get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    assert_eq!(rig::finish(&mut shell).succeeds().stdout, "value");
    project.cosec(&["compose", "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

/// Files that the last `up` did not have: Compose calls that one project all the same.
fn other_files(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    up(&project);
    let secrets = "secrets: {pw: {file: ./secrets/pw}}\n";
    let build = "build: {context: ., secrets: [pw]}, command: [cat, /built]";
    project.write("tool.yaml", format!("services: {{tool: {{{build}}}}}\n{secrets}"));
    project.write(
        "Dockerfile",
        "FROM cosec-test\nRUN --mount=type=secret,id=pw,required=true test \"$(cat /run/secrets/pw)\" = value && echo built > /built\n",
    );
    project.cosec(&["-f", "tool.yaml", "compose", "build"]).succeeds();
    let ran = project.cosec(&["-f", "tool.yaml", "compose", "run", "--rm", "-T", "tool"]).succeeds();
    assert_eq!(ran.stdout, "built\n");
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    // A service of a profile that the next `up` does not name keeps its container and loses its secrets: it is told.
    let more = "image: cosec-test, command: [sleep, '600'], profiles: [more], secrets: [pw]";
    project.write("compose.override.yaml", format!("services: {{more: {{{more}}}}}\n"));
    project.cosec(&["--profile", "more", "up", "-d"]).succeeds();
    let container = || project.docker(&["compose", "ps", "-q", "app"]).succeeds().stdout;
    let before = container();
    assert!(project.cosec(&["up", "-d"]).succeeds().stderr.contains("`more` runs and is not in these files"));
    assert_eq!(container(), before, "another service's profile makes no container anew");
    let ran = project.cosec(&["--profile", "more", "up", "-d"]).succeeds();
    assert!(!ran.stderr.contains("is not in these files"), "{}", ran.stderr);
    let ran =
        project.cosec(&["--profile", "more", "compose", "exec", "-T", "more", "cat", "/run/secrets/pw"]);
    assert_eq!(ran.succeeds().stdout, "value");
    project.cosec(&["--profile", "more", "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

/// A second service `more`, in a profile of its own.
fn with_more(project: &Project) {
    let more = format!("image: cosec-test, command: {WAIT}, stop_grace_period: 1s, network_mode: none");
    let text = format!("services: {{more: {{{more}, profiles: [more], secrets: [pw]}}}}\n");
    project.write("compose.override.yaml", text);
}

fn ends(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    with_more(&project);
    let reads = |service: &str| {
        let words = ["--profile", "more", "compose", "exec", "-T", service, "cat", "/run/secrets/pw"];
        assert_eq!(project.cosec(&words).succeeds().stdout, "value", "{service}");
    };
    project.cosec(&["--profile", "more", "up", "-d=true"]).succeeds();
    project.cosec(&["--profile", "more", "down", "--dry-run"]).succeeds();
    reads("app");
    project.cosec(&["down", "-t", "0", "app"]).succeeds();
    reads("more");
    let said = project.cosec(&["down", "-t", "0"]).succeeds().stderr;
    assert!(said.contains("still running: more"), "{said}");
    reads("more");
    project.cosec(&["--profile", "more", "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
    // What an attached one has served, a detached one goes on with.
    let mut attached = project
        .command(&["up", "app"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the service runs", || exec(&project, None, "cat /run/secrets/pw").stdout == "value");
    project.cosec(&["--profile", "more", "up", "-d", "more"]).succeeds();
    signal(&[attached.id()], "INT");
    until("the attached one has ended", || attached.try_wait().unwrap().is_some());
    reads("more");
    // As a command of Compose leaves it that is killed.
    let runtime = project.runtime().join("cosec").join(&project.name);
    std::fs::write(runtime.join("override.1.yaml"), "services: {}\n").unwrap();
    project.cosec(&["--profile", "more", "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
    project.cosec(&["up", "-d", "--dry-run"]).succeeds();
    project.assert_nothing_left();
}

fn options_before(engine: &Engine) {
    let project = project(engine, "secrets: [pw, token]", "value");
    let token = canary();
    project.write(".env", format!("TOKEN={token}\n"));
    project.write(".gitignore", "/secrets/\n.env\n");
    project.write("compose.yaml", project.text("compose.yaml") + "  token: {environment: TOKEN}\n");
    with_more(&project);
    project.cosec(&["compose", "--profile", "more", "--ansi", "never", "up", "-d"]).succeeds();
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    assert_eq!(exec(&project, None, "cat /run/secrets/token").succeeds().stdout, token);
    let id = project.docker(&["compose", "ps", "-q", "app"]).succeeds().stdout;
    let export = engine.docker(&["export", id.trim()]).stdout;
    assert!(!rig::holds(&export, &token), "the value is in no layer");
    project.cosec(&["compose", "--unheard", "ps"]).fails(2, &["`--unheard` is no option"]);
    project.cosec(&["compose", "--profile", "more", "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

fn between(engine: &Engine) {
    let project = project(engine, "", "value");
    let service = |options: &str| {
        let build = format!("build: ., command: {WAIT}, stop_grace_period: 1s, network_mode: none");
        let grant = format!("secrets: [{{source: pw{options}}}]");
        let text =
            format!("services: {{app: {{{build}, {grant}}}}}\nsecrets: {{pw: {{file: ./secrets/pw}}}}\n");
        project.write("compose.yaml", text);
    };
    let dockerfile = |user: &str| project.write("Dockerfile", format!("FROM cosec-test\nUSER {user}\n"));
    let look = "id -u; stat -c '%u %a' /run/secrets/pw; cat /run/secrets/pw";
    service("");
    dockerfile("1000");
    up(&project);
    assert_eq!(exec(&project, None, look).succeeds().stdout, "1000\n1000 400\nvalue");
    dockerfile("1001");
    project.cosec(&["up", "-d", "--build"]).succeeds();
    assert_eq!(exec(&project, None, look).succeeds().stdout, "1001\n1001 400\nvalue");
    service(", mode: 0444");
    let words = ["compose", "run", "--rm", "-T", "app", "stat", "-c", "%a", "/run/secrets/pw"];
    assert_eq!(project.cosec(&words).succeeds().stdout, "444\n");
    service("");
    project.cosec(&["up", "-d", "--compat", "swarm"]).succeeds();
    let all = [servers(&project, "__supervisor"), servers(&project, "__worker")].concat();
    signal(&all, "STOP");
    signal(&all, "KILL");
    project.cosec(&["repair"]).succeeds();
    assert_eq!(exec(&project, None, look).succeeds().stdout, "1001\n0 444\nvalue", "as it was served");
    // Of no image anything is known; who asks for another service need not care.
    let nowhere = "services: {nowhere: {image: 'nowhere.invalid/none:1', secrets: [pw]}}\n";
    project.write("compose.override.yaml", nowhere);
    let said = project.cosec(&["up", "-d", "app"]).succeeds().stderr;
    assert!(said.contains("nowhere.invalid/none:1") && said.contains("root's until the next"), "{said}");
    down(&project);
}

fn told_all_the_same(engine: &Engine) {
    let project = project(
        engine,
        "secrets: [pw, linked]\nx-cosec: {on-rotate: {exec: [sh, -c, 'echo told >> /tmp/told']}}",
        "first",
    );
    project.write("compose.yaml", project.text("compose.yaml") + "  linked: {file: ./secrets/linked}\n");
    project.write("real/linked", "first");
    project.write(".gitignore", "/secrets/\n/real/\n");
    std::os::unix::fs::symlink("../real/linked", project.path("secrets/linked")).unwrap();
    up(&project);
    let told = || exec(&project, None, "cat /tmp/told 2>/dev/null | wc -l").stdout.trim().to_owned();
    project.replace("real/linked", "second");
    until("the change behind the link is told", || told() == "1");
    assert_eq!(exec(&project, None, "cat /run/secrets/linked").succeeds().stdout, "second");
    let version = || project.cosec(&["versions", "pw"]).stdout;
    for (number, value) in ["second", "third", "fourth"].iter().enumerate() {
        until("there is a standby", || servers(&project, "__supervisor").len() == 2);
        let before = version();
        project.replace("secrets/pw", value);
        until("it is noticed", || version() != before);
        signal(&servers(&project, "__supervisor")[..1], "KILL");
        until("it is told all the same", || told().parse::<usize>().unwrap() >= number + 2);
    }
    down(&project);
}

/// Target × source × user × file system, all in one project; each file as `cosec plan` says.
fn matrix(engine: &Engine) {
    let mut project = Project::new();
    project.docker_host = Some(engine.host());
    project.name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    project.write("secrets/pw", "value");
    project.write(".env", "PW=value\n");
    let mut services = String::new();
    let mut all = Vec::new();
    for source in ["file", "env"] {
        for (user, lines) in [
            ("root", "user: \"0\""),
            ("app", "user: \"1000:1000\""),
            ("bare", "user: \"0\"\n    cap_drop: [ALL]"),
        ] {
            for (system, line) in [("ro", "read_only: true"), ("tmp", "tmpfs: [/run]")] {
                let name = format!("{source}-{user}-{system}");
                services.push_str(&format!(
                    "  {name}:\n    image: cosec-test\n    command: {WAIT}\n    stop_grace_period: 0s\n    network_mode: none\n    {lines}\n    {line}\n    secrets:\n      - {source}\n      - {{source: {source}, target: long, uid: \"7\", gid: \"8\", mode: 0440}}\n      - {{source: {source}, target: /etc/absolute}}\n      - {{source: {source}, target: a/b/nested, mode: 0444}}\n"
                ));
                all.push(name);
            }
        }
    }
    project.write(
        "compose.yaml",
        format!(
            "services:\n{services}secrets:\n  file:\n    file: ./secrets/pw\n  env:\n    environment: PW\n"
        ),
    );
    up(&project);
    let plan = project.cosec(&["plan", "--format", "json"]).succeeds().stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let deliveries = plan["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 48);
    for name in all {
        let of_service: Vec<_> = deliveries.iter().filter(|delivery| delivery["service"] == *name).collect();
        for delivery in of_service {
            let target = delivery["target"].as_str().unwrap();
            let own = if name.contains("-app-") { 1000 } else { 0 };
            let id = |key: &str| delivery["owner"][key].as_u64().expect("a number: the image is here");
            let mode = delivery["mode"].as_str().unwrap().trim_start_matches('0');
            let script = format!("stat -c '%a %u:%g %s' {target}; cat {target} 2>/dev/null; echo $?");
            let seen =
                project.docker(&["compose", "exec", "-T", &name, "sh", "-c", &script]).succeeds().stdout;
            // Root with its capabilities reads all; without them and as another user, what the mode allows.
            let reads = name.contains("-root-") || mode == "444" || id("uid") == own;
            let content = if reads { "value0" } else { "1" };
            assert_eq!(seen, format!("{mode} {}:{} 5\n{content}\n", id("uid"), id("gid")), "{name} {target}");
        }
    }
    down(&project);
}

/// The same grants, once by the engine's own Swarm and once by `--compat swarm`.
fn swarm(engine: &Engine) {
    let project = project(
        engine,
        "secrets:\n  - pw\n  - {source: pw2, target: named, uid: \"5\", gid: \"6\", mode: 0440}\n  - {source: pw3, target: /etc/abs/olute}",
        "value",
    );
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap()
        + "  pw2:\n    file: ./secrets/pw\n  pw3:\n    file: ./secrets/pw\n";
    project.write("compose.yaml", &text);
    let look = "stat -c '%n %a %u:%g %s' /run/secrets/pw /run/secrets/named /etc/abs/olute; stat -c '%n %a %u:%g' /run/secrets /etc/abs";
    project.cosec(&["up", "--compat", "swarm", "-d"]).succeeds();
    let ours = exec(&project, None, look).succeeds().stdout;
    down(&project);
    let stack = text
        .replace("    network_mode: none\n", "    networks: [host]\n")
        .replace("services:", "version: \"3.8\"\nnetworks: {host: {external: true}}\nservices:");
    project.write("stack.yaml", stack);
    project.docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]).succeeds();
    let name = format!("{}s", project.name);
    project.docker(&["stack", "deploy", "--detach=true", "-c", "stack.yaml", &name]).succeeds();
    let filter = format!("label=com.docker.swarm.service.name={name}_app");
    let id = || project.docker(&["ps", "-q", "--filter", &filter]).stdout.trim().to_owned();
    until("the task runs", || !id().is_empty());
    let theirs = project.docker(&["exec", &id(), "sh", "-c", look]).succeeds().stdout;
    project.docker(&["stack", "rm", &name]).succeeds();
    project.docker(&["swarm", "leave", "--force"]).succeeds();
    assert_eq!(ours, theirs);
}

/// Four readers in two containers while worker, supervisor and standby are killed and the secret is rotated.
/// `COSEC_CHAOS_SECONDS` makes it longer; the figures are printed.
fn chaos(engine: &Engine) {
    let seconds: u64 =
        std::env::var("COSEC_CHAOS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let content = |number: u64| format!("{number:08}\n").repeat(1000);
    let service =
        "secrets: [pw]\ndeploy: {replicas: 2}\nvolumes: [\"./reader:/reader:ro\", \"./shared:/shared\"]";
    let project = project(engine, service, &content(0));
    project.write("reader.rs", include_str!("chaos/reader.rs"));
    project.write("shared/floor", "00000000");
    project.docker(&["version"]).succeeds();
    rig::finish(
        std::process::Command::new("rustc")
            .args(["-O", "-C", "target-feature=+crt-static", "-o", "reader", "reader.rs"])
            .current_dir(project.directory()),
    )
    .succeeds();
    std::fs::set_permissions(project.path("shared"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .unwrap();
    up(&project);
    let mut follow = project.command(&["audit", "--follow", "--json"]);
    let mut follow = follow.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let output = follow.stdout.take().unwrap();
    let counter = std::thread::spawn(move || {
        let (mut lines, mut seen, mut twice) = (0_u32, std::collections::HashSet::new(), Vec::new());
        for line in std::io::BufRead::lines(std::io::BufReader::new(output)).map_while(Result::ok) {
            if line.contains("\"allowed\"") {
                lines += 1;
                let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
                if !seen.insert((entry["pid"].as_u64(), entry["request"].as_u64())) {
                    twice.push(line);
                }
            }
        }
        (lines, twice)
    });
    for reader in 0..4 {
        let index = (reader % 2 + 1).to_string();
        let script = format!("/reader {seconds} > /shared/result-{reader} 2>&1");
        project.docker(&["compose", "exec", "-d", "--index", &index, "app", "sh", "-c", &script]).succeeds();
    }
    let floor = std::fs::OpenOptions::new().write(true).open(project.path("shared/floor")).unwrap();
    let start = std::time::Instant::now();
    let (mut workers, mut supervisors, mut rotations) = (0, 0, 0_u64);
    let mut written: std::collections::VecDeque<(std::time::Instant, u64)> =
        std::collections::VecDeque::new();
    while start.elapsed().as_secs() < seconds {
        rotations += 1;
        project.replace("secrets/pw", &content(rotations));
        written.push_back((std::time::Instant::now(), rotations));
        while let Some((when, number)) = written.front() {
            if when.elapsed() < std::time::Duration::from_millis(100) {
                break;
            }
            std::os::unix::fs::FileExt::write_at(&floor, format!("{number:08}").as_bytes(), 0).unwrap();
            written.pop_front();
        }
        if rotations % 5 == 0 {
            signal(&servers(&project, "__worker"), "KILL");
            workers += 1;
        }
        if rotations % 20 == 10
            && let Some(oldest) = servers(&project, "__supervisor").first()
        {
            signal(&[*oldest], "KILL");
            supervisors += 1;
        }
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
    let result = |reader: u32| {
        std::fs::read_to_string(project.path(&format!("shared/result-{reader}"))).unwrap_or_default()
    };
    until("the readers are done", || (0..4).all(|reader| result(reader).contains("done")));
    let mut opens = 0;
    let mut bad = Vec::new();
    for reader in 0..4 {
        let text = result(reader);
        let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        opens += numbers[0];
        if numbers[1..4] != [0, 0, 0] {
            bad.push(text);
        }
    }
    // What is followed lags behind by a tenth of a second.
    std::thread::sleep(std::time::Duration::from_secs(1));
    signal(&[follow.id()], "TERM");
    let _ = follow.wait();
    let (lines, twice) = counter.join().unwrap();
    eprintln!(
        "chaos: {seconds} s, {opens} opens, {lines} audit lines, {workers} workers and {supervisors} supervisors killed, {rotations} rotations; failed, torn or stale: {bad:?}"
    );
    assert!(bad.is_empty(), "{bad:?}");
    assert!(workers > 0 && supervisors > 0 && opens > 1000);
    assert_eq!(lines, opens, "one line for each open; twice: {twice:?}");
    down(&project);
}

fn two_ups(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let start = || {
        let mut command = project.command(&["up", "-d"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    // Compose itself may not make the same container twice; whoever is second may fail, and fails cleanly.
    let both = [start(), start()];
    for child in both {
        let _ = child.wait_with_output().unwrap();
    }
    assert_eq!((servers(&project, "__supervisor").len(), servers(&project, "__worker").len()), (2, 1));
    up(&project);
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
    down(&project);
}

/// Plain Compose, without the program.
fn plain_up(project: &Project) {
    project.docker(&["compose", "up", "-d"]).succeeds();
}

fn mounted(engine: &Engine) {
    let project = project(engine, "secrets: [{source: pw, mode: 0440, gid: \"7\"}]", "value-1");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    let web = format!(
        "  web:\n    image: cosec-test\n    network_mode: none\n    stop_grace_period: 0s\n    command: {WAIT}\n    secrets: [pw]\nsecrets:\n  pw:\n"
    );
    project.write("compose.yaml", text.replace("secrets:\n  pw:\n", &web));
    project.private("secrets/pw");
    project.cosec(&["mount"]).succeeds();
    plain_up(&project);
    let seen = |service: &str| {
        let look = "stat -c '%a %u:%g %s' /run/secrets/pw; cat /run/secrets/pw";
        project.docker(&["compose", "exec", "-T", service, "sh", "-c", look]).succeeds().stdout
    };
    assert_eq!(seen("app"), "440 1000:7 7\nvalue-1");
    assert_eq!(seen("web"), "400 0:0 7\nvalue-1", "the same path, another grant");
    let refused = exec(&project, Some("1001"), "cat /run/secrets/pw");
    assert!(refused.stderr.contains("Permission denied"), "{}", refused.stderr);
    let mut rotated = project.command(&["rotate", "pw", "--generate"]);
    assert!(rig::finish(&mut rotated).succeeds().stdout.contains("version 2 now"));
    let value = std::fs::read_to_string(project.path("secrets/pw")).unwrap();
    assert_eq!(value.len(), 32);
    assert_eq!(seen("app"), format!("440 1000:7 32\n{value}"));
    project.cosec(&["rollback", "pw"]).succeeds();
    assert_eq!(seen("web"), "400 0:0 7\nvalue-1");
    let status = project.cosec(&["status"]).succeeds().stdout;
    assert!(status.contains("web") && status.contains("(host)") && status.contains("secrets"), "{status}");
    let audit = project.cosec(&["audit"]).succeeds().stdout;
    assert!(audit.contains("web/pw v1") && audit.contains("app/pw v2"), "{audit}");
    assert!(project.cosec(&["audit", "--denied"]).succeeds().stdout.contains("uid 1001"), "{audit}");
    project.cosec(&["umount"]).fails(1, &["in use by app, web", "--force"]);
    project.docker(&["compose", "down", "-t", "0"]).succeeds();
    project.cosec(&["umount"]).succeeds();
    assert_eq!(std::fs::read_to_string(project.path("secrets/pw")).unwrap(), "value-1");
    project.assert_nothing_left();
}

fn mounted_files(engine: &Engine) {
    use std::os::unix::fs::MetadataExt;
    let project = project(engine, "secrets: [pw]", "value");
    project.private("secrets/pw");
    project.write("secrets/README", "what is what");
    project.write("secrets/old/pw", "earlier");
    project.git(&["add", "--force", "secrets/README", "compose.yaml", ".gitignore"]);
    project.git(&["commit", "--quiet", "-m", "x"]);
    let facts = || {
        ["secrets/pw", "secrets/README", "secrets/old/pw"].map(|name| {
            let facts = std::fs::metadata(project.path(name)).unwrap();
            (facts.mode(), facts.uid(), facts.gid(), facts.len(), std::fs::read(project.path(name)).unwrap())
        })
    };
    let before = facts();
    let inode = std::fs::metadata(project.path("secrets/pw")).unwrap().ino();
    let mode = |path: &str, mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(project.path(path), mode).unwrap();
    };
    mode(".", 0o755);
    mode("secrets", 0o700);
    let closed = std::fs::metadata(project.path("secrets")).unwrap();
    // Whoever is not the owner, also by a name that the owner has just looked up.
    let other = |command: &str| {
        std::fs::read(project.path("secrets/README")).unwrap();
        let mut other = std::process::Command::new("setpriv");
        other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", command]);
        other.current_dir(project.directory()).output().unwrap()
    };
    assert!(!other("cat secrets/README || ls secrets").status.success(), "closed before");
    project.cosec(&["mount"]).succeeds();
    assert_eq!(facts(), before, "the host sees what was there");
    let served = std::fs::metadata(project.path("secrets")).unwrap();
    assert_eq!((served.mode(), served.uid()), (closed.mode(), closed.uid()), "and how the directory is");
    let refused = other("cat secrets/README || ls secrets || cat secrets/old/pw || cd secrets");
    assert_eq!((refused.status.success(), refused.stdout.len()), (false, 0), "{refused:?}");
    assert_eq!(other("exit 0").status.code(), Some(0));
    let git = std::process::Command::new("git")
        .args(["status", "--porcelain"])
        .current_dir(project.directory())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&git.stdout), "", "git sees no change");
    let refused = std::fs::write(project.path("secrets/pw"), "x").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    let bound = format!("{}:/pw", project.path("secrets/pw").display());
    let stranger =
        engine.docker(&["run", "--rm", "--network", "none", "-v", &bound, "cosec-test", "cat", "/pw"]);
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("Permission denied"), "{stranger:?}");
    project.cosec(&["mount"]).succeeds();
    assert_eq!(servers(&project, "__worker").len(), 1, "twice is once");
    let open = std::fs::File::open(project.path("secrets/pw")).unwrap();
    project.cosec(&["umount"]).fails(1, &["is in use", "--force"]);
    drop(open);
    project.cosec(&["umount", "secrets"]).succeeds();
    assert_eq!(facts(), before);
    assert_eq!(std::fs::metadata(project.path("secrets/pw")).unwrap().ino(), inode, "the very file");
    project.assert_nothing_left();

    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    project.write(".gitignore", "/secrets/\n/other/\n");
    project.write("other/key", "value");
    let made = std::process::Command::new("mkfifo").arg(project.path("other/pipe")).status().unwrap();
    assert!(made.success());
    let two = text.replace("secrets: [pw]", "secrets: [pw, key]") + "  key:\n    file: ./other/key\n";
    project.write("compose.yaml", two);
    project.cosec(&["mount"]).fails(1, &["other/pipe is no regular file"]);
    project.assert_nothing_left();
    std::fs::remove_dir_all(project.path("other")).unwrap();

    let twice = "secrets: [{source: pw, target: a, mode: 0400}, {source: pw, target: b, mode: 0444}]";
    project.write("compose.yaml", text.replace("secrets: [pw]", twice));
    project.cosec(&["mount"]).fails(1, &["service `app` is granted `pw` twice", "cosec up"]);
    project.assert_nothing_left();
    project.write(
        "compose.yaml",
        text.replace("secrets: [pw]", "secrets: [pw]\n    volumes: [\"./secrets:/s:ro\"]"),
    );
    project.cosec(&["mount"]).succeeds();
    plain_up(&project);
    let both = exec(&project, None, "cat /s/README /run/secrets/pw").succeeds().stdout;
    assert_eq!(both, "what is whatvalue", "a directory that is bound shows the files in it");
    project.docker(&["compose", "down", "--timeout", "0"]).succeeds();
    project.cosec(&["umount"]).succeeds();
    project.write("compose.yaml", &text);

    project.write(".gitignore", "/secrets/\n/deep*/\n");
    project.write("deep/secrets/pw", "value");
    project.write("compose.yaml", text.replace("./secrets/pw", "./deep/secrets/pw"));
    project.cosec(&["mount"]).succeeds();
    std::fs::rename(project.path("deep"), project.path("deeper")).unwrap();
    let said = project.cosec(&["umount"]).succeeds().stdout;
    assert!(said.contains("deeper/secrets is as it was"), "{said}");
    assert_eq!(std::fs::read(project.path("deeper/secrets/pw")).unwrap(), b"value", "the mount went along");
    project.assert_nothing_left();
    project.write("compose.yaml", &text);

    project.write("pw", "value");
    project.write(".gitignore", "/secrets/\n/pw\n");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    project.write("compose.yaml", text.replace("./secrets/pw", "./pw"));
    project.cosec(&["mount"]).fails(1, &["holds the project's own files", "directory of their own"]);
    project.assert_nothing_left();
}

fn mounted_loss(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    project.cosec(&["mount"]).succeeds();
    plain_up(&project);
    let lose = || {
        let all = [servers(&project, "__supervisor"), servers(&project, "__worker")].concat();
        signal(&all, "STOP");
        signal(&all, "KILL");
        until("the mount is dead", || std::fs::read(project.path("secrets/pw")).is_err());
    };
    signal(&servers(&project, "__worker"), "KILL");
    assert_eq!(
        exec(&project, None, "cat /run/secrets/pw").succeeds().stdout,
        "value",
        "one worker is no loss"
    );
    lose();
    project.cosec(&["status"]).fails(2, &["secrets", "cosec repair"]);
    for command in ["repair", "mount"] {
        let said = project.cosec(&[command]).succeeds().stdout;
        assert!(said.contains("1 files are back") && !said.contains("made anew"), "{said}");
        assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value");
        lose();
    }
    for command in [&["up", "-d"][..], &["rotate", "pw", "--generate"]] {
        project.cosec(command).fails(2, &["whose server is gone; `cosec repair`", "`cosec umount "]);
    }
    project.cosec(&["umount", "secrets"]).succeeds();
    assert_eq!(
        std::fs::read(project.path("secrets/pw")).unwrap(),
        b"value",
        "the file was there all the time"
    );
    project.replace("secrets/pw", "other");
    let said = project.cosec(&["mount"]).succeeds().stdout;
    assert!(
        said.contains("1 files are back") && said.contains("app may hold an older value of pw"),
        "{said}"
    );
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "other");
    project.cosec(&["umount", "--force"]).succeeds();
    project.docker(&["compose", "down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

fn env_file(engine: &Engine) {
    let (first, second) = (canary(), canary());
    let project = project(engine, "secrets: [token, fixed]", "unused");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    let secrets = "secrets:\n  token: {environment: TOKEN}\n  fixed: {environment: FIXED}\n";
    project.write("compose.yaml", text.replace("secrets:\n  pw:\n    file: ./secrets/pw\n", secrets));
    project.write(".env", format!("TOKEN={first}\nFIXED='a b'\n"));
    let mut up = project.command(&["up", "-d"]);
    rig::finish(up.env("FIXED", "from outside")).succeeds();
    // Not by Compose, which reads .env itself.
    let container = format!("{}-app-1", project.name);
    let run = |command: &str| project.docker(&["exec", &container, "sh", "-c", command]).succeeds().stdout;
    let read = || run("cat /run/secrets/token; echo; cat /run/secrets/fixed");
    assert_eq!(read(), format!("{first}\nfrom outside"));
    let worker = servers(&project, "__worker")[0];
    assert!(rig::in_memory(worker, &first));
    project.write(".env", format!("TOKEN={second}\nFIXED=x\n"));
    assert_eq!(
        read(),
        format!("{second}\nfrom outside"),
        "written in place; the process's own variable wins, as in Compose"
    );
    until("the old value is gone from memory", || !rig::in_memory(worker, &first));
    project.replace(".env", "TOKEN=\"third\"  # by rename\nFIXED=x\n");
    assert_eq!(read(), "third\nfrom outside");
    let versions = project.cosec(&["versions", "token"]).succeeds().stdout;
    assert!(versions.contains('3'), "{versions}");
    project.write(".env", "TOKEN='unfinished\n");
    assert_eq!(read(), "third\nfrom outside", "what is no env file changes nothing");
    std::fs::remove_file(project.path(".env")).unwrap();
    assert_eq!(read(), "third\nfrom outside");
    project.write(".env", "TOKEN=fourth\n");
    assert_eq!(read(), "fourth\nfrom outside");
    signal(&servers(&project, "__worker"), "KILL");
    assert_eq!(read(), "fourth\nfrom outside", "the next worker reads it too");
    let mut rotate = project.command(&["rotate", "token", "--generate"]);
    rig::finish(&mut rotate).succeeds();
    let made_up = run("cat /run/secrets/token");
    assert_eq!(made_up.len(), 32);
    signal(&servers(&project, "__worker"), "KILL");
    assert_eq!(run("cat /run/secrets/token"), made_up, "kept by the next worker");
    project.write(".env", "TOKEN=fifth\n");
    assert_eq!(read(), "fifth\nfrom outside");
    // In the shell of `eval "$(cosec env)"` our own override is one of Compose's files.
    let exports = project.cosec(&["env"]).succeeds().stdout;
    let value = |name: &str| {
        let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}="))).unwrap();
        line.trim_matches('\'').to_owned()
    };
    let mut plan = project.command(&["plan"]);
    plan.env("COMPOSE_FILE", value("COMPOSE_FILE"))
        .env("COMPOSE_PATH_SEPARATOR", value("COMPOSE_PATH_SEPARATOR"));
    let plan = rig::finish(&mut plan).succeeds().stdout;
    assert!(plan.contains("environment TOKEN") && !plan.contains("cosec-app-0"), "{plan}");
    rig::finish(project.command(&["down", "-t", "0"]).env("FIXED", "x")).succeeds();
    project.assert_nothing_left();
}

/// What changes together is told once, also in a directory that is another one by now.
fn hooks(engine: &Engine) {
    let names = ["a", "b", "c", "d", "e"];
    let project = project(
        engine,
        "secrets: [a, b, c, d, e, pw]\nx-cosec: {on-rotate: 'exec echo told >> /tmp/told'}",
        "first",
    );
    let secrets = names.map(|name| format!("  {name}: {{environment: {name}}}\n")).concat();
    project.write("compose.yaml", project.text("compose.yaml") + &secrets);
    let env = |value: &str| names.map(|name| format!("{name}={value}\n")).concat();
    project.write(".env", env("1"));
    up(&project);
    let told = || exec(&project, None, "cat /tmp/told 2>/dev/null | wc -l").stdout.trim().to_owned();
    project.replace(".env", &env("2"));
    until("the service is told", || told() == "1");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(told(), "1", "five secrets, one word");
    std::fs::rename(project.path("secrets"), project.path("earlier")).unwrap();
    project.write(".gitignore", "/secrets/\n/earlier/\n.env\n");
    project.write("secrets/pw", "second");
    until("the new directory is seen", || told() == "2");
    project.write("secrets/pw", "third");
    until("and watched", || told() == "3");
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "third");
    project.write(
        "compose.yaml",
        project.text("compose.yaml").replace("exec echo told >> /tmp/told", "exec exit 3"),
    );
    project.cosec(&["up", "-d"]).succeeds();
    project.write("secrets/pw", "fourth");
    until("what went wrong is told", || {
        project
            .cosec(&["status"])
            .succeeds()
            .stdout
            .contains("service `app` could not be told that pw changed")
    });
    let log = project.runtime().join("cosec").join(&project.name).join("server.log");
    let log = std::fs::read_to_string(log).unwrap();
    let line = log.lines().find(|line| line.contains("docker exec failed")).expect("the log says why");
    assert!(line.starts_with("20") && line.contains("exit status: 3; what it printed is not kept"), "{line}");
    project.write("compose.yaml", project.text("compose.yaml").replace("on-rotate", "on-rotat"));
    project
        .cosec(&["plan"])
        .fails(2, &["has no setting `on-rotat`; did you mean `on-rotate`?", "compose.yaml:"]);
    project.cosec(&["up", "-d"]).fails(2, &["has no setting `on-rotat`"]);
    project.write("compose.yaml", project.text("compose.yaml").replace("on-rotat", "on-rotate"));
    down(&project);
}

/// `cosec up` beside `docker compose up` of the same project with ten secrets, and how soon a container sees a new
/// value. `cargo xtask bench` asks for more rounds of it and prints it; nothing is asserted of the times.
fn costs(engine: &Engine) {
    use std::time::{Duration, Instant};
    let many = std::env::var_os("COSEC_BENCH").is_some();
    let (rounds, rotations) = if many { (15, 500) } else { (1, 20) };
    let names: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    let project = project(engine, &format!("user: \"0:0\"\nsecrets: [pw, {}]", names.join(", ")), "0000");
    let secrets: Vec<String> =
        names.iter().map(|name| format!("  {name}: {{file: ./secrets/{name}}}\n")).collect();
    for name in &names {
        project.write(&format!("secrets/{name}"), "value");
    }
    project.write("compose.yaml", project.text("compose.yaml") + &secrets.concat());
    let timed = |run: &dyn Fn()| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    let (mut plain, mut served) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(timed(&|| drop(project.docker(&["compose", "up", "-d"]).succeeds())));
        project.docker(&["compose", "down", "-t", "0"]).succeeds();
        served.push(timed(&|| up(&project)));
        project.cosec(&["down", "-t", "0"]).succeeds();
    }
    project.cosec(&["up", "--allow-host", "-d"]).succeeds();
    let container = project.docker(&["compose", "ps", "-q", "app"]).succeeds().stdout;
    let pid = project.docker(&["inspect", "--format", "{{.State.Pid}}", container.trim()]).succeeds().stdout;
    // The container's own view.
    let file = format!("/proc/{}/root/run/secrets/pw", pid.trim());
    let mut seen: Vec<Duration> = (1..=rotations)
        .map(|number| {
            let value = format!("{number:04}");
            project.replace("secrets/pw", &value);
            timed(&|| while std::fs::read(&file).unwrap() != value.as_bytes() {})
        })
        .collect();
    down(&project);
    for times in [&mut plain, &mut served, &mut seen] {
        times.sort();
    }
    let (plain, served) = (plain[rounds / 2], served[rounds / 2]);
    if many {
        println!(
            "docker compose up -d {plain:.0?}, cosec up -d {served:.0?}: medians of {rounds}, ten secrets"
        );
        let at = |percent: usize| seen[(rotations * percent / 100).min(rotations - 1)];
        println!("a new value is seen in the container after {:.1?}, 99th percentile {:.1?}", at(50), at(99));
    }
}

fn provider(engine: &Engine) {
    let project = project(engine, "secrets: [pw]\ndepends_on: [vault]", "value");
    let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
    let with = "services:\n  vault:\n    provider:\n      type: cosec\n";
    project.write("compose.yaml", text.replacen("services:\n", with, 1));
    // Compose looks the provider up in PATH.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_cosec")).parent().unwrap().display().to_string();
    let compose = |arguments: &[&str]| {
        let mut command = std::process::Command::new("docker");
        let path = format!("{program}:{}", std::env::var("PATH").unwrap());
        command.arg("compose").args(arguments).current_dir(project.directory()).env("PATH", path);
        command.env("DOCKER_HOST", engine.host()).env("COMPOSE_PROJECT_NAME", &project.name);
        command.env("XDG_RUNTIME_DIR", project.runtime()).env("XDG_STATE_HOME", project.state());
        rig::finish(&mut command)
    };
    compose(&["up", "-d"]).succeeds();
    let seen = exec(&project, None, "stat -c '%a %u' /run/secrets/pw; cat /run/secrets/pw").succeeds();
    assert_eq!(seen.stdout, "400 1000\nvalue");
    assert!(project.audit().contains(&format!("\"container_name\":\"{}-app-1\"", project.name)));
    compose(&["up", "-d"]).succeeds();
    assert_eq!(servers(&project, "__worker").len(), 1, "twice is once");
    compose(&["--dry-run", "down"]).succeeds();
    compose(&["down", "vault"]).succeeds();
    assert_eq!(exec(&project, None, "cat /run/secrets/pw").succeeds().stdout, "value", "it is in use");
    compose(&["down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
    project.write(".gitignore", "");
    compose(&["up", "-d"]).fails(1, &["refusing to serve what git would commit"]);
    compose(&["down", "-t", "0"]).succeeds();
    project.assert_nothing_left();
}

/// /etc/fuse.conf with another text, as long as it lives.
struct FuseConf(String);

impl FuseConf {
    const PATH: &str = "/etc/fuse.conf";

    fn with(text: &str) -> Self {
        let before = std::fs::read_to_string(Self::PATH).unwrap_or_default();
        std::fs::write(Self::PATH, text).unwrap();
        FuseConf(before)
    }
}

impl Drop for FuseConf {
    fn drop(&mut self) {
        let _ = std::fs::write(Self::PATH, &self.0);
    }
}

fn ordinary_user(engine: &Engine) {
    let project = project(engine, "secrets: [pw]", "value");
    let run = |program: &str, arguments: &[&str]| {
        assert!(std::process::Command::new(program).args(arguments).status().unwrap().success());
    };
    let root = project.directory().parent().unwrap().to_owned();
    let program = root.join("cosec");
    std::fs::copy(env!("CARGO_BIN_EXE_cosec"), &program).unwrap();
    run("chown", &["-R", "nobody", &root.display().to_string()]);
    // As a member of the group docker.
    let socket = engine.host().replace("unix://", "");
    run("chmod", &["0755", &engine.directory.path().display().to_string()]);
    run("chmod", &["0666", &socket, "/dev/fuse"]);
    let cosec = |arguments: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"])
            .arg(&program)
            .args(arguments);
        command.current_dir(project.directory()).env("HOME", &root).env("DOCKER_HOST", engine.host());
        command.env("XDG_RUNTIME_DIR", project.runtime()).env("XDG_STATE_HOME", project.state());
        rig::finish(command.env("COMPOSE_PROJECT_NAME", &project.name))
    };
    run("chmod", &["0600", &socket]);
    cosec(&["compose", "ps"]).fails(2, &["may not talk to the Docker engine; sudo usermod -aG docker"]);
    run("chmod", &["0666", &socket]);
    let conf = FuseConf::with("");
    cosec(&["mount"]).fails(2, &["user_allow_other", "/etc/fuse.conf"]);
    drop(conf);
    let conf = FuseConf::with("user_allow_other\n");
    cosec(&["mount"]).succeeds();
    plain_up(&project);
    let seen = exec(&project, None, "stat -c '%a %u' /run/secrets/pw; cat /run/secrets/pw").succeeds();
    assert_eq!(seen.stdout, "400 1000\nvalue");
    assert_ne!(exec(&project, Some("1001"), "cat /run/secrets/pw").code, 0);
    project.docker(&["compose", "down", "-t", "0"]).succeeds();
    cosec(&["umount"]).succeeds();
    drop(conf);
    assert_eq!(std::fs::read(project.path("secrets/pw")).unwrap(), b"value");
    std::fs::remove_file(&program).unwrap();
    project.assert_nothing_left();
}
