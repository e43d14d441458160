#!/bin/sh
# What matters here of the official image's docker-entrypoint.sh, in its order: as root it reads the password, from
# POSTGRES_PASSWORD or from the file that POSTGRES_PASSWORD_FILE names, then goes on as postgres, and the first time
# makes the database with that password. https://github.com/docker-library/postgres/blob/master/docker-entrypoint.sh
set -eu
: "${PGDATA:=/var/lib/postgresql/data}"
export PGDATA
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    if [ -n "${POSTGRES_PASSWORD:-}" ]; then
        echo "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set, but they exclude each other" >&2
        exit 1
    fi
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export POSTGRES_PASSWORD
fi
unset POSTGRES_PASSWORD_FILE
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec su postgres -s /bin/sh -c 'exec "$0" "$@"' "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "the database is not made yet and no superuser password is given" >&2
        exit 1
    fi
    (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/pwfile)
    initdb --username="${POSTGRES_USER:-postgres}" --pwfile=/tmp/pwfile --auth-local=trust \
        --auth-host=scram-sha-256 --no-sync --locale=C --encoding=UTF8 >/dev/null
    rm /tmp/pwfile
fi
exec "$@"
