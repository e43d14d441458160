//! `cosec run`: secrets for a local process, and the file system's promises without Docker.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod rig;

use std::process::{Command, Stdio};

use rig::{Project, Ran, canary, finish, until};

const COMPOSE: &str = "name: demo\nservices:\n  db:\n    image: x\n    secrets: [pw]\nsecrets:\n  pw:\n    file: ./secrets/pw\n";

fn project(value: &str) -> Project {
    let project = Project::new();
    project.write("secrets/pw", value);
    project.write("compose.yaml", COMPOSE);
    project
}

fn shell(project: &Project, script: &str) -> Ran {
    project.cosec(&["run", "--", "sh", "-c", script])
}

#[test]
fn a_local_command_reads_its_secret_as_a_0400_file_and_nothing_is_left() {
    let project = project("value");
    let seen = shell(&project, "stat -c '%a %u %s' /run/secrets/pw; cat /run/secrets/pw").succeeds();
    assert_eq!(seen.stdout, "400 0 5\nvalue");
    project.assert_nothing_left();
    assert!(!std::fs::exists("/run/secrets/pw").unwrap(), "the host sees nothing");
}

#[test]
fn the_exit_code_and_signals_of_the_command_are_passed_on() {
    let project = project("value");
    assert_eq!(shell(&project, "exit 7").code, 7);
    assert_eq!(shell(&project, "kill -TERM $$").code, 143);
    let mut child = project.command(&[
        "run",
        "--",
        "sh",
        "-c",
        "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done",
    ]);
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    project.assert_nothing_left();
}

#[test]
fn an_ordinary_user_needs_no_root() {
    let project = project("value");
    let user = Command::new("id").args(["-u", "nobody"]).output().unwrap();
    let uid = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    let root = project.directory().parent().unwrap().to_owned();
    assert!(Command::new("chown").args(["-R", &uid]).arg(&root).status().unwrap().success());
    // The program must be reachable for that user, wherever the target directory lies.
    let program = root.join("cosec");
    std::fs::copy(env!("CARGO_BIN_EXE_cosec"), &program).unwrap();
    let device = std::fs::metadata("/dev/fuse").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&device.permissions());
    Command::new("chmod").args(["0666", "/dev/fuse"]).status().unwrap();
    let ran = finish(
        Command::new("setpriv")
            .args(["--reuid", &uid, "--regid", &uid, "--clear-groups"])
            .arg(&program)
            .args([
                "run",
                "--",
                "sh",
                "-c",
                "stat -c '%a %u' /run/secrets/pw; cat /run/secrets/pw; grep CapEff /proc/self/status; ls /proc/$PPID/fd 2>&1 | grep -c denied",
            ])
            .current_dir(project.directory())
            .env("XDG_RUNTIME_DIR", project.runtime())
            .env("XDG_STATE_HOME", project.state())
            .env("HOME", &root),
    );
    Command::new("chmod").args([&format!("{:o}", mode & 0o777), "/dev/fuse"]).status().unwrap();
    let ran = ran.succeeds();
    assert_eq!(ran.stdout, format!("400 {uid}\nvalueCapEff:\t0000000000000000\n1\n"));
    project.assert_nothing_left();
}

#[test]
fn another_user_and_root_without_capabilities_are_refused_and_written_down() {
    let project = project("value");
    let script = "setpriv --reuid 4242 --clear-groups cat /run/secrets/pw; echo $?; \
                  setpriv --bounding-set -all --inh-caps -all --reuid 0 true; \
                  cat /run/secrets/pw";
    let seen = shell(&project, script).succeeds();
    assert_eq!(seen.stdout, "1\nvalue");
    assert!(seen.stderr.contains("Permission denied"), "{}", seen.stderr);
    let audit = project.audit();
    let outcomes: Vec<serde_json::Value> =
        audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(outcomes.len(), 2, "{audit}");
    assert_eq!((&outcomes[0]["outcome"], &outcomes[0]["uid"]), (&"denied".into(), &4242.into()));
    assert_eq!((&outcomes[1]["outcome"], &outcomes[1]["version"]), (&"allowed".into(), &1.into()));
    for line in &outcomes {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        let expected = [
            "time",
            "project",
            "service",
            "secret",
            "version",
            "container",
            "container_name",
            "pid",
            "uid",
            "gid",
            "exe",
            "outcome",
            "reason",
            "request",
        ];
        assert_eq!(keys, expected);
    }
}

#[test]
fn a_rotated_file_is_seen_at_the_next_open_and_an_open_one_keeps_its_content() {
    let project = project("one");
    let script = "exec 3</run/secrets/pw; cat /run/secrets/pw; printf two > secrets/n; mv secrets/n secrets/pw; \
                  cat /run/secrets/pw; printf three > secrets/pw; cat /run/secrets/pw; sleep 0.2; cat /run/secrets/pw; \
                  cat <&3; stat -c %s /run/secrets/pw";
    // What is written in place counts as soon as it is at rest; a busy machine may take its time.
    let seen = shell(&project, script).succeeds().stdout;
    assert!(["onetwotwothreeone5\n", "onetwothreethreeone5\n"].contains(&seen.as_str()), "{seen}");
    let versions: Vec<u64> = project
        .audit()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["version"].as_u64().unwrap())
        .collect();
    assert!(versions == [1, 1, 2, 2, 3] || versions == [1, 1, 2, 3, 3], "{versions:?}");
}

#[test]
fn a_source_that_vanishes_keeps_its_last_content() {
    let project = project("last");
    let script = "rm secrets/pw; cat /run/secrets/pw; mkdir secrets/pw; cat /run/secrets/pw";
    assert_eq!(shell(&project, script).succeeds().stdout, "lastlast");
    assert!(project.audit().contains("does not exist"), "{}", project.audit());
}

#[test]
fn every_way_of_writing_is_refused() {
    let project = project("value");
    let script = "cd /run/secrets; for try in 'echo x > pw' 'echo x >> pw' 'rm -f pw' 'mkdir d' 'mv pw q' 'chmod 777 pw' \
                  'chown 1 pw' 'touch pw' 'ln -s pw l' 'truncate -s 0 pw' 'touch n'; do \
                  sh -c \"$try\" 2>&1 | grep -q 'Read-only file system' || echo \"$try\"; done";
    assert_eq!(shell(&project, script).succeeds().stdout, "");
}

#[test]
fn no_read_fails_while_the_worker_is_killed_again_and_again() {
    let value = canary();
    let project = project(&value);
    let script = format!(
        "n=0; while [ ! -e {0}/stop ]; do [ \"$(cat /run/secrets/pw)\" = {value} ] || exit 9; n=$((n+1)); done; echo $n",
        project.directory().display()
    );
    let mut command = project.command(&["run", "--", "sh", "-c", &script]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let cosec = child.id();
    let worker = || {
        rig::children(cosec).into_iter().flat_map(rig::children).find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains("__worker"))
        })
    };
    until("the worker runs", || worker().is_some());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut killed = std::collections::BTreeSet::new();
    while killed.len() < 25 {
        if let Some(pid) = worker().filter(|pid| !killed.contains(pid)) {
            Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            killed.insert(pid);
        }
        std::thread::sleep(std::time::Duration::from_millis(60));
    }
    project.write("stop", "");
    let ran = Ran::of(&child.wait_with_output().unwrap()).succeeds();
    let reads: u32 = ran.stdout.trim().parse().unwrap();
    assert!(reads > 50, "{reads} reads");
    project.assert_nothing_left();
}

#[test]
fn the_value_is_in_no_process_log_or_runtime_file() {
    let (value, variable) = (canary(), canary());
    let project = project(&value);
    project
        .write("compose.yaml", COMPOSE.replace("[pw]", "[pw, token]") + "  token:\n    environment: TOKEN\n");
    project.write(".env", format!("TOKEN={variable}\n"));
    let mut command = project.command(&[
        "-vv",
        "run",
        "--",
        "sh",
        "-c",
        "cat /run/secrets/pw /run/secrets/token >/dev/null; echo ready; exec sleep 30",
    ]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    for canary in [&value, &variable] {
        assert!(rig::assert_absent_in_processes(&["cosec"], canary) >= 3);
        rig::assert_absent_below(&project.runtime(), &[], canary);
        rig::assert_absent_below(&project.state(), &[], canary);
    }
    // Whoever is not root cannot look into the worker's memory, and its dumps are off.
    let workers = rig::children(child.id()).into_iter().flat_map(rig::children);
    let mut seen = 0;
    for pid in workers {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        if !arguments.contains("__worker") {
            continue;
        }
        seen += 1;
        assert!(status.contains("Seccomp:\t2"), "{status}");
        // CAP_DAC_READ_SEARCH, CAP_IPC_LOCK, CAP_SYS_PTRACE.
        assert!(status.contains("CapPrm:\t0000000000084004"), "{status}");
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        assert_ne!(locked.trim(), "0 kB", "{status}");
        assert!(status.contains("NoNewPrivs:\t1"));
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        assert!(
            limits.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")),
            "{limits}"
        );
    }
    assert_eq!(seen, 1);
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let said = Ran::of(&child.wait_with_output().unwrap());
    assert!(!said.stderr.contains(&value) && !said.stderr.contains(&variable));
}

#[test]
fn the_command_of_a_killed_run_keeps_its_secrets_and_nothing_is_left_after_it() {
    let project = project("value");
    let script = "echo ready; while [ ! -e stop ]; do sleep 0.1; done; cat /run/secrets/pw > seen";
    let mut command = project.command(&["run", "--", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    // The standby goes on as well.
    let supervisors = rig::servers(&project, "__supervisor");
    rig::signal(&supervisors[..1], "KILL");
    project.write("stop", "");
    until("all is gone", || std::fs::read_dir(project.runtime()).unwrap().next().is_none());
    assert_eq!(project.text("seen"), "value");
    project.assert_nothing_left();
    until("no server is left", || rig::servers(&project, "__supervisor").is_empty());
}

/// A process's words.
fn words(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

#[test]
fn a_source_that_is_no_readable_file_is_named_with_what_to_do() {
    let project = project("value");
    let secret = project.path("secrets/pw");
    let try_with = |words: &[&str]| {
        shell(&project, "true").fails(2, words);
        project.assert_nothing_left();
    };
    std::fs::remove_file(&secret).unwrap();
    try_with(&["`pw`", "does not exist; create it", "compose.yaml:8:"]);
    let plan = project.cosec(&["plan"]).succeeds().stdout;
    assert!(plan.contains("secrets/pw, which does not exist"), "{plan}");
    std::fs::create_dir(&secret).unwrap();
    try_with(&["is a directory; name a file"]);
    std::fs::remove_dir(&secret).unwrap();
    assert!(Command::new("mkfifo").arg(&secret).status().unwrap().success());
    try_with(&["no regular file (a FIFO"]);
    std::fs::remove_file(&secret).unwrap();
    std::os::unix::fs::symlink(&secret, &secret).unwrap();
    try_with(&["loop of symbolic links"]);
    std::fs::remove_file(&secret).unwrap();
    std::fs::write(&secret, vec![b'x'; 512_001]).unwrap();
    try_with(&["larger than 512000 bytes", "`[serve] max-size` in cosec.toml"]);
}

#[test]
fn a_project_that_cannot_be_served_is_told_why_in_one_sentence() {
    let project = project("value");
    let with = |text: &str, words: &[&str]| {
        project.write("compose.yaml", text);
        shell(&project, "true").fails(2, words);
        project.assert_nothing_left();
    };
    with(&COMPOSE.replace("[pw]", "[pww]"), &["compose.yaml:5:", "`pww`", "does not define"]);
    with(&COMPOSE.replace("file: ./secrets/pw", "external: true"), &["external, which only Swarm has"]);
    with(&COMPOSE.replace("file: ./secrets/pw", "file: \"\""), &["is a directory; name a file"]);
    with(&COMPOSE.replace("[pw]", "[{source: pw, target: ../x}]"), &["leaves its directory"]);
    for (target, words) in [
        ("/etc/../x/y", "has `..` in it; write the path without"),
        ("/proc/x", "is in /proc/, where the kernel alone has files"),
        ("/sys/x", "is in /sys/"),
    ] {
        with(
            &COMPOSE.replace("[pw]", &format!("[{{source: pw, target: {target}}}]")),
            &[words, "compose.yaml:5:"],
        );
    }
    with(
        &COMPOSE.replace("file: ./secrets/pw", "environment: NO_SUCH"),
        &["NO_SUCH, which is not set", "compose.yaml:8:"],
    );
    with(&COMPOSE.replace("[pw]", "[pw, {source: pw, target: pw}]"), &["both go to /run/secrets/pw"]);
    for pair in [
        "[{source: pw, target: x}, {source: pw, target: x/y}]",
        "[{source: pw, target: /a/b/c}, {source: pw, target: /a}]",
    ] {
        with(
            &COMPOSE.replace("[pw]", pair),
            &["compose.yaml:", "one is a file and a directory of the other's"],
        );
    }
    let long = format!("[{{source: pw, target: {}}}]", "n".repeat(256));
    with(
        &COMPOSE.replace("[pw]", &long),
        &["compose.yaml:", "has 256 bytes, and a file's name has 255 at most"],
    );
    with(
        &COMPOSE.replace("[pw]", "[{source: pw, target: /no/such/place}]"),
        &["/no/such/place does not exist here"],
    );
    with("services: {db: {image: x}}", &["no service of the project is granted a secret"]);
    with("services: [", &["not valid YAML"]);
    with("- just a list", &["`services:` at its top"]);
    project.write("compose.yaml", COMPOSE);
    project.cosec(&["run", "--service", "nobody", "--", "true"]).fails(2, &["no service `nobody`"]);
    project.cosec(&["run", "--", "/no/such/program"]).fails(2, &["cannot run /no/such/program"]);
    project.cosec(&["-f", "gone.yaml", "run", "--", "true"]).fails(2, &["no file gone.yaml", "-f"]);
    project.assert_nothing_left();
}

#[test]
fn without_fuse_or_docker_one_sentence_says_what_to_install() {
    let project = project("value");
    project.cosec(&["up"]).fails(2, &["no Docker engine answers; start it"]);
    let mut command = project.command(&["up"]);
    finish(command.env("COSEC_DOCKER", "/no/docker")).fails(2, &["cannot run /no/docker", "cosec run"]);
    let doctor = project.cosec(&["doctor"]);
    assert_eq!(doctor.code, 1, "`cosec up` cannot do without an engine: {}", doctor.stdout);
    assert!(doctor.stdout.contains("BAD   docker engine: no Docker engine answers"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("?     engine's users: not known"), "{}", doctor.stdout);
    // A mount namespace in which /dev/fuse is hidden.
    let script = format!(
        "mount -t tmpfs x /dev && mknod -m 666 /dev/null c 1 3 && exec {} run -- true",
        env!("CARGO_BIN_EXE_cosec")
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).current_dir(project.directory());
    command.env("XDG_RUNTIME_DIR", project.runtime()).env("XDG_STATE_HOME", project.state());
    finish(&mut command).fails(2, &["no /dev/fuse; load the module"]);
    project.assert_nothing_left();
}

#[test]
fn a_runtime_directory_that_cannot_be_written_to_is_named() {
    let project = project("value");
    // Nobody may make a directory in there, root neither.
    let mut command = project.command(&["run", "--", "true"]);
    finish(command.env("XDG_RUNTIME_DIR", "/proc/self")).fails(2, &["/proc/self/cosec"]);
    project.assert_nothing_left();
}

#[test]
fn ten_thousand_secrets_are_served() {
    use std::fmt::Write;
    let project = Project::new();
    let (mut grants, mut secrets) = (String::new(), String::new());
    for number in 0..10_000 {
        write!(grants, "s{number},").unwrap();
        write!(secrets, "\n  s{number}: {{file: secrets/s{number}}}").unwrap();
        project.write(&format!("secrets/s{number}"), format!("value {number}"));
    }
    project.write(
        "compose.yaml",
        format!("services: {{db: {{image: x, secrets: [{grants}]}}}}\nsecrets:{secrets}\n"),
    );
    let seen = shell(&project, "ls /run/secrets | wc -l; cat /run/secrets/s0 /run/secrets/s9999").succeeds();
    assert_eq!(seen.stdout.trim_start(), "10000\nvalue 0value 9999");
    project.assert_nothing_left();
}

#[test]
fn a_secret_that_git_would_commit_is_refused_and_the_advice_helps() {
    let project = project("value");
    project.write(".gitignore", "");
    let refused =
        shell(&project, "true").fails(1, &["git does not ignore secrets/pw", "or pass --allow-unignored"]);
    let advice =
        refused.stderr.lines().find_map(|line| line.trim().strip_prefix("run: ")).unwrap().to_owned();
    assert!(
        Command::new("sh").args(["-c", &advice]).current_dir(project.directory()).status().unwrap().success()
    );
    shell(&project, "true").succeeds();
    project.git(&["add", "-f", "secrets/pw"]);
    let refused = shell(&project, "true").fails(1, &["git tracks secrets/pw", "change the secret"]);
    let advice = refused.stderr.lines().find_map(|line| line.trim().strip_prefix("run: ")).unwrap();
    let advice = advice.split(" (then").next().unwrap().to_owned();
    assert!(
        Command::new("sh").args(["-c", &advice]).current_dir(project.directory()).status().unwrap().success()
    );
    shell(&project, "true").succeeds();
    project.cosec(&["run", "--allow-unignored", "--", "true"]).succeeds();
}

#[test]
fn an_image_is_asked_about_once_however_many_services_have_it() {
    let project = project("value");
    let service = |number: u32| format!("  s{number}:\n    image: x\n    secrets: [pw]\n");
    let services: String = (0..40).map(service).collect();
    let text = COMPOSE.replace("  db:\n    image: x\n    secrets: [pw]\n", &services);
    project.write("compose.yaml", text);
    let script = "#!/bin/sh\necho \"$*\" >> calls\ncase $1 in version) echo 28.0;; image) echo '\"app\"';; create) echo c;;\n\
                  cp) tar -c passwd;; esac\n";
    project.write("passwd", "app:x:1000:1001::/:/bin/sh\n");
    project.write("docker", script);
    Command::new("chmod").arg("+x").arg(project.path("docker")).status().unwrap();
    let mut plan = project.command(&["plan"]);
    let plan = finish(plan.env("COSEC_DOCKER", project.path("docker"))).succeeds().stdout;
    assert_eq!(plan.matches("1000:1001").count(), 40, "{plan}");
    let calls = project.text("calls");
    let count = |word: &str| calls.lines().filter(|call| call.starts_with(word)).count();
    assert_eq!((count("image inspect"), count("cp")), (1, 1), "{calls}");
}

#[test]
fn of_a_link_it_is_the_file_at_its_end_that_git_must_not_commit() {
    let project = project("value");
    std::fs::remove_file(project.path("secrets/pw")).unwrap();
    project.write(".env.d/pw", "value");
    std::os::unix::fs::symlink("../.env.d/pw", project.path("secrets/pw")).unwrap();
    let words = ["git does not ignore .env.d/pw, which secrets/pw", "run: echo /.env.d/pw >> .gitignore"];
    shell(&project, "true").fails(1, &words);
    project.write(".gitignore", "/secrets/\n/.env.d/pw\n");
    shell(&project, "true").succeeds();
}

#[test]
fn where_a_git_file_leads_nowhere_nothing_is_known_and_nothing_served() {
    let project = Project::without_git();
    project.write("secrets/pw", "value");
    project.write("compose.yaml", COMPOSE);
    project.write(".git", "gitdir: /nowhere/worktrees/x\n");
    shell(&project, "true").fails(1, &["is not known: the file .git leads to no repository"]);
}

#[test]
fn outside_a_git_repository_files_are_served() {
    let project = Project::without_git();
    project.write("secrets/pw", "value");
    project.write("compose.yaml", COMPOSE);
    assert_eq!(shell(&project, "cat /run/secrets/pw").succeeds().stdout, "value");
}

#[test]
fn binary_and_empty_secrets_arrive_byte_for_byte() {
    let project = project("");
    assert_eq!(shell(&project, "wc -c < /run/secrets/pw").succeeds().stdout.trim(), "0");
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    project.write("secrets/pw", &bytes);
    shell(&project, "cmp /run/secrets/pw secrets/pw").succeeds();
}

#[test]
fn hostile_names_and_targets_are_served_as_they_are_or_refused() {
    let project = project("value");
    let long = "n".repeat(255);
    for target in ["ü ñ 雪", "a b\\tc", "-rf", "$$HOME", "*", long.as_str()] {
        project.write(
            "compose.yaml",
            COMPOSE.replace("[pw]", &format!("[{{source: pw, target: \"{target}\"}}]")),
        );
        assert_eq!(
            shell(&project, "cd /run/secrets; ls | wc -l; cat -- *").succeeds().stdout,
            "1\nvalue",
            "{target}"
        );
    }
    for (target, words) in
        [("a\\nb", "line break"), ("a\\0b", "line break"), ("../../etc/x", "leaves its directory")]
    {
        project.write(
            "compose.yaml",
            COMPOSE.replace("[pw]", &format!("[{{source: pw, target: \"{target}\"}}]")),
        );
        shell(&project, "true").fails(2, &[words]);
    }
    project.write("compose.yaml", COMPOSE.replace("[pw]", &format!("[{{source: pw, target: {long}n}}]")));
    shell(&project, "true").fails(2, &["has 255 at most"]);
    // A secret may be called `..`, which is no name for a file.
    project.write("compose.yaml", COMPOSE.replace("pw:", "..:").replace("[pw]", "[{source: .., target: x}]"));
    assert_eq!(shell(&project, "cat /run/secrets/x").succeeds().stdout, "value");
    project.assert_nothing_left();
}

#[test]
fn a_source_swapped_for_a_fifo_or_a_device_hangs_nobody_and_keeps_the_last_content() {
    let project = project("last");
    let script = "rm secrets/pw; mkfifo secrets/pw; cat /run/secrets/pw; rm secrets/pw; ln -s /dev/zero secrets/pw; \
                  cat /run/secrets/pw; rm secrets/pw; printf new > secrets/pw; sleep 0.2; cat /run/secrets/pw";
    // A new file may have the inode of the one before, and counts as written in place then.
    assert_eq!(shell(&project, script).succeeds().stdout, "lastlastnew");
}

#[test]
fn ten_thousand_opens_at_once_all_read() {
    use std::io::Read;
    let limit = rustix::process::Rlimit { current: Some(11_000), maximum: Some(11_000) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let project = project("value");
    let mut command = project.command(&["run", "--", "sh", "-c", "echo ready; exec sleep 300"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    let inside =
        rig::children(child.id()).into_iter().find(|pid| !words(*pid).starts_with("cosec __")).unwrap();
    let path = format!("/proc/{inside}/root/run/secrets/pw");
    // From many threads, and none is closed before all are open.
    let together = std::sync::Barrier::new(50);
    let mut open: Vec<std::fs::File> = std::thread::scope(|scope| {
        let some = || {
            together.wait();
            (0..200).map(|_| std::fs::File::open(&path).unwrap()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for file in &mut open {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "value");
    }
    drop(open);
    assert_eq!(project.audit().lines().count(), 10_000);
    rig::signal(&[child.id()], "TERM");
    child.wait().unwrap();
    project.assert_nothing_left();
}

#[test]
fn a_broken_compose_file_hides_no_audit_and_a_torn_line_breaks_no_reader_of_json() {
    let project = project("value");
    shell(&project, "cat /run/secrets/pw").succeeds();
    let trail = project.state().join("cosec/demo/audit.jsonl");
    let whole = std::fs::read_to_string(&trail).unwrap();
    let entries = whole.lines().count();
    assert!(entries > 0);
    std::fs::write(&trail, format!("{}\n17\n{whole}{}", &whole[..40], &whole[..9])).unwrap();
    project.write("compose.yaml", "services: [");
    project
        .cosec(&["audit"])
        .fails(2, &["not valid YAML", "with `-p NAME` this command needs no Compose file"]);
    project.cosec(&["status"]).fails(2, &["with `-p NAME`"]);
    project.cosec(&["-p", "demo", "status"]).fails(2, &["no server of this project runs"]);
    project.cosec(&["-p", "../demo", "audit"]).fails(2, &["`../demo` is no project name"]);
    let json = project.cosec(&["-p", "demo", "audit", "--json"]).succeeds();
    assert_eq!(json.stdout, whole);
    assert!(json.stderr.contains("left out 3 lines of "), "{}", json.stderr);
    let text = project.cosec(&["-p", "demo", "audit"]).succeeds();
    assert_eq!(text.stdout.lines().count(), entries, "{}", text.stdout);
    project.write(".env", "COMPOSE_PROJECT_NAME=demo\n");
    assert_eq!(project.cosec(&["audit", "--json"]).succeeds().stdout, whole);
}

#[test]
fn an_audit_that_nobody_has_is_not_made_by_a_look_and_a_misspelt_service_is_named() {
    let project = project("value");
    let said = project.cosec(&["-p", "nobodys", "audit"]).succeeds().stdout;
    assert!(said.contains("was written down yet"), "{said}");
    project.cosec(&["audit", "--service", "dd"]).fails(2, &["has no service `dd`; there is db"]);
    project.cosec(&["audit", "--service", "db"]).succeeds();
    assert!(!project.state().join("cosec").exists());
}

#[test]
fn an_env_file_with_a_secret_that_git_would_commit_is_told_and_served() {
    let project = project("value");
    project.write("compose.yaml", COMPOSE.replace("file: ./secrets/pw", "environment: PW"));
    project.write(".env", "PW=value\n");
    let ran = shell(&project, "cat /run/secrets/pw").succeeds();
    assert_eq!(ran.stdout, "value");
    let words =
        "warning: git does not ignore .env, the file of the secret `pw`\n  run: echo /.env >> .gitignore";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    project.write(".gitignore", "/.env\n");
    assert_eq!(shell(&project, "true").succeeds().stderr, "");
}

#[test]
fn who_follows_the_audit_sees_an_entry_that_is_written_in_two_steps() {
    let project = project("value");
    shell(&project, "cat /run/secrets/pw").succeeds();
    let trail = project.state().join("cosec/demo/audit.jsonl");
    let whole = std::fs::read_to_string(&trail).unwrap();
    let line = format!("{}\n", whole.lines().next().unwrap());
    std::fs::write(&trail, &line[..30]).unwrap();
    let mut command = project.command(&["audit", "--follow", "--json"]);
    let output = std::fs::File::create(project.path("seen")).unwrap();
    let mut child = command.stderr(output.try_clone().unwrap()).stdout(output).spawn().unwrap();
    // It looks ten times a second.
    std::thread::sleep(std::time::Duration::from_millis(400));
    let mut file = std::fs::OpenOptions::new().append(true).open(&trail).unwrap();
    std::io::Write::write_all(&mut file, &line.as_bytes()[30..]).unwrap();
    until("something is said", || !project.text("seen").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(project.text("seen"), line);
}

#[test]
fn without_a_server_a_shell_does_not_go_on_to_start_containers_without_their_secrets() {
    let project = project("value");
    let mut command = project.command(&["env"]);
    let failed = finish(&mut command).fails(2, &["no server of this project runs"]);
    let script = format!("eval '{}' && echo started", failed.stdout.trim_end());
    let shell = finish(Command::new("sh").args(["-c", &script]));
    assert_eq!((shell.stdout.as_str(), shell.code), ("", 1));
}

#[test]
fn a_rotation_overwrites_no_file_of_the_project_itself_and_writes_nothing_where_git_would_take_it() {
    let project = project("value");
    for name in ["compose.yaml", ".env", "app.env", "compose.override.yaml", "settings.ini"] {
        project.write(name, "A=1\n");
    }
    std::os::unix::fs::symlink("compose.yaml", project.path("link")).unwrap();
    let files = ["./compose.yaml", ".env", "app.env", "compose.override.yaml", "link", "settings.ini"];
    let configs = (0..).zip(files).map(|(number, file)| format!("  c{number}: {{file: {file}}}\n"));
    let configs: String = configs.collect();
    let text = COMPOSE.replace(
        "secrets: [pw]",
        "secrets: [pw]\n    env_file: app.env\n    configs: [c0, c1, c2, c3, c4, c5]",
    );
    let text = format!("{text}configs:\n{configs}");
    project.write("compose.yaml", &text);
    project.write("compose.override.yaml", "services: {}\n");
    let rotate =
        |name: &str| project.cosec(&["-f", "compose.yaml", "rotate", name, "--config", "--generate"]);
    for name in ["c0", "c1", "c2", "c3", "c4"] {
        rotate(name).fails(1, &["which the project itself is made of"]);
    }
    assert_eq!(project.text("compose.yaml"), text);
    rotate("c5").succeeds();
    assert_eq!(project.text("settings.ini").len(), 32);
    project.cosec(&["rotate", "c5", "--generate"]).fails(2, &["it is a config: pass --config"]);
    rotate("pw").fails(2, &["it is a secret: leave --config out"]);
    std::fs::remove_file(project.path("secrets/pw")).unwrap();
    project.write(".gitignore", "\n");
    project
        .cosec(&["rotate", "pw", "--generate"])
        .fails(1, &["where git would commit it", "git does not ignore", "run: echo"]);
    assert!(!project.path("secrets/pw").exists());
    project.write(".gitignore", "/secrets/\n");
    project.cosec(&["rotate", "pw", "--generate"]).succeeds();
    assert_eq!(project.text("secrets/pw").len(), 32);
    project.assert_nothing_left();
}
