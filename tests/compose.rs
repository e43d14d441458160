//! cosec and `docker compose` read the same project: both are asked, and must agree on whether it is one, on its
//! name, and on who is granted which secret where. `docker compose config` needs no engine.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod rig;

use rig::{Project, finish};

/// A name, the files, the arguments before the subcommand, and variables.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str, files: &'static [(&'static str, &'static str)]) -> Case {
    Case { name, files, arguments: &[], variables: &[] }
}

const fn with(
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
) -> Case {
    Case { name, files, arguments, variables: &[] }
}

const BASE: &str = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s}, t: {file: ./t}}\n";

const CASES: &[Case] = &[
    case("one file", &[("compose.yaml", BASE)]),
    case(
        "long grants",
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [{source: s, target: d/n, mode: 0440, uid: '5'}, {source: s, target: /abs}]}}\nsecrets: {s: {file: ./s}}\n",
        )],
    ),
    case(
        "an override file is merged unasked",
        &[("compose.yaml", BASE), ("compose.override.yaml", "services: {a: {secrets: [t]}}\n")],
    ),
    case(
        "of two override names yml comes first",
        &[
            ("compose.yaml", BASE),
            ("compose.override.yml", "services: {a: {secrets: [t]}}\n"),
            ("compose.override.yaml", "services: {a: {secrets: [u]}}\n"),
        ],
    ),
    case(
        "compose.yaml wins over docker-compose.yml",
        &[("docker-compose.yml", "services: {b: {image: y}}\n"), ("compose.yaml", BASE)],
    ),
    with(
        "-f switches the override off",
        &[("compose.yaml", BASE), ("compose.override.yaml", "services: {a: {secrets: [t]}}\n")],
        &["-f", "compose.yaml"],
    ),
    with(
        "the same secret twice is one",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: {secrets: [s]}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "an absolute target replaces the short form",
        &[
            ("compose.yaml", BASE),
            ("o.yaml", "services: {a: {secrets: [{source: t, target: /run/secrets/s}]}}\n"),
        ],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "a list is not emptied by an empty one",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: {secrets: []}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "null changes nothing",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: {secrets: null}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "!reset empties",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: {secrets: !reset []}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "!reset null empties",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: {secrets: !reset null}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "!override replaces",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: {secrets: !override [t]}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "file becomes environment",
        &[("compose.yaml", BASE), ("o.yaml", "secrets: {s: !override {environment: X}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "a list over a mapping is refused",
        &[("compose.yaml", BASE), ("o.yaml", "services: {a: [x]}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    with(
        "a service of the second file alone",
        &[("compose.yaml", BASE), ("o.yaml", "services: {b: {image: y, secrets: [t]}}\n")],
        &["-f", "compose.yaml", "-f", "o.yaml"],
    ),
    case(
        "two documents in a file",
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s}}\n---\nservices: {a: {secrets: [t]}}\nsecrets: {t: {file: ./t}}\n",
        )],
    ),
    case(
        "extends in one file",
        &[(
            "compose.yaml",
            "services: {b: {image: x, secrets: [s]}, a: {extends: b, secrets: [t]}}\nsecrets: {s: {file: ./s}, t: {file: ./t}}\n",
        )],
    ),
    case(
        "extends from another file brings grants, not secrets",
        &[
            (
                "compose.yaml",
                "services: {a: {extends: {file: d/b.yaml, service: b}}}\nsecrets: {s: {file: ./s}}\n",
            ),
            ("d/b.yaml", "services: {b: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./other}}\n"),
        ],
    ),
    case(
        "extends in a chain",
        &[
            (
                "compose.yaml",
                "services: {a: {extends: b}, b: {extends: {file: d/c.yaml, service: c}}}\nsecrets: {s: {file: ./s}}\n",
            ),
            ("d/c.yaml", "services: {c: {image: x, secrets: [s]}}\n"),
        ],
    ),
    case(
        "extends in a circle is refused",
        &[("compose.yaml", "services: {a: {image: x, extends: b}, b: {extends: a}}\n")],
    ),
    case("extends of nothing is refused", &[("compose.yaml", "services: {a: {image: x, extends: b}}\n")]),
    case(
        "extends of a missing file is refused",
        &[("compose.yaml", "services: {a: {image: x, extends: {file: gone.yaml, service: b}}}\n")],
    ),
    case(
        "include brings services and secrets",
        &[
            ("compose.yaml", "include: [d/inc.yaml]\nservices: {a: {image: x, secrets: [i]}}\n"),
            ("d/inc.yaml", "services: {b: {image: y, secrets: [i]}}\nsecrets: {i: {file: ./i}}\n"),
        ],
    ),
    case(
        "include in the long form",
        &[
            (
                "compose.yaml",
                "include: [{path: [d/inc.yaml, d/more.yaml], project_directory: d}]\nservices: {a: {image: x}}\n",
            ),
            ("d/inc.yaml", "services: {b: {image: y, secrets: [i]}}\nsecrets: {i: {file: ./i}}\n"),
            ("d/more.yaml", "services: {b: {secrets: [j]}}\nsecrets: {j: {file: ./j}}\n"),
        ],
    ),
    case(
        "include that conflicts is refused",
        &[
            ("compose.yaml", "include: [inc.yaml]\nservices: {a: {image: x}}\n"),
            ("inc.yaml", "services: {a: {image: y}}\n"),
        ],
    ),
    case(
        "include of the same thing is fine",
        &[
            (
                "compose.yaml",
                "include: [inc.yaml]\nservices: {a: {image: x}}\nsecrets: {s: {environment: S}}\n",
            ),
            ("inc.yaml", "services: {b: {image: y}}\nsecrets: {s: {environment: S}}\n"),
        ],
    ),
    case(
        "include reads its own .env",
        &[
            ("compose.yaml", "include: [d/inc.yaml]\nservices: {a: {image: x}}\n"),
            (
                "d/inc.yaml",
                "services: {b: {image: y, secrets: [{source: i, target: \"${T}\"}]}}\nsecrets: {i: {file: ./i}}\n",
            ),
            ("d/.env", "T=from_inner\n"),
        ],
    ),
    case(
        "the outer .env wins over the included one",
        &[
            ("compose.yaml", "include: [d/inc.yaml]\nservices: {a: {image: x}}\n"),
            (
                "d/inc.yaml",
                "services: {b: {image: y, secrets: [{source: i, target: \"${T}\"}]}}\nsecrets: {i: {file: ./i}}\n",
            ),
            ("d/.env", "T=from_inner\n"),
            (".env", "T=from_outer\n"),
        ],
    ),
    case(
        "include of a missing file is refused",
        &[("compose.yaml", "include: [gone.yaml]\nservices: {a: {image: x}}\n")],
    ),
    case(
        "include in a circle is refused",
        &[
            ("compose.yaml", "include: [b.yaml]\nservices: {a: {image: x}}\n"),
            ("b.yaml", "include: [compose.yaml]\nservices: {b: {image: x}}\n"),
        ],
    ),
    case(
        "a service with a profile is left out",
        &[(
            "compose.yaml",
            "services: {a: {image: x}, b: {image: y, profiles: [p], secrets: [s]}}\nsecrets: {s: {file: ./s}}\n",
        )],
    ),
    with(
        "unless the profile is asked for",
        &[(
            "compose.yaml",
            "services: {a: {image: x}, b: {image: y, profiles: [p], secrets: [s]}}\nsecrets: {s: {file: ./s}}\n",
        )],
        &["--profile", "p"],
    ),
    with(
        "or all are",
        &[(
            "compose.yaml",
            "services: {a: {image: x}, b: {image: y, profiles: [p], secrets: [s]}}\nsecrets: {s: {file: ./s}}\n",
        )],
        &["--profile", "*"],
    ),
    Case {
        name: "or COMPOSE_PROFILES asks",
        files: &[(
            "compose.yaml",
            "services: {a: {image: x}, b: {image: y, profiles: [p], secrets: [s]}}\nsecrets: {s: {file: ./s}}\n",
        )],
        arguments: &[],
        variables: &[("COMPOSE_PROFILES", "q,p")],
    },
    Case {
        name: "COMPOSE_FILE names several",
        files: &[("x.yaml", BASE), ("y.yaml", "services: {a: {secrets: [t]}}\n")],
        arguments: &[],
        variables: &[("COMPOSE_FILE", "x.yaml:y.yaml")],
    },
    Case {
        name: "with another separator",
        files: &[("x.yaml", BASE), ("y.yaml", "services: {a: {secrets: [t]}}\n")],
        arguments: &[],
        variables: &[("COMPOSE_FILE", "x.yaml;y.yaml"), ("COMPOSE_PATH_SEPARATOR", ";")],
    },
    case(
        "COMPOSE_FILE in .env",
        &[
            ("x.yaml", BASE),
            (".env", "COMPOSE_FILE=x.yaml\n"),
            ("compose.yaml", "services: {z: {image: z}}\n"),
        ],
    ),
    case(
        "name: in the file",
        &[(
            "compose.yaml",
            "name: fancy\nservices: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s}}\n",
        )],
    ),
    case(
        "COMPOSE_PROJECT_NAME in .env",
        &[("compose.yaml", BASE), (".env", "COMPOSE_PROJECT_NAME=fromenv\n")],
    ),
    with("-p wins", &[("compose.yaml", "name: fancy\nservices: {a: {image: x}}\n")], &["-p", "chosen"]),
    case(
        "interpolated targets",
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [{source: s, target: \"${T:-d}/$${x}\"}]}}\nsecrets: {s: {file: ./s}}\n",
        )],
    ),
    case(
        "a required variable that is not set is refused",
        &[("compose.yaml", "services: {a: {image: \"${I:?no image}\"}}\n")],
    ),
    case(
        "a required variable from .env",
        &[("compose.yaml", "services: {a: {image: \"${I:?no image}\"}}\n"), (".env", "I=x\n")],
    ),
    with(
        "--env-file replaces .env",
        &[
            ("compose.yaml", "services: {a: {image: \"${I:?no image}\"}}\n"),
            (".env", "I=x\n"),
            ("e.env", "J=y\n"),
        ],
        &["--env-file", "e.env"],
    ),
    Case {
        name: "COMPOSE_DISABLE_ENV_FILE",
        files: &[("compose.yaml", "services: {a: {image: \"${I:?no image}\"}}\n"), (".env", "I=x\n")],
        arguments: &[],
        variables: &[("COMPOSE_DISABLE_ENV_FILE", "1")],
    },
    case("malformed interpolation is refused", &[("compose.yaml", "services: {a: {image: \"${I\"}}\n")]),
    case(
        "a merge key and an anchor",
        &[(
            "compose.yaml",
            "x-c: &c {image: x, secrets: [s]}\nservices: {a: {<<: *c}, b: {<<: *c, secrets: [t]}}\nsecrets: {s: {file: ./s}, t: {file: ./t}}\n",
        )],
    ),
    case("a duplicate key is refused", &[("compose.yaml", "services: {a: {image: x, image: y}}\n")]),
    case(
        "an undefined network is refused",
        &[("compose.yaml", "services: {a: {image: x, networks: [n]}}\n")],
    ),
    case(
        "an undefined volume is refused",
        &[("compose.yaml", "services: {a: {image: x, volumes: [\"vol:/d\"]}}\n")],
    ),
    case(
        "an undefined dependency is refused",
        &[("compose.yaml", "services: {a: {image: x, depends_on: [b]}}\n")],
    ),
    case("an undefined secret is refused", &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n")]),
    case("neither image nor build is refused", &[("compose.yaml", "services: {a: {command: x}}\n")]),
    case(
        "a missing env file is refused",
        &[("compose.yaml", "services: {a: {image: x, env_file: gone.env}}\n")],
    ),
    case(
        "unless it is not required",
        &[("compose.yaml", "services: {a: {image: x, env_file: [{path: gone.env, required: false}]}}\n")],
    ),
    case("services as a list are refused", &[("compose.yaml", "services: [a]\n")]),
    case("an empty file is refused", &[("compose.yaml", "")]),
    case("no file at all is refused", &[]),
];

#[test]
fn cosec_reads_a_project_as_compose_does() {
    if !std::process::Command::new("docker")
        .args(["compose", "version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        assert!(std::env::var_os("CI").is_none(), "docker compose is missing");
        println!("not run: there is no docker compose here; run `cargo xtask setup` as root");
        return;
    }
    let mut differences = Vec::new();
    for case in CASES {
        let project = Project::new();
        for (name, text) in case.files {
            project.write(name, text);
        }
        let run = |mut command: std::process::Command| {
            command.envs(case.variables.iter().copied());
            finish(&mut command)
        };
        let mut compose = std::process::Command::new("docker");
        compose.arg("compose").args(case.arguments).args(["config", "--format", "json"]);
        compose
            .current_dir(project.directory())
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROJECT_NAME");
        let theirs = run(compose);
        let ours = run(project.command(&[case.arguments, &["plan", "--format", "json"]].concat()));
        let (theirs, ours) = (summary(&theirs, grants_of_config), summary(&ours, grants_of_plan));
        if theirs != ours {
            differences.push(format!("{}:\n  compose {theirs:?}\n  cosec   {ours:?}", case.name));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} differ\n{}",
        differences.len(),
        CASES.len(),
        differences.join("\n")
    );
    println!("{} projects are read alike", CASES.len());
}

type Grants = Vec<(String, String, String)>;

/// The project's name and grants; `None` where it was refused.
fn summary(ran: &rig::Ran, grants: fn(&serde_json::Value) -> (String, Grants)) -> Option<(String, Grants)> {
    (ran.code == 0).then(|| {
        let (name, mut grants) = grants(&serde_json::from_str(&ran.stdout).unwrap());
        grants.sort();
        (name, grants)
    })
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn grants_of_config(config: &serde_json::Value) -> (String, Grants) {
    let mut grants = Vec::new();
    for (service, definition) in config["services"].as_object().into_iter().flatten() {
        for grant in definition["secrets"].as_array().into_iter().flatten() {
            // Compose writes `$` as `$$`, so that its output can be its input again.
            let target = grant["target"]
                .as_str()
                .unwrap_or_else(|| grant["source"].as_str().unwrap())
                .replace("$$", "$");
            let target = if target.starts_with('/') { target } else { format!("/run/secrets/{target}") };
            grants.push((service.clone(), text(&grant["source"]), target));
        }
    }
    (text(&config["name"]), grants)
}

fn grants_of_plan(plan: &serde_json::Value) -> (String, Grants) {
    let deliveries = plan["deliveries"].as_array().into_iter().flatten();
    let grants =
        deliveries.map(|entry| (text(&entry["service"]), text(&entry["secret"]), text(&entry["target"])));
    (text(&plan["project"]), grants.collect())
}
