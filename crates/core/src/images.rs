//! Images that read a secret from a file: which variables have a variant that names one.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::detect::is_secret_name;

/// What is known of an image.
struct Image {
    /// How its repositories' names end: the last part, two where one is too common, or `publisher/*`.
    names: &'static [&'static str],
    /// Variables of which it reads a variant too; one that ends in `*` is a beginning.
    variables: &'static [&'static str],
    /// How the variant's name differs.
    variant: Variant,
    /// The first version that reads it, major and minor, where older ones are in use that do not.
    since: (u32, u32),
    /// The page or entrypoint that says so.
    #[cfg_attr(not(test), expect(dead_code, reason = "for who checks the table"))]
    source: &'static str,
}

/// How the name of the variant that takes a path is made of the variable's.
#[derive(Clone, Copy)]
enum Variant {
    /// `NAME_FILE`, `NAME__FILE`
    Suffix(&'static str),
    /// `FILE__NAME`
    Prefix(&'static str),
    /// The same name, with a mark before the path: `file:///run/secrets/x`
    Marked(&'static str),
}

/// How an image takes from a file what it else takes from a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileForm {
    /// The variable that names the file; with a mark it is the same one.
    pub variable: String,
    /// What stands before the path in its value.
    pub mark: &'static str,
}

impl FileForm {
    /// The variable's value for a secret.
    pub fn value(&self, secret: &str) -> String {
        format!("{}/run/secrets/{secret}", self.mark)
    }
}

impl Variant {
    fn of(self, variable: &str) -> FileForm {
        let (variable, mark) = match self {
            Self::Suffix(suffix) => (format!("{variable}{suffix}"), ""),
            Self::Prefix(prefix) => (format!("{prefix}{variable}"), ""),
            Self::Marked(mark) => (variable.to_owned(), mark),
        };
        FileForm { variable, mark }
    }
}

impl Image {
    /// For images from a version on.
    const fn since(mut self, major: u32, minor: u32) -> Self {
        self.since = (major, minor);
        self
    }

    /// Whether an image of a tag reads what the row says.
    fn is_in(&self, tag: Option<&str>) -> bool {
        is_since(tag, self.since)
    }
}

/// Whether a tag is of a version or a later one. One that names no version is taken for a new one, and so is the newest
/// minor version of one that names the major only.
fn is_since(tag: Option<&str>, version: (u32, u32)) -> bool {
    let tag = tag.unwrap_or_default();
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let mut numbers = tag.split(['.', '-', '_', '+']).map(|part| part.parse::<u32>().ok());
    let Some(major) = numbers.next().flatten() else { return true };
    (major, numbers.next().flatten().unwrap_or(u32::MAX)) >= version
}

const fn image(
    names: &'static [&'static str],
    variables: &'static [&'static str],
    source: &'static str,
) -> Image {
    Image { names, variables, variant: Variant::Suffix("_FILE"), since: (0, 0), source }
}

const fn double(
    names: &'static [&'static str],
    variables: &'static [&'static str],
    source: &'static str,
) -> Image {
    Image { names, variables, variant: Variant::Suffix("__FILE"), since: (0, 0), source }
}

/// What is known. A row of `publisher/*` is all there is to say of that publisher's images.
const IMAGES: &[Image] = &[
    Image {
        names: &["linuxserver/*"],
        variables: &["*"],
        variant: Variant::Prefix("FILE__"),
        since: (0, 0),
        source: "https://github.com/linuxserver/docker-baseimage-alpine/blob/3.22/root/etc/s6-overlay/s6-rc.d/init-envfile/run",
    },
    image(
        &["bitnami/redis", "bitnamilegacy/redis"],
        &["REDIS_PASSWORD", "REDIS_MASTER_PASSWORD"],
        "https://github.com/bitnami/containers/blob/main/bitnami/redis/7.4/debian-12/rootfs/opt/bitnami/scripts/redis-env.sh",
    ),
    image(
        &["bitnami/postgresql", "bitnamilegacy/postgresql"],
        &["POSTGRESQL_PASSWORD", "POSTGRESQL_POSTGRES_PASSWORD", "POSTGRESQL_REPLICATION_PASSWORD"],
        "https://github.com/bitnami/containers/blob/main/bitnami/postgresql/README.md",
    ),
    image(
        &["bitnami/mariadb", "bitnamilegacy/mariadb"],
        &[
            "MARIADB_ROOT_PASSWORD",
            "MARIADB_PASSWORD",
            "MARIADB_MASTER_ROOT_PASSWORD",
            "MARIADB_REPLICATION_PASSWORD",
        ],
        "https://github.com/bitnami/containers/blob/main/bitnami/mariadb/10.6/debian-11/rootfs/opt/bitnami/scripts/mariadb-env.sh",
    ),
    image(
        &["bitnami/mysql", "bitnamilegacy/mysql"],
        &[
            "MYSQL_ROOT_PASSWORD",
            "MYSQL_PASSWORD",
            "MYSQL_MASTER_ROOT_PASSWORD",
            "MYSQL_REPLICATION_PASSWORD",
        ],
        "https://github.com/bitnami/containers/blob/main/bitnami/mysql/8.0/debian-11/rootfs/opt/bitnami/scripts/mysql-env.sh",
    ),
    image(
        &["bitnami/mongodb", "bitnamilegacy/mongodb"],
        &[
            "MONGODB_ROOT_PASSWORD",
            "MONGODB_PASSWORD",
            "MONGODB_METRICS_PASSWORD",
            "MONGODB_EXTRA_PASSWORDS",
            "MONGODB_REPLICA_SET_KEY",
            "MONGODB_INITIAL_PRIMARY_ROOT_PASSWORD",
            "MONGODB_PRIMARY_ROOT_PASSWORD",
        ],
        "https://github.com/bitnami/containers/blob/main/bitnami/mongodb/8.0/debian-12/rootfs/opt/bitnami/scripts/mongodb-env.sh",
    ),
    image(
        &["bitnami/valkey", "bitnamilegacy/valkey"],
        &["VALKEY_PASSWORD", "VALKEY_PRIMARY_PASSWORD"],
        "https://github.com/bitnami/containers/blob/main/bitnami/valkey/8.0/debian-12/rootfs/opt/bitnami/scripts/valkey-env.sh",
    ),
    image(
        &["postgres", "postgis", "pgvector", "timescaledb", "timescaledb-ha"],
        &["POSTGRES_PASSWORD"],
        "https://github.com/docker-library/postgres/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["kartoza/postgis"],
        &["POSTGRES_PASS"],
        "https://github.com/kartoza/docker-postgis/blob/develop/scripts/env-data.sh",
    ),
    image(
        &["percona-distribution-postgresql"],
        &["POSTGRES_PASSWORD"],
        "https://github.com/percona/percona-docker/blob/main/percona-distribution-postgresql-17/entrypoint.sh",
    ),
    image(
        &["immich-app/postgres"],
        &["DB_PASSWORD"],
        "https://github.com/immich-app/base-images/blob/main/postgres/set-env.sh",
    ),
    image(
        &["mysql"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        "https://github.com/docker-library/mysql/blob/master/8.4/docker-entrypoint.sh",
    ),
    image(
        &["mysql-router"],
        &["MYSQL_PASSWORD"],
        "https://github.com/mysql/mysql-docker/blob/main/mysql-router/8.0/run.sh",
    ),
    image(
        &["percona", "percona-server"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        "https://github.com/percona/percona-docker/blob/main/percona-server-8.0/ps-entry.sh",
    ),
    image(
        &["percona-server-mongodb"],
        &["MONGO_INITDB_ROOT_PASSWORD"],
        "https://github.com/percona/percona-docker/blob/main/percona-server-mongodb-8.0/ps-entry.sh",
    ),
    image(
        &["mariadb"],
        &[
            "MARIADB_ROOT_PASSWORD",
            "MARIADB_PASSWORD",
            "MARIADB_PASSWORD_HASH",
            "MARIADB_ROOT_PASSWORD_HASH",
            "MARIADB_REPLICATION_PASSWORD",
            "MARIADB_REPLICATION_PASSWORD_HASH",
            "MYSQL_ROOT_PASSWORD",
            "MYSQL_PASSWORD",
        ],
        "https://github.com/MariaDB/mariadb-docker/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["mongo"],
        &["MONGO_INITDB_ROOT_PASSWORD"],
        "https://github.com/docker-library/mongo/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["mongo-express"],
        &["ME_CONFIG_BASICAUTH_PASSWORD", "ME_CONFIG_MONGODB_URL"],
        "https://github.com/mongo-express/mongo-express/blob/master/config.default.js",
    ),
    image(
        &["neo4j"],
        &["NEO4J_AUTH", "NEO4J_*"],
        "https://github.com/neo4j/docker-neo4j/blob/master/docker-image-src/5/coredb/docker-entrypoint.sh",
    )
    .since(5, 24),
    image(
        &["influxdb"],
        &["DOCKER_INFLUXDB_INIT_PASSWORD", "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"],
        "https://github.com/influxdata/influxdata-docker/blob/master/influxdb/2.7/entrypoint.sh",
    )
    .since(2, 3),
    image(
        &["arangodb", "arangodb/arangodb"],
        &["ARANGO_ROOT_PASSWORD"],
        "https://github.com/arangodb/arangodb-docker/blob/official/alpine/3.12.0/docker-entrypoint.sh",
    ),
    image(
        &["elasticsearch"],
        &["ELASTIC_PASSWORD"],
        "https://github.com/elastic/elasticsearch/blob/main/distribution/docker/src/docker/bin/docker-entrypoint.sh",
    )
    .since(7, 6),
    image(
        &["gvenzl/oracle-free"],
        &["ORACLE_PASSWORD", "APP_USER_PASSWORD"],
        "https://github.com/gvenzl/oci-oracle-free/blob/main/container-entrypoint.sh",
    ),
    image(
        &["gvenzl/oracle-xe"],
        &["ORACLE_PASSWORD", "APP_USER_PASSWORD"],
        "https://github.com/gvenzl/oci-oracle-xe/blob/main/container-entrypoint.sh",
    ),
    image(
        &["minio"],
        &["MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY", "MINIO_KMS_SECRET_KEY"],
        "https://github.com/minio/minio/blob/master/internal/config/constants.go",
    ),
    image(
        &["postgres-backup-local"],
        &["POSTGRES_PASSWORD"],
        "https://github.com/prodrigestivill/docker-postgres-backup-local/blob/main/env.sh",
    ),
    image(
        &["postgres-exporter", "postgres_exporter"],
        &["DATA_SOURCE_PASS", "DATA_SOURCE_URI"],
        "https://github.com/prometheus-community/postgres_exporter/blob/master/exporter/datasource.go",
    ),
    image(
        &["docker-volume-backup"],
        &[
            "AWS_SECRET_ACCESS_KEY",
            "GPG_PASSPHRASE",
            "AGE_PASSPHRASE",
            "EMAIL_SMTP_PASSWORD",
            "WEBDAV_PASSWORD",
            "SSH_PASSWORD",
            "SSH_IDENTITY_PASSPHRASE",
            "AZURE_STORAGE_PRIMARY_ACCOUNT_KEY",
            "DROPBOX_REFRESH_TOKEN",
        ],
        "https://github.com/offen/docker-volume-backup/blob/main/cmd/backup/config_provider.go",
    ),
    image(
        &["wordpress"],
        &[
            "WORDPRESS_DB_PASSWORD",
            "WORDPRESS_AUTH_KEY",
            "WORDPRESS_SECURE_AUTH_KEY",
            "WORDPRESS_LOGGED_IN_KEY",
            "WORDPRESS_NONCE_KEY",
            "WORDPRESS_AUTH_SALT",
            "WORDPRESS_SECURE_AUTH_SALT",
            "WORDPRESS_LOGGED_IN_SALT",
            "WORDPRESS_NONCE_SALT",
        ],
        "https://github.com/docker-library/wordpress/blob/master/wp-config-docker.php",
    ),
    image(
        &["nextcloud"],
        &[
            "MYSQL_PASSWORD",
            "POSTGRES_PASSWORD",
            "NEXTCLOUD_ADMIN_PASSWORD",
        ],
        "https://github.com/nextcloud/docker/blob/master/README.md",
    ),
    image(
        &["nextcloud"],
        &["SMTP_PASSWORD"],
        "https://github.com/nextcloud/docker/pull/1471",
    )
    .since(22, 0),
    image(
        &["nextcloud"],
        &["OBJECTSTORE_S3_KEY", "OBJECTSTORE_S3_SECRET", "OBJECTSTORE_S3_SSE_C_KEY"],
        "https://github.com/nextcloud/docker/pull/1946",
    )
    .since(26, 0),
    image(
        &["nextcloud"],
        &["REDIS_HOST_PASSWORD"],
        "https://github.com/nextcloud/docker/pull/2232",
    )
    .since(29, 0),
    image(
        &["redmine"],
        &["REDMINE_DB_PASSWORD", "REDMINE_SECRET_KEY_BASE"],
        "https://github.com/docker-library/redmine/blob/master/docker-entrypoint.sh",
    ),
    image(
        &["joomla"],
        &["JOOMLA_DB_PASSWORD"],
        "https://github.com/joomla-docker/docker-joomla/blob/master/5.4/php8.2/apache/docker-entrypoint.sh",
    ),
    image(
        &["yourls"],
        &["YOURLS_DB_PASS", "YOURLS_PASS"],
        "https://github.com/docker-library/docs/blob/master/yourls/content.md",
    ),
    image(
        &["friendica"],
        &["MYSQL_PASSWORD", "REDIS_PW"],
        "https://github.com/friendica/docker/blob/stable/docker-entrypoint.sh",
    ),
    image(
        &["espocrm"],
        &["ESPOCRM_DATABASE_PASSWORD", "ESPOCRM_ADMIN_PASSWORD"],
        "https://github.com/docker-library/docs/blob/master/espocrm/content.md",
    ),
    image(&["odoo"], &["PASSWORD"], "https://github.com/odoo/docker/blob/master/17.0/entrypoint.sh")
        .since(12, 0),
    image(
        &["xwiki"],
        &["DB_PASSWORD"],
        "https://github.com/xwiki/xwiki-docker/blob/master/template/xwiki/docker-entrypoint.sh",
    ),
    image(
        &["monica"],
        &[
            "DB_PASSWORD",
            "DATABASE_URL",
            "APP_KEY",
            "HASH_SALT",
            "MAIL_PASSWORD",
            "REDIS_PASSWORD",
            "AWS_SECRET_ACCESS_KEY",
        ],
        "https://github.com/monicahq/docker/blob/main/4/apache/entrypoint.sh",
    ),
    image(
        &["matomo"],
        &["MATOMO_DATABASE_PASSWORD"],
        "https://github.com/matomo-org/docker/blob/master/apache/docker-entrypoint.sh",
    )
    .since(4, 6),
    image(
        &["phpmyadmin"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "PMA_PASSWORD", "PMA_CONTROLPASS"],
        "https://github.com/phpmyadmin/docker/blob/master/apache/docker-entrypoint.sh",
    ),
    image(
        &["pgadmin4"],
        &["PGADMIN_DEFAULT_PASSWORD", "PGADMIN_CONFIG_CONFIG_DATABASE_URI"],
        "https://github.com/pgadmin-org/pgadmin4/blob/master/pkg/docker/entrypoint.sh",
    ),
    image(
        &["metabase"],
        &["MB_DB_PASS", "MB_DB_CONNECTION_URI", "MB_EMAIL_SMTP_PASSWORD", "MB_LDAP_PASSWORD"],
        "https://github.com/metabase/metabase/blob/master/bin/docker/run_metabase.sh",
    ),
    image(
        &["librenms"],
        &["DB_PASSWORD"],
        "https://github.com/librenms/docker/blob/master/rootfs/etc/cont-init.d/03-config.sh",
    ),
    image(
        &["snipe-it"],
        &["APP_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "MAIL_PASSWORD"],
        "https://github.com/snipe/snipe-it/blob/master/docker/startup.sh",
    ),
    image(
        &["librebooking"],
        &["LB_DATABASE_PASSWORD", "LB_INSTALL_PASSWORD"],
        "https://github.com/LibreBooking/docker/blob/master/bin/entrypoint.sh",
    ),
    image(
        &["passbolt"],
        &["DATASOURCES_DEFAULT_PASSWORD", "EMAIL_TRANSPORT_DEFAULT_PASSWORD"],
        "https://github.com/passbolt/passbolt_docker/blob/master/scripts/entrypoint/passbolt/env.sh",
    ),
    image(
        &["fireflyiii/core", "firefly-iii"],
        &[
            "APP_KEY",
            "DB_PASSWORD",
            "REDIS_PASSWORD",
            "MAIL_PASSWORD",
            "MAILGUN_SECRET",
            "MANDRILL_SECRET",
            "SPARKPOST_SECRET",
            "STATIC_CRON_TOKEN",
            "PASSPORT_PRIVATE_KEY",
        ],
        "https://github.com/firefly-iii/firefly-iii/blob/main/.env.example",
    ),
    image(
        &["paperless-ngx"],
        &["PAPERLESS_DBPASS", "PAPERLESS_*"],
        "https://github.com/paperless-ngx/paperless-ngx/blob/dev/docker/rootfs/etc/s6-overlay/s6-rc.d/init-env-file/run",
    ),
    image(
        &["miniflux"],
        &["ADMIN_PASSWORD", "DATABASE_URL", "METRICS_PASSWORD", "OAUTH2_CLIENT_SECRET"],
        "https://github.com/miniflux/v2/blob/main/miniflux.1",
    ),
    image(
        &["zabbix-server-mysql", "zabbix-proxy-mysql"],
        &["MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"],
        "https://github.com/zabbix/zabbix-docker/blob/7.0/Dockerfiles/server-mysql/alpine/docker-entrypoint.sh",
    ),
    image(
        &["zabbix-web-nginx-mysql", "zabbix-web-apache-mysql"],
        &["MYSQL_PASSWORD"],
        "https://github.com/zabbix/zabbix-docker/blob/7.0/Dockerfiles/web-nginx-mysql/alpine/docker-entrypoint.sh",
    ),
    image(
        &["zabbix-server-pgsql"],
        &["POSTGRES_PASSWORD"],
        "https://github.com/zabbix/zabbix-docker/blob/7.0/Dockerfiles/server-pgsql/alpine/docker-entrypoint.sh",
    ),
    image(
        &["zabbix-web-nginx-pgsql", "zabbix-web-apache-pgsql"],
        &["POSTGRES_PASSWORD"],
        "https://github.com/zabbix/zabbix-docker/blob/7.0/Dockerfiles/web-apache-pgsql/alpine/docker-entrypoint.sh",
    ),
    image(
        &["n8n"],
        &[
            "DB_POSTGRESDB_PASSWORD",
            "N8N_ENCRYPTION_KEY",
            "N8N_RUNNERS_AUTH_TOKEN",
            "N8N_SMTP_PASS",
            "QUEUE_BULL_REDIS_PASSWORD",
        ],
        "https://github.com/n8n-io/n8n/blob/master/packages/@n8n/config/src/decorators.ts",
    ),
    image(
        &["kong", "kong/kong-gateway"],
        &["KONG_PG_PASSWORD", "KONG_PASSWORD"],
        "https://github.com/Kong/docker-kong/blob/master/docker-entrypoint.sh",
    )
    .since(2, 1),
    image(
        &["dolibarr/dolibarr"],
        &["DOLI_DB_PASSWORD", "DOLI_ADMIN_PASSWORD", "DOLI_CRON_KEY", "DOLI_INSTANCE_UNIQUE_ID"],
        "https://github.com/Dolibarr/dolibarr-docker/blob/main/docker-run.sh",
    ),
    image(
        &["requarks/wiki"],
        &["DB_PASS"],
        "https://github.com/requarks/wiki/blob/main/server/core/config.js",
    )
    .since(2, 1),
    image(
        &["rediscommander/redis-commander"],
        &["HTTP_PASSWORD", "HTTP_PASSWORD_HASH", "REDIS_PASSWORD", "SENTINEL_PASSWORD"],
        "https://github.com/joeferner/redis-commander/blob/master/docker/entrypoint.sh",
    ),
    image(
        &["itzg/minecraft-server"],
        &["RCON_PASSWORD", "CF_API_KEY"],
        "https://github.com/itzg/docker-minecraft-server/blob/master/docs/variables.md",
    ),
    image(
        &["osixia/openldap"],
        &["LDAP_ADMIN_PASSWORD", "LDAP_CONFIG_PASSWORD", "LDAP_READONLY_USER_PASSWORD"],
        "https://github.com/osixia/docker-openldap/blob/master/image/service/slapd/startup.sh",
    )
    .since(1, 3),
    image(
        &["semaphoreui/semaphore"],
        &[
            "SEMAPHORE_DB_PASS",
            "SEMAPHORE_ADMIN_PASSWORD",
            "SEMAPHORE_LDAP_PASSWORD",
            "SEMAPHORE_ACCESS_KEY_ENCRYPTION",
        ],
        "https://github.com/semaphoreui/semaphore/blob/develop/deployment/docker/server/server-wrapper",
    )
    .since(2, 10),
    image(
        &["technitium/dns-server"],
        &["DNS_SERVER_ADMIN_PASSWORD"],
        "https://github.com/TechnitiumSoftware/DnsServer/blob/master/DnsServerCore/Auth/AuthManager.cs",
    )
    .since(7, 1),
    image(
        &["crazymax/msmtpd"],
        &["SMTP_PASSWORD"],
        "https://github.com/crazy-max/docker-msmtpd/blob/master/rootfs/etc/cont-init.d/02-config.sh",
    ),
    image(
        &["cloudflare/cloudflared"],
        &["TUNNEL_TOKEN"],
        "https://github.com/cloudflare/cloudflared/blob/master/cmd/cloudflared/tunnel/subcommands.go",
    )
    .since(2025, 4),
    image(
        &["guacamole/guacamole"],
        &["MYSQL_PASSWORD", "POSTGRESQL_PASSWORD", "SQLSERVER_PASSWORD"],
        "https://github.com/apache/guacamole-client/blob/main/guacamole-docker/README.md",
    ),
    // What is tagged by the day of its release; earlier ones of 2025 are not known to have it.
    image(
        &["photoprism/photoprism"],
        &["PHOTOPRISM_ADMIN_PASSWORD", "PHOTOPRISM_DATABASE_PASSWORD"],
        "https://github.com/photoprism/photoprism/blob/develop/internal/config/config_db.go",
    )
    .since(260_000, 0),
    image(
        &["vaultwarden", "vaultwarden/server"],
        &[
            "ADMIN_TOKEN",
            "DATABASE_URL",
            "SMTP_PASSWORD",
            "PUSH_INSTALLATION_KEY",
            "HIBP_API_KEY",
            "SSO_CLIENT_SECRET",
            "YUBICO_SECRET_KEY",
            "DUO_SKEY",
        ],
        "https://github.com/dani-garcia/vaultwarden/blob/main/src/util.rs",
    ),
    image(
        &["authelia"],
        &[
            "AUTHELIA_AUTHENTICATION_BACKEND_LDAP_PASSWORD",
            "AUTHELIA_DUO_API_INTEGRATION_KEY",
            "AUTHELIA_DUO_API_SECRET_KEY",
            "AUTHELIA_IDENTITY_PROVIDERS_OIDC_HMAC_SECRET",
            "AUTHELIA_IDENTITY_VALIDATION_RESET_PASSWORD_JWT_SECRET",
            "AUTHELIA_JWT_SECRET",
            "AUTHELIA_NOTIFIER_SMTP_PASSWORD",
            "AUTHELIA_SESSION_REDIS_HIGH_AVAILABILITY_SENTINEL_PASSWORD",
            "AUTHELIA_SESSION_REDIS_PASSWORD",
            "AUTHELIA_SESSION_SECRET",
            "AUTHELIA_STORAGE_ENCRYPTION_KEY",
            "AUTHELIA_STORAGE_MYSQL_PASSWORD",
            "AUTHELIA_STORAGE_POSTGRES_PASSWORD",
        ],
        "https://github.com/authelia/authelia/blob/master/docs/content/configuration/methods/secrets.md",
    ),
    image(
        &["lldap"],
        &["LLDAP_JWT_SECRET", "LLDAP_LDAP_USER_PASS", "LLDAP_KEY_SEED"],
        "https://github.com/lldap/lldap/blob/main/docs/install.md",
    ),
    image(
        &["pocket-id"],
        &[
            "ENCRYPTION_KEY",
            "DB_CONNECTION_STRING",
            "STATIC_API_KEY",
            "S3_SECRET_ACCESS_KEY",
            "MAXMIND_LICENSE_KEY",
            "SMTP_PASSWORD",
            "LDAP_BIND_PASSWORD",
        ],
        "https://github.com/pocket-id/pocket-id/blob/main/backend/internal/common/env_config.go",
    ),
    image(
        &["immich-server"],
        &["DB_PASSWORD", "DB_URL", "REDIS_PASSWORD"],
        "https://github.com/immich-app/immich/blob/main/docs/docs/install/environment-variables.md",
    ),
    image(
        &["vabene1111/recipes"],
        &[
            "SECRET_KEY",
            "POSTGRES_PASSWORD",
            "AUTH_LDAP_BIND_PASSWORD",
            "EMAIL_HOST_PASSWORD",
            "S3_SECRET_ACCESS_KEY",
        ],
        "https://github.com/TandoorRecipes/recipes/blob/develop/boot.sh",
    ),
    image(
        &["vikunja"],
        &[
            "VIKUNJA_DATABASE_PASSWORD",
            "VIKUNJA_SERVICE_JWTSECRET",
            "VIKUNJA_SERVICE_SECRET",
            "VIKUNJA_MAILER_PASSWORD",
            "VIKUNJA_REDIS_PASSWORD",
        ],
        "https://github.com/go-vikunja/vikunja/blob/main/pkg/config/config.go",
    ),
    image(
        &["healthchecks"],
        &[
            "SECRET_KEY",
            "DB_PASSWORD",
            "EMAIL_HOST_PASSWORD",
            "S3_SECRET_KEY",
            "DISCORD_CLIENT_SECRET",
            "GITHUB_CLIENT_SECRET",
            "GITHUB_PRIVATE_KEY",
            "MATRIX_ACCESS_TOKEN",
            "NTFY_SH_TOKEN",
            "PUSHOVER_API_TOKEN",
            "PUSHBULLET_CLIENT_SECRET",
            "SLACK_CLIENT_SECRET",
            "TELEGRAM_TOKEN",
            "TWILIO_AUTH",
            "TRELLO_APP_KEY",
        ],
        "https://github.com/healthchecks/healthchecks/blob/master/hc/settings.py",
    ),
    image(
        &["woodpecker-server"],
        &[
            "WOODPECKER_AGENT_SECRET",
            "WOODPECKER_GRPC_SECRET",
            "WOODPECKER_DATABASE_DATASOURCE",
            "WOODPECKER_PROMETHEUS_AUTH_TOKEN",
            "WOODPECKER_ENCRYPTION_KEY",
            "WOODPECKER_GITHUB_SECRET",
            "WOODPECKER_GITLAB_SECRET",
            "WOODPECKER_GITEA_SECRET",
            "WOODPECKER_FORGEJO_SECRET",
            "WOODPECKER_BITBUCKET_SECRET",
            "WOODPECKER_BITBUCKET_DC_CLIENT_SECRET",
            "WOODPECKER_BITBUCKET_DC_GIT_PASSWORD",
        ],
        "https://github.com/woodpecker-ci/woodpecker/blob/main/cmd/server/flags.go",
    ),
    image(
        &["woodpecker-agent"],
        &["WOODPECKER_AGENT_SECRET"],
        "https://github.com/woodpecker-ci/woodpecker/blob/main/cmd/agent/core/flags.go",
    ),
    image(
        &["outlinewiki/outline"],
        &["DATABASE_URL", "*"],
        "https://github.com/outline/outline/blob/main/server/utils/environment.ts",
    ),
    image(
        &["directus"],
        &[
            "SECRET",
            "DB_PASSWORD",
            "REDIS_PASSWORD",
            "ADMIN_PASSWORD",
            "ADMIN_TOKEN",
            "EMAIL_SMTP_PASSWORD",
            "EMAIL_MAILGUN_API_KEY",
        ],
        "https://github.com/directus/directus/blob/main/packages/env/src/lib/create-env.ts",
    ),
    image(
        &["gotify/server"],
        &["GOTIFY_DEFAULTUSER_PASS", "GOTIFY_DATABASE_CONNECTION", "GOTIFY_OIDC_CLIENTSECRET"],
        "https://github.com/gotify/server/blob/master/config/parse.go",
    ),
    image(
        &["favonia/cloudflare-ddns"],
        &["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"],
        "https://github.com/favonia/cloudflare-ddns/blob/main/internal/config/env_auth.go",
    ),
    // Not what the SDKs of clouds read for themselves, as AWS_SECRET_ACCESS_KEY.
    image(
        &["goacme/lego", "traefik"],
        &[
            "CF_API_KEY",
            "CF_DNS_API_TOKEN",
            "CF_ZONE_API_TOKEN",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_DNS_API_TOKEN",
            "CLOUDFLARE_ZONE_API_TOKEN",
            "DESEC_TOKEN",
            "DO_AUTH_TOKEN",
            "DUCKDNS_TOKEN",
            "GANDIV5_API_KEY",
            "GANDIV5_PERSONAL_ACCESS_TOKEN",
            "INWX_PASSWORD",
            "IONOS_API_KEY",
            "LINODE_TOKEN",
            "NAMECHEAP_API_KEY",
            "NETCUP_API_KEY",
            "NETCUP_API_PASSWORD",
            "OVH_APPLICATION_KEY",
            "OVH_APPLICATION_SECRET",
            "OVH_CONSUMER_KEY",
            "PORKBUN_API_KEY",
            "PORKBUN_SECRET_API_KEY",
            "VULTR_API_KEY",
        ],
        "https://github.com/go-acme/lego/blob/main/platform/env/env.go",
    ),
    double(
        &["grafana/grafana", "grafana/grafana-oss", "grafana/grafana-enterprise"],
        &["GF_*"],
        "https://github.com/grafana/grafana/blob/main/packaging/docker/run.sh",
    ),
    double(
        &["gitea"],
        &["GITEA__*"],
        "https://github.com/go-gitea/gitea/blob/main/modules/setting/config_env.go",
    )
    .since(1, 20),
    double(
        &["graylog/graylog", "graylog/graylog-enterprise", "graylog/graylog-datanode"],
        &["GRAYLOG_*"],
        "https://github.com/Graylog2/graylog-docker/blob/7.0/docker-entrypoint.sh",
    )
    .since(3, 0),
    double(
        &["docker-mailserver"],
        &["*"],
        "https://github.com/docker-mailserver/docker-mailserver/blob/master/CHANGELOG.md",
    )
    .since(15, 1),
    double(
        &["planka"],
        &[
            "SECRET_KEY",
            "DEFAULT_ADMIN_PASSWORD",
            "S3_SECRET_ACCESS_KEY",
            "OIDC_CLIENT_SECRET",
            "SMTP_PASSWORD",
        ],
        "https://github.com/plankanban/planka/blob/master/server/start.sh",
    )
    .since(2, 0),
    // Not AUTHENTIK_BOOTSTRAP_…, which it reads without its loader of settings.
    Image {
        names: &["goauthentik/server", "beryju/authentik"],
        variables: &[
            "AUTHENTIK_SECRET_KEY",
            "AUTHENTIK_POSTGRESQL__PASSWORD",
            "AUTHENTIK_REDIS__PASSWORD",
            "AUTHENTIK_EMAIL__PASSWORD",
            "AUTHENTIK_STORAGE__MEDIA__S3__SECRET_KEY",
        ],
        variant: Variant::Marked("file://"),
        since: (0, 0),
        source: "https://docs.goauthentik.io/docs/install-config/configuration",
    },
    Image {
        names: &["tailscale/tailscale"],
        variables: &["TS_AUTHKEY", "TS_AUTH_KEY"],
        variant: Variant::Marked("file:"),
        since: (0, 0),
        source: "https://github.com/tailscale/tailscale/blob/main/cmd/containerboot/main.go",
    },
    Image {
        names: &["gluetun"],
        variables: &[
            "OPENVPN_PASSWORD",
            "OPENVPN_KEY_PASSPHRASE",
            "OPENVPN_ENCRYPTED_KEY",
            "WIREGUARD_PRIVATE_KEY",
            "WIREGUARD_PRESHARED_KEY",
            "HTTPPROXY_PASSWORD",
            "SHADOWSOCKS_PASSWORD",
        ],
        variant: Variant::Suffix("_SECRETFILE"),
        since: (0, 0),
        source: "https://github.com/qdm12/gluetun/blob/master/Dockerfile",
    },
];

/// As whom an image reads its secrets.
#[derive(Clone, Copy)]
enum User {
    /// A user of the image, by name or number.
    Is(&'static str),
    /// Whom variables of the service name, user and group; if they are not set, this one.
    Told(&'static str, &'static str, &'static str),
}

/// What is known of as whom an image reads its secrets.
struct Reader {
    /// As those of [`Image`].
    names: &'static [&'static str],
    user: User,
    /// The first version of which that is known.
    since: (u32, u32),
    #[cfg_attr(not(test), expect(dead_code, reason = "for who checks the table"))]
    source: &'static str,
}

const fn reads_as(names: &'static [&'static str], user: User, source: &'static str) -> Reader {
    Reader { names, user, since: (0, 0), source }
}

/// Images that do not read their secrets as root: they start as another user, or become one before they read, as PHP
/// does that reads a file with each request. A publisher's row is all there is to say of its images.
const READERS: &[Reader] = &[
    reads_as(
        &["linuxserver/*"],
        User::Is("root"),
        "https://github.com/linuxserver/docker-baseimage-alpine/blob/3.22/root/etc/s6-overlay/s6-rc.d/init-envfile/run",
    ),
    reads_as(
        &["bitnami/*", "bitnamilegacy/*"],
        User::Is("1001"),
        "https://github.com/bitnami/containers/blob/main/bitnami/redis/7.4/debian-12/Dockerfile",
    ),
    reads_as(
        &["mongo"],
        User::Is("mongodb"),
        "https://github.com/docker-library/mongo/blob/master/docker-entrypoint.sh",
    ),
    reads_as(
        &["redmine"],
        User::Is("redmine"),
        "https://github.com/docker-library/redmine/blob/master/docker-entrypoint.sh",
    ),
    reads_as(
        &["wordpress"],
        User::Is("www-data"),
        "https://github.com/docker-library/wordpress/blob/master/wp-config-docker.php",
    ),
    reads_as(
        &["yourls"],
        User::Is("www-data"),
        "https://github.com/YOURLS/containers/blob/main/images/yourls/config-container.php",
    ),
    reads_as(
        &["nextcloud"],
        User::Is("www-data"),
        "https://github.com/nextcloud/docker/blob/master/.config/smtp.config.php",
    ),
    reads_as(
        &["lldap"],
        User::Told("UID", "GID", "1000"),
        "https://github.com/lldap/lldap/blob/main/docker-entrypoint.sh",
    ),
    reads_as(
        &["pocket-id"],
        User::Told("PUID", "PGID", "1000"),
        "https://github.com/pocket-id/pocket-id/blob/main/scripts/docker/entrypoint.sh",
    ),
    reads_as(
        &["authelia"],
        User::Told("PUID", "PGID", "0"),
        "https://github.com/authelia/authelia/blob/master/entrypoint.sh",
    ),
    reads_as(
        &["grafana/grafana", "grafana/grafana-oss", "grafana/grafana-enterprise"],
        User::Is("472"),
        "https://grafana.com/docs/grafana/latest/setup-grafana/installation/docker/",
    ),
    reads_as(
        &["pgadmin4"],
        User::Is("5050"),
        "https://github.com/pgadmin-org/pgadmin4/blob/master/Dockerfile",
    ),
    reads_as(
        &["n8n"],
        User::Is("node"),
        "https://github.com/n8n-io/n8n/blob/master/docker/images/n8n/Dockerfile",
    ),
    reads_as(
        &["goauthentik/server"],
        User::Is("1000"),
        "https://github.com/goauthentik/authentik/blob/main/Dockerfile",
    ),
    reads_as(
        &["miniflux"],
        User::Is("nobody"),
        "https://github.com/miniflux/v2/blob/main/packaging/docker/alpine/Dockerfile",
    ),
    reads_as(&["odoo"], User::Is("odoo"), "https://github.com/odoo/docker/blob/master/18.0/Dockerfile"),
    reads_as(
        &["postgres-exporter", "postgres_exporter"],
        User::Is("nobody"),
        "https://github.com/prometheus-community/postgres_exporter/blob/master/Dockerfile",
    ),
    reads_as(
        &[
            "zabbix-server-mysql",
            "zabbix-proxy-mysql",
            "zabbix-web-nginx-mysql",
            "zabbix-web-apache-mysql",
            "zabbix-server-pgsql",
            "zabbix-web-nginx-pgsql",
            "zabbix-web-apache-pgsql",
        ],
        User::Is("1997"),
        "https://github.com/zabbix/zabbix-docker/blob/7.0/Dockerfiles/server-mysql/alpine/Dockerfile",
    ),
    Reader {
        names: &["elasticsearch"],
        user: User::Is("elasticsearch"),
        since: (8, 0),
        source: "https://github.com/elastic/elasticsearch/blob/main/distribution/docker/src/docker/Dockerfile",
    },
    reads_as(
        &["rediscommander/redis-commander"],
        User::Is("10000"),
        "https://github.com/joeferner/redis-commander/blob/master/Dockerfile",
    ),
    reads_as(
        &["cloudflare/cloudflared"],
        User::Is("65532"),
        "https://github.com/cloudflare/cloudflared/blob/master/Dockerfile",
    ),
    reads_as(
        &["semaphoreui/semaphore"],
        User::Is("1001"),
        "https://github.com/semaphoreui/semaphore/blob/develop/deployment/docker/server/Dockerfile",
    ),
    reads_as(
        &["guacamole/guacamole"],
        User::Is("guacamole"),
        "https://github.com/apache/guacamole-client/blob/main/Dockerfile",
    ),
];

/// The user, `name` or `uid:gid`, as whom an image that is started as it is reads its secrets, if that is known not to
/// be root. `set` says what a variable of the service is.
pub fn reader(image: &str, set: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (repository, tag) = parts(image);
    let is_of = |row: &&Reader| row.names.iter().any(|name| is_named(repository, name));
    let row = READERS.iter().find(is_of).filter(|row| is_since(tag, row.since))?;
    let user = match row.user {
        User::Is(user) => user.to_owned(),
        User::Told(user, group, default) => {
            let told = |variable| {
                let number = set(variable).filter(|value| value.parse::<u32>().is_ok());
                number.unwrap_or_else(|| default.to_owned())
            };
            format!("{}:{}", told(user), told(group))
        }
    };
    (user != "root" && !user.starts_with("0:")).then_some(user)
}

/// Variables that an image does less with where it takes them from a file.
struct Caveat {
    /// As those of [`Image`].
    names: &'static [&'static str],
    variables: &'static [&'static str],
    /// The variable with which it makes no difference.
    unless: &'static str,
    /// What is lost, as a sentence.
    loss: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for who checks the table"))]
    source: &'static str,
}

const CAVEATS: &[Caveat] = &[Caveat {
    names: &["nextcloud"],
    variables: &["MYSQL_PASSWORD", "POSTGRES_PASSWORD"],
    unless: "NEXTCLOUD_ADMIN_PASSWORD",
    loss: "an instance that is not set up yet asks for its database then, as it fills that in only where name and user come from files, too; NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD set it up without asking",
    source: "https://github.com/nextcloud/docker/blob/master/.config/autoconfig.php",
}];

/// What an image no longer does where it takes a variable from a file, as a sentence. `is_set` says whether a variable
/// of the service, or the one that names its file, is.
pub fn caveat(image: &str, variable: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let (repository, _) = parts(image);
    // The scheme of a publisher's images is their own.
    let is_of = |row: &&Caveat| {
        row.variables.contains(&variable)
            && row.names.iter().any(|name| is_named(repository, name))
            && file_form(image, variable).is_some_and(|form| form.variable.ends_with("_FILE"))
    };
    CAVEATS.iter().find(is_of).filter(|row| !is_set(row.unless)).map(|row| row.loss)
}

/// An image's name without tag and digest, and its tag.
fn parts(image: &str) -> (&str, Option<&str>) {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (image, None),
    }
}

/// Whether a variable names a file already, in one of the ways of images.
fn names_file(variable: &str) -> bool {
    variable.starts_with("FILE__") || variable.ends_with("_FILE") || variable.ends_with("_SECRETFILE")
}

/// How an image takes from a file what it else takes from `variable`; `None` of one that names a file itself.
pub fn file_form(image: &str, variable: &str) -> Option<FileForm> {
    if names_file(variable) {
        return None;
    }
    let (repository, tag) = parts(image);
    let is_known = |known: &&'static str| match known.strip_suffix('*') {
        Some(start) => variable.starts_with(start) && is_secret_name(variable),
        None => *known == variable,
    };
    let rows = |last: &str| BY_LAST_PART.get(last).into_iter().flatten();
    let is_of = |image: &&&Image| image.names.iter().any(|name| is_named(repository, name));
    // What is said of a publisher's images is all there is to say of them.
    let of_publisher = rows("*").any(|image| is_of(&image));
    let last = if of_publisher { "*" } else { repository.rsplit('/').next().unwrap_or_default() };
    let mut rows = rows(last).filter(is_of).filter(|image| image.is_in(tag));
    let found = rows.find(|image| image.variables.iter().any(is_known))?;
    Some(found.variant.of(variable))
}

/// The rows by the last part of each name, in their order.
static BY_LAST_PART: LazyLock<HashMap<&str, Vec<&Image>>> = LazyLock::new(|| {
    let mut rows: HashMap<&str, Vec<&Image>> = HashMap::new();
    for image in IMAGES {
        for name in image.names {
            rows.entry(name.rsplit('/').next().unwrap_or_default()).or_default().push(image);
        }
    }
    rows
});

/// Whether `name` is the end of a repository's path; `publisher/*` is any repository of theirs.
fn is_named(repository: &str, name: &str) -> bool {
    let (path, name) = match name.strip_suffix("/*") {
        Some(publisher) => (repository.rsplit_once('/').map_or("", |(path, _)| path), publisher),
        None => (repository, name),
    };
    path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &str, variable: &str, expected: Option<&str>) {
        let form = file_form(image, variable);
        assert_eq!(form.map(|form| form.variable).as_deref(), expected, "{image} {variable}");
    }

    #[test]
    fn an_image_is_known_under_any_registry_and_tag() {
        for image in
            ["postgres", "postgres:17", "docker.io/library/postgres:17@sha256:00", "localhost:5000/postgres"]
        {
            check(image, "POSTGRES_PASSWORD", Some("POSTGRES_PASSWORD_FILE"));
        }
        check("redis:7", "REDIS_PASSWORD", None);
        check("postgres-exporter", "POSTGRES_PASSWORD", None);
    }

    #[test]
    fn two_underscores_where_the_image_wants_two() {
        check("grafana/grafana", "GF_SECURITY_ADMIN_PASSWORD", Some("GF_SECURITY_ADMIN_PASSWORD__FILE"));
        check("gitea/gitea:1", "GITEA__database__PASSWD", Some("GITEA__database__PASSWD__FILE"));
        check("ghcr.io/plankanban/planka:2", "SECRET_KEY", Some("SECRET_KEY__FILE"));
    }

    #[test]
    fn a_beginning_stands_for_secrets_only() {
        check("grafana/grafana", "GF_SERVER_ROOT_URL", None);
        check("paperless-ngx", "PAPERLESS_URL", None);
        check("paperless-ngx", "PAPERLESS_SECRET_KEY", Some("PAPERLESS_SECRET_KEY_FILE"));
        check("outlinewiki/outline", "UTILS_SECRET", Some("UTILS_SECRET_FILE"));
    }

    #[test]
    fn a_publisher_with_a_scheme_of_its_own_comes_first() {
        check("lscr.io/linuxserver/mariadb:11", "MYSQL_ROOT_PASSWORD", Some("FILE__MYSQL_ROOT_PASSWORD"));
        check("linuxserver/bookstack", "DB_PASSWORD", Some("FILE__DB_PASSWORD"));
        check("linuxserver/bookstack", "FILE__DB_PASSWORD", None);
        check("linuxserver/bookstack", "DB_PASSWORD_FILE", None);
        check("grafana/grafana", "GF_SECURITY_ADMIN_PASSWORD__FILE", None);
        check("linuxserver/bookstack", "APP_URL", None);
        check("notlinuxserver/bookstack", "DB_PASSWORD", None);
        check("linuxserver", "DB_PASSWORD", None);
    }

    #[test]
    fn a_common_last_part_needs_the_one_before() {
        check("vaultwarden/server:latest", "ADMIN_TOKEN", Some("ADMIN_TOKEN_FILE"));
        check("ghcr.io/goauthentik/server", "ADMIN_TOKEN", None);
        check("ghcr.io/goauthentik/server", "AUTHENTIK_BOOTSTRAP_PASSWORD", None);
        check("docker.io/fireflyiii/core", "APP_KEY", Some("APP_KEY_FILE"));
        check("somebody/core", "APP_KEY", None);
    }

    #[test]
    fn one_name_by_two_publishers() {
        check("bitnami/redis:7", "REDIS_PASSWORD", Some("REDIS_PASSWORD_FILE"));
        check("docker.io/bitnamilegacy/postgresql", "POSTGRESQL_PASSWORD", Some("POSTGRESQL_PASSWORD_FILE"));
        check("bitnami/mysql", "MYSQL_REPLICATION_PASSWORD", Some("MYSQL_REPLICATION_PASSWORD_FILE"));
        check("mysql", "MYSQL_REPLICATION_PASSWORD", None);
        check("bitnami/grafana", "GF_SECURITY_ADMIN_PASSWORD", None);
    }

    #[test]
    fn a_name_of_its_own_for_the_variant() {
        check("qmcgaw/gluetun", "WIREGUARD_PRIVATE_KEY", Some("WIREGUARD_PRIVATE_KEY_SECRETFILE"));
    }

    #[test]
    fn images_that_read_no_file_are_not_there() {
        for (image, variable) in [
            ("rabbitmq:4", "RABBITMQ_DEFAULT_PASS"),
            ("quay.io/keycloak/keycloak", "KC_DB_PASSWORD"),
            ("edoburu/pgbouncer", "DB_PASSWORD"),
            ("oliver006/redis_exporter", "REDIS_PASSWORD"),
            // It makes the user with a password that it no longer has when the user comes (ClickHouse issue 85926).
            ("clickhouse/clickhouse-server:25.7", "CLICKHOUSE_PASSWORD"),
            // By secrets of certain names only, whatever variables say.
            ("roundcube/roundcubemail", "ROUNDCUBEMAIL_DB_PASSWORD"),
            // WEBPASSWORD_FILE is a name in /run/secrets there, no path.
            ("pihole/pihole:2025.08", "FTLCONF_webserver_api_password"),
        ] {
            check(image, variable, None);
        }
    }

    #[test]
    fn a_version_that_came_before_the_variant_reads_no_file() {
        for (image, variable, first, before) in [
            ("influxdb", "DOCKER_INFLUXDB_INIT_PASSWORD", "2.3-alpine", "2.1"),
            ("gitea/gitea", "GITEA__database__PASSWD", "1.20.0-rootless", "1.19.4"),
            ("elasticsearch", "ELASTIC_PASSWORD", "7.6.0", "6.8.23"),
            ("neo4j", "NEO4J_AUTH", "5.24", "4.4.38"),
            ("nextcloud", "REDIS_HOST_PASSWORD", "29-apache", "28.0.1-fpm"),
            ("ghcr.io/plankanban/planka", "SECRET_KEY", "v2.0.0", "1.26"),
            ("odoo", "PASSWORD", "12.0", "11.0"),
            ("cloudflare/cloudflared", "TUNNEL_TOKEN", "2025.4.0", "2025.2.1"),
            ("docker-mailserver", "RELAY_PASSWORD", "15.1.0", "15.0.2"),
            ("osixia/openldap", "LDAP_ADMIN_PASSWORD", "1.5.0", "1.2.4"),
        ] {
            let reads = |tag: &str| file_form(&format!("{image}{tag}"), variable).is_some();
            assert!(reads(&format!(":{first}")) && !reads(&format!(":{before}")), "{image}");
            assert!(reads("") && reads(":latest") && reads("@sha256:00"), "{image} of no version");
        }
        check("influxdb:2", "DOCKER_INFLUXDB_INIT_PASSWORD", Some("DOCKER_INFLUXDB_INIT_PASSWORD_FILE"));
        check("nextcloud:27", "MYSQL_PASSWORD", Some("MYSQL_PASSWORD_FILE"));
    }

    #[test]
    fn an_image_that_wants_a_mark_before_the_path_gets_it_in_the_variable_itself() {
        let form = file_form("ghcr.io/goauthentik/server:2025.10", "AUTHENTIK_SECRET_KEY").unwrap();
        assert_eq!(
            (form.variable.as_str(), &*form.value("x")),
            ("AUTHENTIK_SECRET_KEY", "file:///run/secrets/x")
        );
    }

    #[test]
    fn who_reads_as_another_user_than_root_is_known() {
        let unset = |_: &str| None;
        let is = |image: &str| reader(image, unset);
        let of = |image: &str| is(image).unwrap_or_default();
        assert_eq!(of("docker.io/library/mongo:8@sha256:0"), "mongodb");
        assert_eq!((&*of("redmine"), &*of("wordpress:6-apache")), ("redmine", "www-data"));
        assert_eq!((&*of("bitnami/wordpress"), is("lscr.io/linuxserver/nextcloud")), ("1001", None));
        assert_eq!((is("postgres:17"), is("mongo-express"), is("elasticsearch:7.17.0")), (None, None, None));
        assert_eq!((&*of("elasticsearch:8.1.0"), &*of("grafana/grafana")), ("elasticsearch", "472"));
    }

    #[test]
    fn what_an_image_does_less_with_a_file_is_said_of_that_image_only() {
        let loss = |image: &str, set: &str| caveat(image, "MYSQL_PASSWORD", |variable| variable == set);
        assert!(loss("nextcloud:30-apache", "").is_some_and(|loss| loss.contains("asks for its database")));
        assert_eq!(loss("nextcloud", "NEXTCLOUD_ADMIN_PASSWORD"), None);
        assert_eq!((loss("linuxserver/nextcloud", ""), loss("mysql", "")), (None, None));
    }

    #[test]
    fn who_is_told_as_whom_to_read_is_believed() {
        let told = |variable: &str| (variable == "PUID").then(|| "1005".to_owned());
        assert_eq!(reader("lldap/lldap:stable", told).as_deref(), Some("1000:1000"));
        assert_eq!(reader("ghcr.io/pocket-id/pocket-id:v1", told).as_deref(), Some("1005:1000"));
        assert_eq!(reader("authelia/authelia", told).as_deref(), Some("1005:0"));
        assert_eq!(reader("authelia/authelia", |_| None), None);
    }

    #[test]
    fn every_fact_names_where_it_is_from() {
        assert!(CAVEATS.iter().all(|row| row.source.starts_with("https://")));
        assert!(READERS.iter().all(|row| row.source.starts_with("https://")));
        for image in IMAGES {
            assert!(image.source.starts_with("https://"), "{:?}", image.names);
            assert!(!image.names.is_empty() && !image.variables.is_empty(), "{:?}", image.names);
        }
    }
}
