use super::rule::rule;
use super::{Context, Finding, Findings};
use crate::compose::{EnvVar, Service};
use crate::detect::{Literal, is_secret_name, literal};

rule! {
    /// # prefer-file-variant
    ///
    /// A secret goes through the environment of an image that could read it from a file.
    ///
    /// ## Why is this bad
    ///
    /// `docker inspect` prints the environment, child processes inherit it, crash reports send it. This image takes
    /// the same value from a file: a secret, which does none of that.
    ///
    /// ## Example
    ///
    /// ```yaml bad
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}
    /// ```
    ///
    /// Use instead:
    ///
    /// ```yaml good
    /// services:
    ///   db:
    ///     image: postgres:17
    ///     environment:
    ///       POSTGRES_PASSWORD_FILE: /run/secrets/db_password
    ///     secrets: [db_password]
    /// secrets:
    ///   db_password:
    ///     environment: DB_PASSWORD
    /// ```
    PREFER_FILE_VARIANT = "prefer-file-variant", "the image could read a secret from a file", Warning, Regular, needs Text, Project check
}

/// Images whose entrypoint reads `NAME_FILE` in place of `NAME`, and for which names; from their own pages.
/// A name that ends in `*` is a beginning.
const IMAGES: &[(&[&str], &[&str])] = &[
    (&["postgres", "postgis", "pgvector", "timescaledb", "timescaledb-ha"], &["POSTGRES_PASSWORD"]),
    (&["mysql", "percona", "percona-server"], &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"]),
    (&["mariadb"], &["MARIADB_ROOT_PASSWORD", "MARIADB_PASSWORD", "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"]),
    (&["mongo"], &["MONGO_INITDB_ROOT_PASSWORD"]),
    (&["mongo-express"], &["ME_CONFIG_BASICAUTH_PASSWORD", "ME_CONFIG_MONGODB_ADMINPASSWORD"]),
    (&["wordpress"], &["WORDPRESS_*"]),
    (
        &["nextcloud"],
        &[
            "MYSQL_PASSWORD",
            "POSTGRES_PASSWORD",
            "NEXTCLOUD_ADMIN_PASSWORD",
            "REDIS_HOST_PASSWORD",
            "SMTP_PASSWORD",
        ],
    ),
    (&["redmine"], &["REDMINE_DB_PASSWORD", "REDMINE_SECRET_KEY_BASE"]),
    (&["joomla"], &["JOOMLA_DB_PASSWORD"]),
    (&["neo4j"], &["NEO4J_AUTH"]),
    (&["influxdb"], &["DOCKER_INFLUXDB_INIT_PASSWORD", "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]),
    (&["minio"], &["MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"]),
    (&["pgadmin4"], &["PGADMIN_DEFAULT_PASSWORD"]),
    (&["phpmyadmin"], &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "PMA_PASSWORD"]),
    (&["paperless-ngx"], &["PAPERLESS_DBPASS", "PAPERLESS_SECRET_KEY", "PAPERLESS_ADMIN_PASSWORD"]),
    (&["miniflux"], &["ADMIN_PASSWORD", "DATABASE_URL"]),
    (
        &["zabbix-server-mysql", "zabbix-web-nginx-mysql", "zabbix-web-apache-mysql"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
    ),
    (&["zabbix-server-pgsql", "zabbix-web-nginx-pgsql", "zabbix-web-apache-pgsql"], &["POSTGRES_PASSWORD"]),
    (&["n8n"], &["DB_POSTGRESDB_PASSWORD", "N8N_ENCRYPTION_KEY"]),
    (&["vaultwarden"], &["ADMIN_TOKEN", "SMTP_PASSWORD"]),
    (&["authelia"], &["AUTHELIA_*"]),
];

fn check(context: &Context<'_>, findings: &mut Findings) {
    for service in &context.project.services {
        for variable in &service.environment {
            let Some(file_variable) = file_variant(service, variable) else { continue };
            let name = &variable.name.value;
            let span = variable.value.as_ref().map_or(variable.name.span, |value| value.span);
            let path = format!("services.{}.environment.{name}", service.name);
            let message = format!(
                "{name} goes through the environment, where `docker inspect` shows it; this image reads {file_variable} too"
            );
            findings.push(
                Finding::new(&PREFER_FILE_VARIANT, span, path, message)
                    .label("from the environment")
                    .help(format!("grant a secret and set {file_variable}: /run/secrets/NAME"))
                    .show(variable.name.span),
            );
        }
    }
}

/// The variable by which the service's image takes the same value from a file, for a value that comes from outside.
/// A value that is written out is inline-password's to report.
pub(super) fn file_variant(service: &Service, variable: &EnvVar) -> Option<String> {
    let from_outside = variable
        .value
        .as_ref()
        .is_none_or(|value| literal(&value.raw) == Literal::FromOutside && !has_default(&value.raw));
    let name = &*variable.name.value;
    if !from_outside
        || service.environment.iter().any(|other| other.name.value.starts_with(&format!("{name}_")))
    {
        return None;
    }
    let image = &*service.image.as_ref()?.value;
    let image = image.split('@').next().unwrap_or_default();
    let repository =
        image.rsplit_once(':').map_or(image, |(left, tag)| if tag.contains('/') { image } else { left });
    let last = repository.rsplit('/').next().unwrap_or_default();
    if last == "grafana" && name.starts_with("GF_") && is_secret_name(name) {
        return Some(format!("{name}__FILE"));
    }
    let bitnami = repository.contains("bitnami/") || repository.contains("bitnamilegacy/");
    let known = IMAGES.iter().any(|(images, names)| {
        images.contains(&last)
            && names.iter().any(|known| match known.strip_suffix('*') {
                Some(start) => name.starts_with(start) && is_secret_name(name),
                None => *known == name,
            })
    });
    let known = known || (bitnami && name.ends_with("_PASSWORD") && is_secret_name(name));
    known.then(|| format!("{name}_FILE"))
}

/// `${X:-written out}`: password-default's to report.
fn has_default(raw: &str) -> bool {
    use crate::compose::template::{self, Operator, Piece};
    template::parse(raw).is_ok_and(|pieces| {
        pieces.iter().any(|piece| {
            matches!(piece, Piece::Variable { fallback: Some(fallback), .. }
                if fallback.operator == Operator::Default && literal(&raw[fallback.range.clone()]) == Literal::Secret)
        })
    })
}
