#!/usr/bin/env bash
# Installs the tools that `make bench-compare` measures rowsync beside: pg_comparator and sqldiff from Debian, reladiff
# into a Python environment of its own under target/. What cannot be installed here is said, and the bench says so again.
set -euo pipefail

cd "$(dirname "$0")/.."

as_root() { "$@"; }
if [ "$(id -u)" -ne 0 ]; then
    as_root() { sudo "$@"; }
fi

if ! command -v pg_comparator >/dev/null || ! command -v sqldiff >/dev/null; then
    if command -v apt-get >/dev/null; then
        as_root apt-get update
        # pg_comparator's functions in C are built for the server version of the same Debian release.
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            postgresql-comparator sqlite3-tools
    else
        echo "$0: no apt-get here: pg_comparator and sqldiff stay absent" >&2
    fi
fi

python3 -m venv target/bench-peers
target/bench-peers/bin/pip install --quiet reladiff==0.6.0 psycopg2-binary==2.9.13
target/bench-peers/bin/reladiff --version
