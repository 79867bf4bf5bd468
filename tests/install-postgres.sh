#!/usr/bin/env bash
# Installs PostgreSQL's server binaries where there are none; the tests start servers of their own from them.
# No cluster is made and nothing is left running.
set -euo pipefail

if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; then
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "$0: no PostgreSQL server found, and no apt-get to install it; install the server (Fedora: dnf install postgresql-server; macOS: brew install postgresql)" >&2
    exit 1
fi

as_root() { "$@"; }
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "$0: no PostgreSQL server found; as root: apt-get install postgresql" >&2
        exit 1
    fi
    as_root() { sudo "$@"; }
fi

install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

as_root apt-get update
# The common package first: its settings decide whether the server package makes a cluster and starts it.
install postgresql-common
as_root sed -i -E 's/^[[:space:]]*#?[[:space:]]*create_main_cluster[[:space:]]*=.*/create_main_cluster = false/' \
    /etc/postgresql-common/createcluster.conf
if ! grep -q '^create_main_cluster = false' /etc/postgresql-common/createcluster.conf; then
    echo 'create_main_cluster = false' | as_root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
fi
install postgresql
