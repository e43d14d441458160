//! Images that read a secret from a file: which variables have a variant that names one.

use crate::detect::is_secret_name;

/// What is known of an image.
struct Image {
    /// Last parts of the names of its repositories.
    names: &'static [&'static str],
    /// Variables of which it reads `NAME` + `suffix` too; one that ends in `*` is a beginning.
    variables: &'static [&'static str],
    /// `_FILE`, or `__FILE`.
    suffix: &'static str,
    /// The page or entrypoint that says so.
    #[allow(dead_code, reason = "for whoever checks the fact")]
    source: &'static str,
}

const fn image(
    names: &'static [&'static str],
    variables: &'static [&'static str],
    source: &'static str,
) -> Image {
    Image { names, variables, suffix: "_FILE", source }
}

const IMAGES: &[Image] = &[
    image(
        &["postgres", "postgis", "pgvector", "timescaledb", "timescaledb-ha"],
        &["POSTGRES_PASSWORD"],
        "https://github.com/docker-library/postgres/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["mysql", "percona", "percona-server"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        "https://github.com/docker-library/mysql/blob/master/template/docker-entrypoint.sh",
    ),
    image(
        &["mariadb"],
        &["MARIADB_ROOT_PASSWORD", "MARIADB_PASSWORD", "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        "https://github.com/MariaDB/mariadb-docker/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["mongo"],
        &["MONGO_INITDB_ROOT_PASSWORD"],
        "https://github.com/docker-library/mongo/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["mongo-express"],
        &["ME_CONFIG_BASICAUTH_PASSWORD", "ME_CONFIG_MONGODB_ADMINPASSWORD"],
        "https://github.com/mongo-express/mongo-express-docker",
    ),
    image(
        &["wordpress"],
        &["WORDPRESS_*"],
        "https://github.com/docker-library/wordpress/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["nextcloud"],
        &[
            "MYSQL_PASSWORD",
            "POSTGRES_PASSWORD",
            "NEXTCLOUD_ADMIN_PASSWORD",
            "REDIS_HOST_PASSWORD",
            "SMTP_PASSWORD",
        ],
        "https://github.com/nextcloud/docker/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["redmine"],
        &["REDMINE_DB_PASSWORD", "REDMINE_SECRET_KEY_BASE"],
        "https://hub.docker.com/r/redmine",
    ),
    image(&["joomla"], &["JOOMLA_DB_PASSWORD"], "https://hub.docker.com/r/joomla"),
    image(&["neo4j"], &["NEO4J_AUTH"], "https://hub.docker.com/r/neo4j"),
    image(
        &["influxdb"],
        &["DOCKER_INFLUXDB_INIT_PASSWORD", "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"],
        "https://hub.docker.com/r/influxdb",
    ),
    image(&["minio"], &["MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"], "https://hub.docker.com/r/minio"),
    image(&["pgadmin4"], &["PGADMIN_DEFAULT_PASSWORD"], "https://hub.docker.com/r/pgadmin4"),
    image(
        &["phpmyadmin"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "PMA_PASSWORD"],
        "https://hub.docker.com/r/phpmyadmin",
    ),
    image(
        &["paperless-ngx"],
        &["PAPERLESS_DBPASS", "PAPERLESS_SECRET_KEY", "PAPERLESS_ADMIN_PASSWORD"],
        "https://hub.docker.com/r/paperless-ngx",
    ),
    image(&["miniflux"], &["ADMIN_PASSWORD", "DATABASE_URL"], "https://hub.docker.com/r/miniflux"),
    image(
        &["zabbix-server-mysql", "zabbix-web-nginx-mysql", "zabbix-web-apache-mysql"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        "https://hub.docker.com/r/zabbix-server-mysql",
    ),
    image(
        &["zabbix-server-pgsql", "zabbix-web-nginx-pgsql", "zabbix-web-apache-pgsql"],
        &["POSTGRES_PASSWORD"],
        "https://hub.docker.com/r/zabbix-server-pgsql",
    ),
    image(&["n8n"], &["DB_POSTGRESDB_PASSWORD", "N8N_ENCRYPTION_KEY"], "https://hub.docker.com/r/n8n"),
    image(&["vaultwarden"], &["ADMIN_TOKEN", "SMTP_PASSWORD"], "https://hub.docker.com/r/vaultwarden"),
    image(&["authelia"], &["AUTHELIA_*"], "https://hub.docker.com/r/authelia"),
    Image {
        names: &["grafana"],
        variables: &["GF_*"],
        suffix: "__FILE",
        source: "https://grafana.com/docs/grafana/latest/setup-grafana/configure-docker/",
    },
];

/// The variable by which an image takes from a file what it else takes from `variable`.
pub fn file_variant(image: &str, variable: &str) -> Option<String> {
    let image = image.split('@').next().unwrap_or_default();
    let repository =
        image.rsplit_once(':').map_or(image, |(left, tag)| if tag.contains('/') { image } else { left });
    let last = repository.rsplit('/').next().unwrap_or_default();
    let is_known = |known: &&str| match known.strip_suffix('*') {
        Some(start) => variable.starts_with(start) && is_secret_name(variable),
        None => *known == variable,
    };
    let found = IMAGES
        .iter()
        .filter(|image| image.names.contains(&last))
        .find(|image| image.variables.iter().any(is_known));
    if let Some(image) = found {
        return Some(format!("{variable}{}", image.suffix));
    }
    let bitnami = repository.contains("bitnami/") || repository.contains("bitnamilegacy/");
    (bitnami && variable.ends_with("_PASSWORD") && is_secret_name(variable))
        .then(|| format!("{variable}_FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_under_any_registry_and_tag() {
        for image in
            ["postgres", "postgres:17", "docker.io/library/postgres:17@sha256:00", "localhost:5000/postgres"]
        {
            assert_eq!(
                file_variant(image, "POSTGRES_PASSWORD").as_deref(),
                Some("POSTGRES_PASSWORD_FILE"),
                "{image}"
            );
        }
        assert_eq!(
            file_variant("grafana/grafana", "GF_SECURITY_ADMIN_PASSWORD").as_deref(),
            Some("GF_SECURITY_ADMIN_PASSWORD__FILE")
        );
        assert_eq!(file_variant("redis:7", "REDIS_PASSWORD"), None);
        assert_eq!(file_variant("postgres-exporter", "POSTGRES_PASSWORD"), None);
    }

    #[test]
    fn every_fact_names_where_it_is_from() {
        for image in IMAGES {
            assert!(image.source.starts_with("https://"), "{:?}", image.names);
        }
    }
}
