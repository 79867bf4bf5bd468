#!/usr/bin/env bash
# Runs a command with a throwaway PostgreSQL server beside it:
#
#     tests/with-postgres.sh cargo test -p rowsync-stores
#
# The command finds the server in ROWSYNC_TEST_POSTGRES. The server listens on a free loopback port, keeps its data in
# a fresh directory, and is gone when the command ends. The exit code is the command's.
#
# `--as NAME` in front of the command puts the server's URL into another variable, so that a second server stands beside
# the first one:
#
#     tests/with-postgres.sh tests/with-postgres.sh --as ROWSYNC_BENCH_SECOND cargo bench --bench compare
set -euo pipefail

variable=ROWSYNC_TEST_POSTGRES
if [ "${1:-}" = --as ] && [ $# -ge 2 ]; then
    variable=$2
    shift 2
fi
if [ $# -eq 0 ]; then
    echo "usage: $0 [--as NAME] command [argument...]" >&2
    exit 2
fi

# The newest server that is installed: Debian keeps it out of the PATH.
find_binaries() {
    local newest
    newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -V | tail -n 1)
    if [ -n "$newest" ] && [ -x "$newest/initdb" ] && [ -x "$newest/postgres" ]; then
        echo "$newest"
    elif command -v initdb >/dev/null && command -v postgres >/dev/null; then
        dirname "$(command -v initdb)"
    fi
}

bin=$(find_binaries)
if [ -z "$bin" ]; then
    echo "$0: no PostgreSQL server found; install it (Debian and Ubuntu: apt install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql)" >&2
    exit 1
fi

# PostgreSQL refuses to run as root.
as_owner() { "$@"; }
owner=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
    owner=nobody
    if id postgres >/dev/null 2>&1; then owner=postgres; fi
    if command -v setpriv >/dev/null; then
        as_owner() { setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups -- "$@"; }
    else
        as_owner() { runuser -u "$owner" -- "$@"; }
    fi
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/rowsync-postgres.XXXXXX")
chmod 755 "$dir"
if [ "$(id -u)" -eq 0 ]; then chown "$owner" "$dir"; fi
cd_back=$PWD

stop() {
    local code=$?
    trap - EXIT INT TERM
    cd "$dir" && as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
    cd / && rm -rf "$dir"
    exit "$code"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s' "$password" >"$dir/password"
if [ "$(id -u)" -eq 0 ]; then chown "$owner" "$dir/password"; fi
chmod 600 "$dir/password"

cd "$dir"
as_owner "$bin/initdb" -D "$dir/data" -U rowsync -A scram-sha-256 --pwfile="$dir/password" -E UTF8 \
    --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
rm -f "$dir/password"

# A port that nothing answers on; taken again should somebody else be quicker.
free_port() {
    local port
    for _ in $(seq 1 200); do
        port=$((20000 + RANDOM % 30000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    return 1
}

started=no
for _ in 1 2 3 4 5; do
    port=$(free_port)
    if as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 start -o "-p $port -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories='' -c shared_buffers=256MB -c max_connections=200" >/dev/null 2>&1; then
        started=yes
        break
    fi
done
if [ "$started" = no ]; then
    cat "$dir/server.log" >&2
    exit 1
fi

cd "$cd_back"
export "$variable=postgres://rowsync:$password@127.0.0.1:$port/postgres"
# In the background, because bash would put off its traps until a command in the foreground ends.
"$@" <&0 &
command_pid=$!
give_up() {
    kill -TERM "$command_pid" 2>/dev/null || true
    wait "$command_pid" 2>/dev/null || true
    exit "$1"
}
trap 'give_up 130' INT
trap 'give_up 143' TERM
wait "$command_pid"
