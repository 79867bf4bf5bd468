#!/usr/bin/env bash
# Installs what the tests lay the API before, into a Python environment of its own under target/: a validator of OpenAPI
# documents, and schemathesis, which asks a service all that its document allows and much that it does not.
set -euo pipefail

cd "$(dirname "$0")/.."

tools=target/api-tools
if [ -x "$tools/bin/openapi-spec-validator" ] && [ -x "$tools/bin/schemathesis" ]; then
    exit 0
fi

if ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null; then
        echo "$0: Python 3 with venv is needed; install it (Fedora: dnf install python3; macOS: brew install python)" >&2
        exit 1
    fi
    as_root() { "$@"; }
    if [ "$(id -u)" -ne 0 ]; then
        as_root() { sudo "$@"; }
    fi
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
fi

python3 -m venv "$tools"
"$tools/bin/pip" install --quiet openapi-spec-validator==0.9.0 schemathesis==4.32.5
