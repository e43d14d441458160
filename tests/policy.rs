//! The policy as a whole: one instance of every rule and a look-alike that must stay silent, settings, baselines, and
//! reports that fit their schema.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod rig;

use std::collections::BTreeSet;

use cosec_core::rules::ALL;
use rig::{Project, Ran, canary};
use serde_json::Value;

/// A rule, the files that break it, and files that look alike and do not.
struct Seed(&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const SECRET: &str = "secrets: {s: {file: ./secrets/s}}\n";

/// `…` in a text stands for [`SECRET`]'s definition, granted to the service above it.
const SEEDS: &[Seed] = &[
    Seed(
        "inline-password",
        &[("compose.yaml", "services: {a: {image: x, environment: [DB_PASSWORD=Xk29sLq]}}\n")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: [DB_PASSWORD_FILE=/run/x, MAX_TOKENS=4096, SECRET_NAME=prod]}}\n",
        )],
    ),
    Seed(
        "password-default",
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {DB_PASSWORD: \"${DB_PASSWORD:-Xk29sLq}\"}}}\n",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {PASS_SCHEME: \"${PASS_SCHEME:-BLF-CRYPT}\"}}}\n",
        )],
    ),
    Seed(
        "url-password",
        &[("compose.yaml", "services: {a: {image: x, environment: {DB: \"postgres://u:Xk29sLq@db/x\"}}}\n")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {DB: \"postgres://u@db:5432/x?a=b@c\"}}}\n",
        )],
    ),
    Seed(
        "secret-in-command",
        &[("compose.yaml", "services: {a: {image: x, command: redis-server --requirepass Xk29sLq}}\n")],
        &[("compose.yaml", "services: {a: {image: x, command: ssh -p 2222 host --password-file /x}}\n")],
    ),
    Seed(
        "secret-in-healthcheck",
        &[("compose.yaml", "services: {a: {image: x, healthcheck: {test: redis-cli -a Xk29sLq ping}}}\n")],
        &[("compose.yaml", "services: {a: {image: x, healthcheck: {test: redis-cli -h cache ping}}}\n")],
    ),
    Seed(
        "secret-in-config",
        &[(
            "compose.yaml",
            "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {content: \"password: Xk29sLq\"}}\n",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {content: \"password_file: /run/x\"}}\n",
        )],
    ),
    Seed(
        "secret-in-build-arg",
        &[("compose.yaml", "services: {a: {build: {context: ., args: {NPM_TOKEN: Xk29sLq}}}}\n")],
        &[("compose.yaml", "services: {a: {build: {context: ., args: {TOKEN_TTL: 60}}}}\n")],
    ),
    Seed(
        "secret-in-label",
        &[("compose.yaml", "services: {a: {image: x, labels: [widget.password=Xk29sLq]}}\n")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, labels: [traefik.http.middlewares.token-auth.forwardauth.address=auth]}}\n",
        )],
    ),
    Seed(
        "known-token",
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {X: rk_test_q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6}}}\n",
        )],
        &[("compose.yaml", "services: {a: {image: x, environment: {X: AKIAIOSFODNN7EXAMPLE}}}\n")],
    ),
    Seed(
        "private-key",
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {X: \"-----BEGIN PRIVATE KEY-----\\nMC4\"}}}\n",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {X: \"-----BEGIN PUBLIC KEY-----\\nMC4\"}}}\n",
        )],
    ),
    Seed(
        "weak-password",
        &[("compose.yaml", "services: {a: {image: x, environment: {DB_PASSWORD: postgres}}}\n")],
        &[("compose.yaml", "services: {a: {image: x, environment: {DB_USER: postgres}}}\n")],
    ),
    Seed(
        "high-entropy",
        &[("compose.yaml", "services: {a: {image: x, environment: {X: q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6}}}\n")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {X: 0f8fad5b-d9cb-469f-a165-70867728950e}}}\n",
        )],
    ),
    Seed(
        "env-secret",
        &[("compose.yaml", "services: {a: {image: x, environment: {API_TOKEN: \"${API_TOKEN:?}\"}}}\n")],
        &[("compose.yaml", "services: {a: {image: x, environment: {API_URL: \"${API_URL:?}\"}}}\n")],
    ),
    Seed(
        "prefer-file-variant",
        &[(
            "compose.yaml",
            "services: {a: {image: postgres:17, environment: {POSTGRES_PASSWORD: \"${PW:?}\"}}}\n",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: postgres-exporter, environment: {POSTGRES_USER: \"${U:?}\"}}}\n",
        )],
    ),
    Seed(
        "path-in-plain-key",
        &[("compose.yaml", "services: {a: {image: x, environment: {DB_PASSWORD: /run/secrets/s}}}\n")],
        &[("compose.yaml", "services: {a: {image: x, environment: {DB_PASSWORD_FILE: /run/secrets/s}}}\n")],
    ),
    Seed(
        "dollar-mangled",
        &[("compose.yaml", "services: {a: {image: x, labels: {auth.users: \"u:$apr1$Hk9sLqA$XwZ\"}}}\n")],
        &[("compose.yaml", "services: {a: {image: x, labels: {auth.users: \"u:$$apr1$$Hk9sLqA$$XwZ\"}}}\n")],
    ),
    Seed(
        "cleartext-url",
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {X: \"ftp://u:${L}@files.example.com/\"}}}\n",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: {X: \"http://u:${L}@elasticsearch:9200/\"}}}\n",
        )],
    ),
    Seed(
        "env-file-secret",
        &[("app.env.example", "API_TOKEN=Xk29sLq\n")],
        &[("app.env.example", "API_TOKEN=\nTOKEN_TTL=60\n")],
    ),
    Seed("dotenv-not-ignored", &[(".env", "DB_PASSWORD=Xk29sLq\n")], &[(".env", "DB_USER=Xk29sLq\n")]),
    Seed(
        "file-missing",
        &[("compose.yaml", "services: {a: {image: x, env_file: ./gone.env}, b: {build: ./gone}}\n")],
        &[
            (
                "compose.yaml",
                "services: {a: {image: x, env_file: [./a.env, {path: ./gone.env, required: false}]}, b: {build: https://example.com/x.git}}\n",
            ),
            ("a.env", "A=b\n"),
        ],
    ),
    Seed(
        "secret-undefined",
        &[("compose.yaml", "services: {a: {image: x, secrets: [t]}}\n")],
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…")],
    ),
    Seed(
        "secret-unused",
        &[("compose.yaml", "services: {a: {image: x}}\n…")],
        &[("compose.yaml", "services: {a: {image: x, build: {context: ., secrets: [s]}}}\n…")],
    ),
    Seed(
        "secret-overshared",
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [s]}, b: {image: x, secrets: [s]}, c: {image: x, secrets: [s]}, d: {image: x, secrets: [s]}}\n…",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [s]}, b: {image: x, secrets: [s]}, c: {image: x}, d: {image: x}}\n…",
        )],
    ),
    Seed(
        "secret-mode-decimal",
        &[("compose.yaml", "services: {a: {image: x, secrets: [{source: s, mode: 400}]}}\n…")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [{source: s, mode: 0400}]}}\nsecrets: {s: {environment: S}}\n",
        )],
    ),
    Seed(
        "secret-options-ignored",
        &[("compose.yaml", "services: {a: {image: x, secrets: [{source: s, uid: \"5\"}]}}\n…")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [{source: s, uid: \"5\"}], deploy: {mode: global}}}\n…",
        )],
    ),
    Seed(
        "secret-unsupported",
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {external: true}}\n")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, secrets: [s], deploy: {endpoint_mode: vip}}}\nsecrets: {s: {external: true}}\n",
        )],
    ),
    Seed(
        "env-secret-hazard",
        &[(
            "compose.yaml",
            "services: {a: {image: x, tmpfs: /run, secrets: [s]}}\nsecrets: {s: {environment: S}}\n",
        )],
        &[(
            "compose.yaml",
            "services: {a: {image: x, tmpfs: /runtime, secrets: [s]}}\nsecrets: {s: {environment: S}}\n",
        )],
    ),
    Seed(
        "secret-target-escape",
        &[("compose.yaml", "services: {a: {image: x, secrets: [{source: s, target: ../s}]}}\n…")],
        &[("compose.yaml", "services: {a: {image: x, secrets: [{source: s, target: a..b}]}}\n…")],
    ),
    Seed(
        "secret-file-missing",
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…"), ("secrets/s", "")],
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…")],
    ),
    Seed(
        "secret-trailing-newline",
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…"), ("secrets/s", "v\r\n")],
        &[
            (
                "compose.yaml",
                "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./secrets/tls.key}}\n",
            ),
            ("secrets/tls.key", "v\n"),
        ],
    ),
    Seed(
        "secret-file-mode",
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…"), ("secrets/s", "v")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, user: \"0\", secrets: [s, t]}}\nsecrets: {s: {file: ./secrets/s}, t: {file: ./open/s}}\n",
        )],
    ),
    Seed(
        "secret-file-not-ignored",
        &[
            ("compose.yaml", "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s}}\n"),
            ("s", "v"),
        ],
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…")],
    ),
    Seed(
        "secret-file-tracked",
        &[
            ("compose.yaml", "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s}}\n"),
            ("s", "v"),
        ],
        &[("compose.yaml", "services: {a: {image: x, secrets: [s]}}\n…")],
    ),
    Seed(
        "secret-file-in-context",
        &[
            ("compose.yaml", "services: {a: {build: ., secrets: [s]}}\n…"),
            ("Dockerfile", "FROM x\nCOPY . /app\n"),
        ],
        &[
            ("compose.yaml", "services: {a: {build: ., secrets: [s]}}\n…"),
            ("Dockerfile", "FROM x\nCOPY . /app\n"),
            (".dockerignore", "secrets\n"),
        ],
    ),
    Seed(
        "credential-mount",
        &[("compose.yaml", "services: {a: {image: x, volumes: [\"~/.aws:/root/.aws\"]}}\n")],
        &[("compose.yaml", "services: {a: {image: x, volumes: [\"./aws:/root/.aws\"]}}\n")],
    ),
    Seed(
        "docker-arg-secret",
        &[("compose.yaml", "services: {a: {build: .}}\n"), ("Dockerfile", "FROM x\nARG NPM_TOKEN=Xk29sLq\n")],
        &[
            ("compose.yaml", "services: {a: {build: .}}\n"),
            ("Dockerfile", "FROM x\nARG TOKEN_URL=https://x\n"),
        ],
    ),
    Seed(
        "docker-env-secret",
        &[
            ("compose.yaml", "services: {a: {build: .}}\n"),
            ("Dockerfile", "FROM x\nENV DB_PASSWORD Xk29sLq\n"),
        ],
        &[
            ("compose.yaml", "services: {a: {build: .}}\n"),
            ("Dockerfile", "FROM x\nENV DB_PASSWORD_FILE /run/x\n"),
        ],
    ),
    Seed(
        "docker-copy-secret",
        &[("compose.yaml", "services: {a: {build: .}}\n"), ("Dockerfile", "FROM x\nCOPY id_rsa /k\n")],
        &[
            ("compose.yaml", "services: {a: {build: .}}\n"),
            ("Dockerfile", "FROM x\nCOPY id_rsa.pub ca.pem .env.example /k/\n"),
        ],
    ),
    Seed(
        "docker-run-secret",
        &[
            ("compose.yaml", "services: {a: {build: .}}\n"),
            ("Dockerfile", "FROM x\nRUN <<EOF\n  echo root:Xk29sLq | chpasswd\nEOF\n"),
        ],
        &[
            ("compose.yaml", "services: {a: {build: .}}\n"),
            (
                "Dockerfile",
                "FROM x\nRUN adduser --disabled-password app && echo 'app ALL=NOPASSWD: ALL' > /x\n",
            ),
        ],
    ),
    Seed(
        "docker-mount-leak",
        &[
            ("compose.yaml", "services: {a: {build: {context: ., secrets: [s]}}}\n…"),
            (
                "Dockerfile",
                "FROM x\nRUN --mount=type=secret,id=s,required=true cat /run/secrets/s > /etc/s\n",
            ),
        ],
        &[
            ("compose.yaml", "services: {a: {build: {context: ., secrets: [s]}}}\n…"),
            (
                "Dockerfile",
                "FROM x\nRUN --mount=type=secret,id=s,required=true cat /run/secrets/s > /tmp/s && use /tmp/s && rm /tmp/s\n",
            ),
        ],
    ),
    Seed(
        "docker-mount-unrequired",
        &[
            ("compose.yaml", "services: {a: {build: {context: ., secrets: [s]}}}\n…"),
            ("Dockerfile", "FROM x\nRUN --mount=type=secret,id=s x\n"),
        ],
        &[
            ("compose.yaml", "services: {a: {build: {context: ., secrets: [s]}}}\n…"),
            ("Dockerfile", "FROM x\nRUN --mount=type=secret,id=s,required=true x\n"),
        ],
    ),
    Seed(
        "build-secret-mismatch",
        &[
            ("compose.yaml", "services: {a: {build: {context: ., secrets: [s]}}}\n…"),
            ("Dockerfile", "FROM x\nRUN --mount=type=secret,id=t,required=true x\n"),
        ],
        &[
            ("compose.yaml", "services: {a: {build: {context: ., secrets: [{source: s, target: t}]}}}\n…"),
            ("Dockerfile", "FROM x\nRUN --mount=type=secret,id=t,required=true x\n"),
        ],
    ),
    Seed(
        "ignore-unused",
        &[("compose.yaml", "services: {a: {image: x}} # cosec: ignore[env-secret] nothing here\n")],
        &[(
            "compose.yaml",
            "services: {a: {image: x, environment: [DB_PASSWORD=Xk29sLq]}} # cosec: ignore[inline-password, weak-password] test\n",
        )],
    ),
];

fn findings(ran: &Ran) -> Vec<(String, String, String)> {
    let report: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|found| (text(found, "file"), text(found, "rule"), text(found, "severity"))).collect()
}

fn plant(project: &Project, directory: &str, files: &[(&str, &str)]) {
    project.write(&format!("{directory}/secrets/s"), "Xk29sLqP");
    for (name, text) in files {
        project.write(&format!("{directory}/{name}"), text.replace('…', SECRET));
    }
    for file in rig::files_below(&project.path(&format!("{directory}/secrets"))) {
        project.private(file.to_str().unwrap());
    }
}

#[test]
fn every_rule_finds_its_instance_and_leaves_its_look_alike_alone() {
    let seeded: BTreeSet<&str> =
        SEEDS.iter().map(|Seed(rule, ..)| *rule).chain(["swarm-limit", "swarm-template"]).collect();
    let known: BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(seeded, known, "every rule has its seed");
    let project = Project::new();
    project.write(".gitignore", "secrets/\nopen/\n");
    for Seed(rule, bad, good) in SEEDS {
        plant(&project, &format!("bad/{rule}"), bad);
        plant(&project, &format!("good/{rule}"), good);
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    std::fs::set_permissions(project.path("bad/secret-file-mode/secrets/s"), mode(0o644)).unwrap();
    // What others cannot enter is open to nobody.
    std::fs::set_permissions(project.directory(), mode(0o755)).unwrap();
    project.write("good/secret-file-mode/open/s", "Xk29sLqP");
    std::fs::set_permissions(project.path("good/secret-file-mode/open/s"), mode(0o644)).unwrap();
    std::fs::set_permissions(project.path("good/secret-file-mode/open"), mode(0o700)).unwrap();
    project.private("bad/secret-file-tracked/s");
    project.git(&["add", "bad/secret-file-tracked/s"]);
    let found = findings(&project.cosec(&["lint", "--persona", "auditor", "--format", "json", "."]));
    for Seed(rule, ..) in SEEDS {
        let here = |place: &str| -> Vec<_> {
            let place = format!("{place}/{rule}/");
            found.iter().filter(|(file, ..)| file.starts_with(&place)).collect()
        };
        assert!(
            here("bad").iter().any(|(_, found, _)| found == rule),
            "{rule} misses its instance: {:?}",
            here("bad")
        );
        let loud: Vec<_> = here("good")
            .into_iter()
            .filter(|(_, found, severity)| found == rule || severity != "info")
            .collect();
        assert!(loud.is_empty(), "{rule}: its look-alike is reported: {loud:?}");
    }
}

/// What stands under a service, and the rule that finds the password in it.
const FORMS: &[(&str, &str)] = &[
    ("url-password", r#"environment: {DB: "jdbc:sqlserver://db;user=sa;password=Xk29sLq"}"#),
    ("url-password", r#"environment: {DB: "jdbc:postgresql://db/x?user=a&password=Xk29sLq"}"#),
    ("url-password", r#"environment: {DB: "jdbc:oracle:thin:scott/Xk29sLq@//db:1521/x"}"#),
    ("url-password", r#"environment: {DB: "Server=db;User Id=sa;Pwd=Xk29sLq"}"#),
    ("url-password", r#"environment: {DB: "host=db user=u password=Xk29sLq"}"#),
    ("url-password", r#"environment: {DB: "u:Xk29sLq@tcp(db:3306)/x"}"#),
    (
        "url-password",
        r#"environment: {DB: "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Xk29sLq"}"#,
    ),
    ("url-password", r#"environment: {OTEL_HEADERS: "Authorization=Basic Xk29sLq"}"#),
    ("url-password", r#"environment: {RUBY: "rails['smtp_password'] = 'Xk29sLq'"}"#),
    ("url-password", r#"extra_hosts: ["u.example:http://u:Xk29sLq@h"]"#),
    ("password-default", r#"environment: {DB_URL: "postgres://u:${X:-Xk29sLq}@db/x"}"#),
    ("password-default", r#"environment: {DB_URL: "postgres://u:${DB_PASS-Xk29sLq}@db/x"}"#),
    ("password-default", r#"environment: {DB_PASSWORD: "${A:-${B:-Xk29sLq}}"}"#),
    ("password-default", r#"environment: ["DB_PASSWORD=${A:+Xk29sLq}"]"#),
    ("password-default", r#"command: "app --password=${A:-Xk29sLq}""#),
    ("password-default", r#"command: ["app", "--password", "${A:-Xk29sLq}"]"#),
    ("secret-in-command", r#"command: ["curl", "-H", "Authorization: Bearer Xk29sLq", "http://x"]"#),
    ("secret-in-command", r#"command: "app -Dspring.datasource.password=Xk29sLq""#),
    ("secret-in-command", r#"entrypoint: ["sh", "-c", "export DB_PASSWORD=Xk29sLq; exec app"]"#),
    ("secret-in-command", r#"command: "mc alias set m http://minio:9000 admin Xk29sLq""#),
    ("secret-in-healthcheck", r#"healthcheck: {test: ["CMD", "curl", "-u", "elastic:Xk29sLq", "http://x"]}"#),
    ("secret-in-healthcheck", r#"healthcheck: {test: "sqlcmd -S db -U sa -P Xk29sLq -Q 'select 1'"}"#),
    ("secret-in-healthcheck", r#"healthcheck: {test: "curl -H 'X-Auth-Token: Xk29sLq' http://x"}"#),
    ("secret-in-label", r#"labels: {x.customrequestheaders.Authorization: "Basic Xk29sLq"}"#),
    ("secret-in-label", "annotations: {x.token: Xk29sLq}"),
    ("secret-in-label", r#"deploy: {labels: ["x.password=Xk29sLq"]}"#),
    ("inline-password", r#"environment: {CONFIG: "a: b\npassword: Xk29sLq\n"}"#),
    ("inline-password", r#"environment: {JAAS: "PlainLoginModule required\n user_bob=\"Xk29sLq\";"}"#),
    ("inline-password", "environment: {spring.datasource.password: Xk29sLq}"),
    ("inline-password", "<<: {environment: {DB_PASSWORD: Xk29sLq}}"),
    ("secret-in-build-arg", r#"build: {context: ., args: ["NPM_TOKEN=Xk29sLq"]}"#),
    ("secret-in-command", r#"post_start: [{command: "mysql -pXk29sLq"}]"#),
    ("secret-in-command", r#"pre_stop: [{command: ["redis-cli", "-a", "Xk29sLq"]}]"#),
    (
        "secret-in-command",
        r#"develop: {watch: [{path: ., action: sync+exec, target: /x, exec: {command: "htpasswd -b /x u Xk29sLq"}}]}"#,
    ),
    ("inline-password", "post_start: [{command: x, environment: [DB_PASSWORD=Xk29sLq]}]"),
    ("inline-password", "logging: {driver: splunk, options: {splunk-token: Xk29sLq}}"),
    ("inline-password", r#"environment: {AUTHORIZATION: "Bearer Xk29sLq"}"#),
    ("inline-password", "environment: {AES_KEY: Xk29sLq}"),
    ("inline-password", "provider: {type: x, options: {password: Xk29sLq}}"),
    ("inline-password", r#"environment: {JWT_SECRET: "Xk29sLq\nXk29sLq\n"}"#),
    ("inline-password", "environment: {RABBITMQ_ERLANG_COOKIE: Xk29sLq}"),
    ("url-password", r#"environment: {SFTP_USERS: "u:Xk29sLq:1001"}"#),
    ("secret-in-command", r#"environment: {REDIS_ARGS: "--requirepass Xk29sLq --port 1"}"#),
    ("secret-in-command", r#"environment: ["MONGO_INITDB_ARGS=--username a --password Xk29sLq"]"#),
    ("secret-in-command", r#"command: ["curl", "-H", "Authorization:Bearer Xk29sLq", "http://x"]"#),
    ("inline-password", r#"environment: {"Jwt:Key": Xk29sLq}"#),
    ("inline-password", "environment: [\"Jwt:Key=Xk29sLq\"]"),
    ("inline-password", "environment: {APP_ENCRYPTION_PRIMARY_KEY: Xk29sLq}"),
    ("url-password", r#"environment: {DB: "u:Xk29sLq@(db:3306)/x"}"#),
    ("url-password", r#"environment: {REGISTRY_BASIC_AUTH_USER_INFO: "u:Xk29sLq"}"#),
    ("secret-in-command", r#"command: "mysql -uroot -pXk29sLq-password""#),
];

#[test]
fn what_a_volume_driver_is_told_is_looked_at() {
    let project = Project::new();
    let text = "services: {a: {image: x}}\nvolumes:\n  v:\n    driver_opts:\n      type: cifs\n      o: username=u,password=Xk29sLq,uid=1\n      device: //h/x\n";
    project.write("compose.yaml", text);
    let ran = project.cosec(&["lint", "--format", "json"]);
    let expected = [("compose.yaml".into(), "inline-password".into(), "error".into())];
    assert_eq!(findings(&ran), expected, "{}", ran.stdout);
    assert!(!project.cosec(&["lint"]).stdout.contains("Xk29sLq"));
    project.write("compose.yaml", text.replace("Xk29sLq", "${PW}"));
    project.cosec(&["lint"]).succeeds();
}

#[test]
fn files_of_secrets_that_a_dockerfile_copies_are_known_by_what_is_in_them_or_by_their_names() {
    let project = Project::new();
    let key = "-----BEGIN PRIVATE KEY-----\nx\n";
    for (name, text) in
        [("tls.pem", key), ("ca-bundle.pem", key), ("open.pem", "-----BEGIN CERTIFICATE-----\n")]
    {
        project.write(name, text);
    }
    let copied =
        ["tls.pem", "open.pem", "ca-bundle.pem", "gone.pem", "credentials.json", "secrets.go", "secrets"];
    let lines: Vec<String> = copied.iter().map(|name| format!("COPY {name} /x/\n")).collect();
    let lines = lines.concat();
    project.write("Dockerfile", format!("FROM x\n{lines}LABEL a.api-token=Xk29sLq b.token-count=3\n"));
    let ran = project.cosec(&["lint", "Dockerfile", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let found: Vec<(u64, &str)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["line"].as_u64().unwrap(), found["severity"].as_str().unwrap()))
        .collect();
    let expected = [(2, "error"), (5, "warning"), (6, "warning"), (8, "warning"), (9, "error")];
    assert_eq!(found, expected, "{}", ran.stdout);
}

#[test]
fn passwords_are_found_in_every_form_and_shown_in_none() {
    let project = Project::new();
    for (at, (_, under)) in FORMS.iter().enumerate() {
        project.write(&format!("{at}/compose.yaml"), format!("services:\n  a:\n    image: x\n    {under}\n"));
    }
    let found = findings(&project.cosec(&["lint", "--format", "json", "."]));
    for (at, (rule, under)) in FORMS.iter().enumerate() {
        let file = format!("{at}/compose.yaml");
        let here: Vec<_> = found.iter().filter(|(found, ..)| *found == file).collect();
        assert!(here.iter().any(|(_, found, _)| found == rule), "{under}: {here:?}");
    }
    let ran = project.cosec(&["lint", "."]);
    assert!(!ran.stdout.contains("Xk29sLq") && !ran.stderr.contains("Xk29sLq"), "{}", ran.stdout);
}

#[test]
fn a_config_made_of_a_secrets_variable_is_reported() {
    let project = Project::new();
    let text = "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {environment: NAME}}\n";
    project.write("bad/compose.yaml", text.replace("NAME", "DB_PASSWORD"));
    project.write("good/compose.yaml", text.replace("NAME", "DB_PASSWORD_POLICY"));
    let found = findings(&project.cosec(&["lint", "--format", "json"]));
    assert_eq!(found, [("bad/compose.yaml".into(), "secret-in-config".into(), "warning".into())]);
}

#[test]
fn a_part_of_a_project_may_leave_its_secrets_to_the_whole() {
    let project = Project::new();
    let text = "services: {a: {image: x, secrets: [s]}}\n";
    project.write("parts/compose.prod.yaml", text);
    project.write("whole/compose.yaml", text);
    let found = findings(&project.cosec(&["lint", "--format", "json"]));
    let undefined: Vec<_> = found.iter().filter(|(_, rule, _)| rule == "secret-undefined").collect();
    let [(part, _, info), (whole, _, error)] = undefined.as_slice() else { panic!("{undefined:?}") };
    assert_eq!((&**part, &**info), ("parts/compose.prod.yaml", "info"));
    assert_eq!((&**whole, &**error), ("whole/compose.yaml", "error"));
}

#[test]
fn swarms_limits_are_checked_when_swarm_is_the_target_and_only_then() {
    let project = Project::new();
    let name = "n".repeat(70);
    project.write(
        "compose.yaml",
        format!("services: {{a: {{image: x, secrets: [e, {name}, big]}}}}\nsecrets: {{e: {{environment: E}}, {name}: {{external: true}}, big: {{file: secrets/big}}}}\n"),
    );
    project.write("secrets/big", vec![b'x'; 512_000]);
    project.private("secrets/big");
    let swarm = project.cosec(&["lint", "--target", "swarm", "--format", "json"]);
    let count = |ran: &Ran| findings(ran).iter().filter(|(_, rule, _)| rule == "swarm-limit").count();
    assert_eq!(count(&swarm), 3, "{}", swarm.stdout);
    assert_eq!(count(&project.cosec(&["lint", "--format", "json"])), 0);
}

#[test]
fn what_swarm_reads_otherwise_than_compose_is_told_when_swarm_is_the_target_and_only_then() {
    let project = Project::new();
    project.write(".env", "TAG=3\nOTHER=4\n");
    project.write(".gitignore", ".env\n");
    project.write(
        "compose.yaml",
        "services:\n  a:\n    image: x:${TAG}\n    hostname: ${HOST:?must-be-set}\n    command: run ${A:-${B}} ${TAG}\n",
    );
    let told = |ran: &Ran| -> Vec<(String, String)> {
        let found = findings(ran).into_iter().filter(|(_, rule, _)| rule == "swarm-template");
        found.map(|(file, _, severity)| (file, severity)).collect()
    };
    let swarm = project.cosec(&["lint", "--target", "swarm", "--format", "json"]);
    let of = |severity: &str| told(&swarm).iter().filter(|(_, is)| is == severity).count();
    assert_eq!((of("error"), of("info")), (2, 1), "{}", swarm.stdout);
    assert_eq!(told(&project.cosec(&["lint", "--format", "json"])), []);
}

#[test]
fn a_secret_that_was_committed_and_removed_is_still_in_the_history() {
    let project = Project::new();
    project.write("secrets/pw", "Xk29sLqP");
    project.private("secrets/pw");
    project.write(
        "compose.yaml",
        "services: {a: {image: x, secrets: [pw]}}\nsecrets: {pw: {file: secrets/pw}}\n",
    );
    project.cosec(&["lint"]).succeeds();
    project.git(&["add", "--force", "secrets/pw"]);
    project.git(&["commit", "--quiet", "-m", "oops"]);
    assert!(project.cosec(&["lint"]).stdout.contains("git tracks the file"));
    project.git(&["rm", "--quiet", "--cached", "secrets/pw"]);
    project.git(&["commit", "--quiet", "-m", "out"]);
    let ran = project.cosec(&["lint"]);
    assert!(ran.stdout.contains("in git's history"), "{}", ran.stdout);
}

#[test]
fn settings_are_found_upwards_and_a_slip_of_the_pen_in_them_is_an_error() {
    let project = Project::new();
    project.write("a/b/compose.yaml", "services: {a: {image: x, environment: {DB_PASSWORD: Xk29sLq}}}\n");
    project.write("a/old/compose.yaml", "services: {a: {image: x, environment: {DB_PASSWORD: Xk29sLq}}}\n");
    project.write("a/cosec.toml", "[lint]\nexclude = ['/old/']\n[lint.rules]\ninline-password = 'info'\n");
    let ran = project.cosec(&["lint", "a", "--format", "json"]).succeeds();
    assert_eq!(findings(&ran), [("a/b/compose.yaml".into(), "inline-password".into(), "info".into())]);
    project.cosec(&["lint", "a/b"]).succeeds();
    assert_eq!(project.cosec(&["lint", "a/b", "--fail-on", "info"]).code, 1);
    project.write("a/cosec.toml", "[lint]\nfail_on = 'info'\n");
    project.cosec(&["lint", "a"]).fails(2, &["a/cosec.toml, line 2", "did you mean `fail-on`?"]);
    project.write("other.toml", "[lint.rules]\ninline-password = 'off'\n");
    project.cosec(&["lint", "a", "--config", "other.toml"]).succeeds();
}

#[test]
fn a_baseline_holds_no_value_survives_moved_lines_and_hides_nothing_new() {
    let value = canary();
    let project = Project::new();
    let old = format!("services:\n  a:\n    image: x\n    environment: [DB_PASSWORD={value}]\n");
    project.write("compose.yaml", &old);
    project.cosec(&["lint", "--write-baseline", "--baseline", "known.json"]).succeeds();
    let baseline = std::fs::read_to_string(project.path("known.json")).unwrap();
    assert!(baseline.contains("inline-password") && !baseline.contains(&value), "{baseline}");
    let moved = format!("# a\n# b\n{}", old.replace("[DB", "[X=1, DB"));
    project.write("compose.yaml", &moved);
    let ran = project.cosec(&["lint", "--baseline", "known.json"]).succeeds();
    assert!(ran.stdout.contains("1 more in the baseline"), "{}", ran.stdout);
    let sarif = project.cosec(&["lint", "--baseline", "known.json", "--format", "sarif"]).succeeds().stdout;
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["suppressions"][0]["kind"], "external");
    project.write("compose.yaml", moved.replace("X=1", "API_TOKEN=Xk29sLq"));
    project.write("cosec.toml", "[lint]\nbaseline = 'known.json'\n");
    let ran = project.cosec(&["lint", "--format", "json"]);
    assert_eq!((ran.code, findings(&ran).len()), (1, 1), "{}", ran.stdout);
    project.write("compose.yaml", "services: {a: {image: x}}\n");
    assert!(project.cosec(&["lint"]).succeeds().stderr.contains("1 findings of the baseline"));
    project.write("known.json", "{}");
    project.cosec(&["lint"]).fails(2, &["it is no baseline"]);
}

#[test]
fn sarif_fits_its_schema() {
    // A bracket too many in the schema's pattern for `language`, which is not written here.
    let schema = include_str!("data/sarif-2.1.0.schema.json").replace("{2}]?$", "{2}$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let project = Project::new();
    for Seed(rule, bad, _) in SEEDS {
        plant(&project, &format!("bad/{rule}"), bad);
    }
    project.write("broken/compose.yaml", "a: [");
    project.write(
        "odd name é %/compose.yaml",
        "services: {a: {environment: [DB_PASSWORD=x1y2, T=a]}} # cosec: ignore[inline-password] why",
    );
    let write = ["lint", "--write-baseline", "bad/inline-password", "--baseline", "known.json"];
    project.cosec(&write).succeeds();
    for arguments in [&["--persona", "auditor"][..], &["--baseline", "known.json"], &["--target", "swarm"]] {
        let ran = project.cosec(&[&["lint", "--format", "sarif"], arguments].concat());
        let log: Value = serde_json::from_str(&ran.stdout).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert!(log["runs"][0]["results"].as_array().unwrap().len() > 30);
    }
}

#[test]
fn secrets_of_dockerfiles_do_not_come_out() {
    let value = canary();
    let project = Project::new();
    project.write(
        "Dockerfile",
        format!(
            "FROM x\nARG NPM_TOKEN={value} B={value}\nENV DB_PASSWORD {value}\nENV A=\"{value}\" \\\n  X_SECRET='{value}' # {value}\nRUN curl -H \"Authorization: Bearer {value}\" https://u:{value}@h && echo root:{value}|chpasswd\nRUN <<E\nexport API_TOKEN={value} {value}\nE\nLABEL x=http://u:{value}@h\n"
        ),
    );
    project.write("compose.yaml", "services: {a: {build: .}}\n");
    for path in ["Dockerfile", "compose.yaml"] {
        for format in ["text", "json", "sarif", "github", "gitlab", "junit"] {
            let ran = project.cosec(&["lint", path, "--format", format, "--persona", "auditor"]);
            assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
            assert!(
                !ran.stdout.contains(&value) && !ran.stderr.contains(&value),
                "{format}:\n{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn a_baseline_used_for_a_part_of_the_tree_keeps_what_it_knows_of_the_rest() {
    let project = rig::Project::new();
    for part in ["a", "b"] {
        let text =
            format!("services: {{{part}: {{image: x, environment: {{DB_PASSWORD: q9Zt-41{part}}}}}}}\n");
        project.write(&format!("{part}/compose.yaml"), text);
    }
    project.cosec(&["lint", "--baseline", "b.json", "--write-baseline"]).succeeds();
    let all = project.text("b.json");
    let ran = project.cosec(&["lint", "a/compose.yaml", "--baseline", "b.json"]).succeeds();
    assert!(!ran.stderr.contains("mended"), "{}", ran.stderr);
    project.cosec(&["lint", "a/compose.yaml", "--baseline", "b.json", "--write-baseline"]).succeeds();
    assert_eq!(project.text("b.json"), all, "the other part is known still");
    project.write("a/compose.yaml", "services: {a: {image: x}}\n");
    let ran = project.cosec(&["lint", "--baseline", "b.json"]).succeeds();
    assert!(ran.stderr.contains("1 findings of the baseline"), "{}", ran.stderr);
    std::fs::remove_dir_all(project.path("b")).unwrap();
    project.cosec(&["lint", "--baseline", "b.json", "--write-baseline"]).succeeds();
    assert!(!project.text("b.json").contains("fingerprint"), "what is gone is forgotten");
}
