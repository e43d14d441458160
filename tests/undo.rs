//! `cosec fix` writes all or nothing, takes it back, and leaves nothing to git, whenever it is killed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod rig;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use rig::{Project, holds};

const CANARY: &str = "canary-7Qx5z";

/// A project whose fix makes a file, changes one of each kind and makes an ignore file.
fn project() -> Project {
    let project = Project::new();
    project.write(".gitignore", "/.env\n");
    project.write(".env", format!("OTHER={CANARY}-2\nDB_PW={CANARY}\n"));
    project.write(
        "compose.yaml",
        format!("services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_USER: me\n      POSTGRES_PASSWORD: '${{DB_PW}}' # why\n  my: {{image: mysql, env_file: my.env, environment: {{MYSQL_PASSWORD: {CANARY}-3}}}}\n  app: {{build: ., labels: {{l: '${{OTHER}}'}}}}\n"),
    );
    project.write("my.env", format!("MYSQL_PASSWORD={CANARY}-4\nTZ=UTC\n"));
    project.git(&["add", "--all"]);
    project
}

const FIX: [&str; 3] = ["fix", "--unsafe", "--write"];
const UNDO: [&str; 2] = ["fix", "--undo"];

#[test]
fn undo_gives_back_the_same_bytes_and_removes_what_was_made() {
    let project = project();
    let before = project.files();
    project.cosec(&FIX).succeeds();
    let changed: Vec<_> = [".env", ".gitignore", "compose.yaml", "my.env"]
        .into_iter()
        .filter(|name| before[std::path::Path::new(name)] != fs::read(project.path(name)).unwrap())
        .collect();
    assert_eq!(changed, [".env", ".gitignore", "compose.yaml", "my.env"]);
    assert!(project.path(".dockerignore").exists() && project.path("secrets/postgres_password").exists());
    project.cosec(&UNDO).succeeds();
    assert_eq!(project.files(), before);
    project.cosec(&UNDO).fails(2, &["nothing to take back"]);
}

#[test]
fn several_files_of_one_directory_are_taken_back_together() {
    let project = project();
    project.write("other.yaml", project.text("compose.yaml").replace("  db:", "  db2:"));
    project.write("third.yaml", project.text("other.yaml").replace("  db2:", "  db3:"));
    let before = project.files();
    let all = ["compose.yaml", "other.yaml", "third.yaml"];
    project.cosec(&[&FIX[..], &all].concat()).succeeds();
    assert!(all.iter().all(|name| project.text(name).contains("POSTGRES_PASSWORD_FILE")));
    project.cosec(&[&UNDO[..], &all].concat()).succeeds();
    assert_eq!(project.files(), before);
    // What an earlier run did is settled.
    project.cosec(&[&FIX[..], &all[..1]].concat()).succeeds();
    let one = project.files();
    project.cosec(&[&FIX[..], &all[1..]].concat()).succeeds();
    project.cosec(&[&UNDO[..], &all[1..]].concat()).succeeds();
    assert_eq!(project.text("other.yaml").as_bytes(), one[std::path::Path::new("other.yaml")]);
    assert!(project.text("compose.yaml").contains("POSTGRES_PASSWORD_FILE"));
    project.cosec(&UNDO).fails(2, &["nothing to take back"]);
}

#[test]
fn a_file_that_has_gone_since_comes_back_with_its_mode_and_one_with_another_mode_keeps_that() {
    let project = project();
    let mode = |name: &str| fs::metadata(project.path(name)).unwrap().permissions().mode() & 0o777;
    let set = |name: &str, mode| {
        fs::set_permissions(project.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("compose.yaml", 0o640);
    let before = project.files();
    project.cosec(&FIX).succeeds();
    fs::remove_file(project.path("compose.yaml")).unwrap();
    set("my.env", 0o604);
    project.cosec(&UNDO).succeeds();
    assert_eq!(project.files(), before);
    assert_eq!((mode("compose.yaml"), mode("my.env")), (0o640, 0o604));
}

#[test]
fn a_file_with_another_name_is_said_to_be_another_file_now() {
    let project = project();
    fs::hard_link(project.path("compose.yaml"), project.path("linked")).unwrap();
    let ran = project.cosec(&FIX).succeeds();
    assert!(ran.stderr.contains("compose.yaml has other names (hard links)"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("my.env has other names"), "{}", ran.stderr);
    assert!(project.text("linked").contains(CANARY) && !project.text("compose.yaml").contains(CANARY));
    project.cosec(&UNDO).succeeds();
    assert_eq!(project.text("linked"), project.text("compose.yaml"));
}

#[test]
fn what_was_changed_after_a_fix_is_not_lost_by_undo() {
    let project = project();
    project.cosec(&FIX).succeeds();
    let fixed = project.files();
    for (name, text) in [("compose.yaml", "services: {}\n"), ("secrets/postgres_password", "rotated")] {
        let own = project.text(name);
        project.write(name, text);
        project.cosec(&UNDO).fails(2, &[name, "has been changed since"]);
        assert_eq!(project.text(name), text);
        project.write(name, own);
    }
    assert_eq!(project.files(), fixed, "a refused undo does nothing");
    // A line of one's own in .gitignore stays, and stands in the way of nothing.
    project.write(".gitignore", "/.env\n/secrets/\n/own\n");
    project.cosec(&UNDO).succeeds();
    assert_eq!(project.text(".gitignore"), "/.env\n/secrets/\n/own\n");
    assert!(!project.path("secrets/postgres_password").exists());
}

#[test]
fn a_file_that_is_in_the_way_is_not_touched() {
    let project = project();
    // No text, so that it could not be read; it is not to be replaced by one with a line more.
    project.write(".gitignore", b"/.env\n\xff\n");
    let before = project.files();
    let ran = project.cosec(&FIX).succeeds();
    assert!(
        ran.stderr.contains(".gitignore cannot be changed, it is not UTF-8 text; save it as UTF-8"),
        "{}",
        ran.stderr
    );
    let unchanged =
        |name: &str| assert_eq!(project.text(name).as_bytes(), before[std::path::Path::new(name)]);
    ["compose.yaml", ".env"].into_iter().for_each(unchanged);
    assert_eq!(fs::read(project.path(".gitignore")).unwrap(), before[std::path::Path::new(".gitignore")]);
    assert!(!project.path("secrets/postgres_password").exists());
}

#[test]
fn a_fix_that_was_done_is_not_taken_back_because_its_secret_has_gone_since() {
    let project = project();
    project.cosec(&FIX).succeeds();
    let fixed = project.text("compose.yaml");
    let ignored = project.text(".gitignore");
    fs::remove_dir_all(project.path("secrets")).unwrap();
    project.cosec(&["fix", "--write"]).succeeds();
    assert_eq!(project.text("compose.yaml"), fixed);
    assert_eq!(project.text(".gitignore"), ignored);
}

#[test]
fn a_fix_that_was_cut_off_is_said_to_be_taken_back() {
    let project = project();
    project.cosec(&FIX).succeeds();
    let compose = project.text("compose.yaml");
    fs::remove_file(project.path(".cosec/undo.1/done")).unwrap();
    let ran = project.cosec(&FIX).succeeds();
    assert!(ran.stderr.contains("cut off at its very end"), "{}", ran.stderr);
    assert_eq!(project.text("compose.yaml"), compose);
    fs::remove_file(project.path(".cosec/undo.1/done")).unwrap();
    let mut copies =
        (0..9).filter_map(|at| fs::read(project.path(&format!(".cosec/undo.1/{at}.before"))).ok());
    let before = copies.find(|bytes| bytes.starts_with(b"services:")).unwrap();
    project.write("compose.yaml", before);
    let ran = project.cosec(&FIX).succeeds();
    assert!(ran.stderr.contains("cut off half-way"), "{}", ran.stderr);
    assert_eq!(project.text("compose.yaml"), compose, "it is done anew");
}

#[test]
fn a_write_that_fails_or_has_nothing_to_do_leaves_the_undo_of_the_one_before() {
    let project = project();
    let before = project.files();
    project.cosec(&FIX).succeeds();
    let fixed = project.files();
    project.cosec(&FIX).succeeds();
    project.write(
        "other.yaml",
        format!("services: {{o: {{image: mariadb, environment: {{MARIADB_PASSWORD: {CANARY}}}}}}}\n"),
    );
    // Nobody can write there, root neither.
    let secrets = project.path("secrets").display().to_string();
    let mount = |arguments: &[&str]| rig::finish(Command::new("mount").args(arguments)).succeeds();
    mount(&["--bind", &secrets, &secrets]);
    mount(&["-o", "remount,bind,ro", &secrets]);
    let ran = project.cosec(&[&FIX[..], &["other.yaml"]].concat());
    rig::finish(Command::new("umount").arg(&secrets)).succeeds();
    let ran = ran.fails(2, &["cannot write", "secrets/"]);
    assert!(!ran.stderr.contains(CANARY));
    fs::remove_file(project.path("other.yaml")).unwrap();
    assert_eq!(project.files(), fixed, "nothing of the failed one is left");
    project.cosec(&UNDO).succeeds();
    assert_eq!(project.files(), before);
}

#[test]
fn a_fix_is_taken_back_from_wherever_the_user_stands() {
    let project = project();
    let before = project.files();
    project.cosec(&FIX).succeeds();
    fs::create_dir(project.path("sub")).unwrap();
    let from = |directory: &str, path: &str| {
        let mut command = project.command(&["fix", "--undo", path]);
        command.current_dir(project.path(directory)).output().unwrap()
    };
    let ran = from("sub", "..");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(project.files(), before);
    project.cosec(&[&FIX[..], &[project.path("compose.yaml").to_str().unwrap()]].concat()).succeeds();
    project.cosec(&UNDO).succeeds();
    assert_eq!(project.files(), before);
}

#[test]
fn a_value_is_not_written_where_git_would_take_it_through_a_link() {
    let project = project();
    fs::remove_dir(project.path("secrets")).unwrap();
    fs::create_dir_all(project.path("conf/sec")).unwrap();
    std::os::unix::fs::symlink("conf/sec", project.path("secrets")).unwrap();
    let before = project.files();
    project.cosec(&FIX);
    let output = Command::new("git")
        .args(["ls-files", "-z", "--others", "--exclude-standard"])
        .current_dir(project.directory())
        .output()
        .unwrap();
    for name in String::from_utf8(output.stdout).unwrap().split_terminator('\0') {
        if let Ok(bytes) = fs::read(project.path(name)) {
            assert!(!holds(&bytes, CANARY), "git would take {name}");
        }
    }
    if project.text("compose.yaml").as_bytes() == before[std::path::Path::new("compose.yaml")] {
        assert_eq!(project.files(), before, "all or nothing");
    }
}

/// `sudo cosec fix` in a user's project leaves it the user's.
#[test]
fn owner_group_and_mode_of_files_stay_when_root_fixes_and_takes_back() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can give files away");
        return;
    }
    let project = project();
    fs::remove_dir(project.path("secrets")).unwrap();
    for name in ["", ".gitignore", ".env", "compose.yaml"] {
        chown(project.path(name), Some(1234), Some(1235)).unwrap();
    }
    let modes = [("compose.yaml", 0o664), (".env", 0o640), (".gitignore", 0o600)];
    for (name, mode) in modes {
        fs::set_permissions(project.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let facts = |name: &str| {
        let facts = fs::metadata(project.path(name)).unwrap();
        (facts.uid(), facts.gid(), facts.mode() & 0o7777)
    };
    let stay =
        || modes.iter().for_each(|(name, mode)| assert_eq!(facts(name), (1234, 1235, *mode), "{name}"));
    project.cosec(&FIX).succeeds();
    stay();
    assert_eq!(facts("secrets"), (1234, 1235, 0o700));
    assert_eq!(facts("secrets/postgres_password"), (1234, 1235, 0o600));
    assert_eq!(facts(".cosec/undo.1"), (1234, 1235, 0o700));
    project.cosec(&UNDO).succeeds();
    stay();
}

/// Whether system calls can be followed; where tests are to prove something, they must.
fn has_strace() -> bool {
    let is_here = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !is_here {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        println!("not run: strace is not here; run `cargo xtask setup` as root");
    }
    is_here
}

/// A value that is on its way into a secret's file lies nowhere that git would take it from.
#[test]
fn a_kill_at_any_moment_of_rotate_leaves_the_old_value_or_the_new_one_and_none_for_git() {
    if !has_strace() {
        return;
    }
    let (mut kills, mut left) = (0, 0);
    for call in ["mkdir", "write", "fsync", "fchmod", "rename", "unlink", "rmdir"] {
        for nth in 1..50 {
            let project = rig::Project::new();
            project.write(
                "compose.yaml",
                "services: {a: {image: x, secrets: [pw]}}\nsecrets: {pw: {file: secrets/pw}}\n",
            );
            project.write("secrets/pw", "old");
            project.write(".gitignore", "/secrets/pw\n");
            let rotate = |strace: &[&str]| {
                let mut command =
                    Command::new(strace.first().copied().unwrap_or(env!("CARGO_BIN_EXE_cosec")));
                command.args(strace.iter().skip(1));
                if !strace.is_empty() {
                    command.arg(env!("CARGO_BIN_EXE_cosec"));
                }
                command.args(["rotate", "pw", "--generate"]).current_dir(project.directory());
                command.env("XDG_RUNTIME_DIR", project.runtime()).env("XDG_STATE_HOME", project.state());
                command.output().unwrap().status.success()
            };
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            let killed =
                !rotate(&["strace", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let value = project.text("secrets/pw");
            assert!(value == "old" || value.len() == 32, "killed at {call} {nth}");
            project.git(&["add", "--all"]);
            let listed =
                Command::new("git").arg("ls-files").current_dir(project.directory()).output().unwrap();
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            // Killed before its one line is written, the scratch directory's own .gitignore is empty, and alone there.
            let listed = listed.replace("secrets/.cosec-new/.gitignore\n", "");
            assert_eq!(listed, ".gitignore\ncompose.yaml\n", "killed at {call} {nth}: what git would commit");
            left += usize::from(project.files().len() > 3);
            assert!(rotate(&[]), "it goes on");
            assert_eq!(
                project.files().len(),
                3,
                "and clears away what was left: {:?}",
                project.files().keys()
            );
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 5 && left > 0, "{kills} kills, of which {left} left something");
}

/// A kill between any two steps leaves a project that works, with the old password or the new file; nothing that
/// git would take has the value; and it can be taken back, or done again, from there.
#[test]
fn a_kill_at_any_moment_of_fix_and_undo_leaves_the_old_project_or_the_new_one() {
    if !has_strace() {
        return;
    }
    let moments = [
        ("fix", &FIX[..], &["mkdir", "write", "fsync", "fchmod", "rename"][..]),
        ("undo", &UNDO[..], &["write", "fsync", "fchmod", "rename", "unlink", "unlinkat", "rmdir"][..]),
    ];
    for (name, arguments, calls) in moments {
        let mut kills = 0;
        for call in calls {
            let mut killed_by_call = 0;
            for nth in 1..400 {
                let project = project();
                let old = project.files();
                if name == "undo" {
                    project.cosec(&FIX).succeeds();
                }
                let inject = format!("inject={call}:signal=KILL:when={nth}");
                let mut command = Command::new("strace");
                command.args(["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
                command.arg(env!("CARGO_BIN_EXE_cosec")).args(arguments).current_dir(project.directory());
                let killed = !command.output().unwrap().status.success();
                assert_works(&project, &format!("{name} killed at {call} {nth}"));
                if name == "fix" && nth % 2 == 0 {
                    project.cosec(&FIX).succeeds();
                    assert!(project.text("compose.yaml").contains("/run/secrets/postgres_password"));
                }
                // Where nothing was done yet there is nothing to take back.
                project.cosec(&UNDO);
                assert_eq!(project.files(), old, "{name} killed at {call} {nth}, then undo");
                if !killed {
                    break;
                }
                killed_by_call += 1;
            }
            assert!(killed_by_call < 399, "{call} does not end");
            println!("{name}: {killed_by_call} kills at {call}");
            kills += killed_by_call;
        }
        assert!(kills > 20, "only {kills} moments of {name} were tried");
    }
}

/// A mode that was changed is known to be, and is given back, wherever the fix was cut off.
#[test]
fn a_kill_around_a_change_of_mode_loses_neither_the_mode_nor_the_secret() {
    if !has_strace() {
        return;
    }
    let mut kills = 0;
    for call in ["chmod", "rename", "unlink"] {
        for nth in 1..100 {
            let project = Project::new();
            for directory in ["..", "secrets"] {
                fs::set_permissions(project.path(directory), fs::Permissions::from_mode(0o755)).unwrap();
            }
            project.write(
                "compose.yaml",
                "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./secrets/s}}\n",
            );
            project.write("secrets/s", format!("{CANARY}\n"));
            fs::set_permissions(project.path("secrets/s"), fs::Permissions::from_mode(0o644)).unwrap();
            let old = project.files();
            let mut command = Command::new("strace");
            command.args(["-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
            command.arg(format!("inject={call}:signal=KILL:when={nth}"));
            command.arg(env!("CARGO_BIN_EXE_cosec")).args(FIX).current_dir(project.directory());
            let killed = !command.output().unwrap().status.success();
            let mode = || fs::metadata(project.path("secrets/s")).unwrap().mode() & 0o777;
            if nth % 2 == 0 {
                project.cosec(&FIX).succeeds();
                assert_eq!((mode(), project.text("secrets/s")), (0o600, CANARY.to_owned()), "{call} {nth}");
            }
            project.cosec(&UNDO);
            assert_eq!((mode(), project.files()), (0o644, old), "killed at {call} {nth}, then undo");
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 2, "only {kills} moments were tried");
}

/// Each service has its password, in the old way or the new one, and git would take none.
#[track_caller]
fn assert_works(project: &Project, when: &str) {
    let compose = project.text("compose.yaml");
    for (service, old, value) in
        [("postgres", "'${DB_PW}'", CANARY.to_owned()), ("mysql", "-3}}", format!("{CANARY}-3"))]
    {
        if compose.contains(old) {
            let env = project.text(".env");
            assert!(service == "mysql" || env.contains(&format!("DB_PW={CANARY}\n")), "{when}: {env}");
        } else {
            assert!(compose.contains(&format!("/run/secrets/{service}_password")), "{when}: {compose}");
            assert_eq!(project.text(&format!("secrets/{service}_password")), value, "{when}");
            // A line that had no effect would set it beside its file.
            assert!(service != "mysql" || !project.text("my.env").contains("MYSQL_PASSWORD"), "{when}");
        }
    }
    let untracked = Command::new("git")
        .args(["ls-files", "-z", "--others", "--exclude-standard"])
        .current_dir(project.directory())
        .output()
        .unwrap();
    for name in String::from_utf8(untracked.stdout).unwrap().split_terminator('\0') {
        let bytes = fs::read(project.path(name)).unwrap();
        assert!(!holds(&bytes, CANARY), "{when}: git would take {name}");
    }
}

#[test]
fn a_second_fix_at_the_same_time_waits_its_turn_and_takes_nothing_from_the_first() {
    let password =
        "services:\n  db:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: q9zt41\n";
    for _ in 0..10 {
        let project = rig::Project::new();
        project.write("compose.yaml", password);
        let start = || {
            let mut command = project.command(&["fix", "--unsafe", "--write"]);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        };
        let both = [start(), start()];
        let codes = both.map(|mut child| child.wait().unwrap().code());
        assert!(codes.contains(&Some(0)), "{codes:?}");
        assert_eq!(std::fs::read_to_string(project.path("secrets/postgres_password")).unwrap(), "q9zt41");
        let text = std::fs::read_to_string(project.path("compose.yaml")).unwrap();
        assert!(text.contains("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password"), "{text}");
        project.cosec(&["fix", "--undo"]).succeeds();
        assert_eq!(std::fs::read_to_string(project.path("compose.yaml")).unwrap(), password);
    }
    let project = rig::Project::new();
    project.write("compose.yaml", password);
    let held = std::fs::File::open(project.directory()).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    project.cosec(&["fix", "--unsafe", "--write"]).fails(2, &["another `cosec fix` is at work"]);
    project.cosec(&["fix", "--unsafe"]).succeeds();
}
