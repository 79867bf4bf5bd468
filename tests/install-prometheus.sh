#!/usr/bin/env bash
# Puts Prometheus and promtool where the tests look for them, where they are not installed: out of Debian's package into
# target/prometheus, without installing it, since the package would start a service.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v prometheus >/dev/null && command -v promtool >/dev/null; then exit 0; fi
place=target/prometheus
if [ -x "$place/usr/bin/prometheus" ] && [ -x "$place/usr/bin/promtool" ]; then exit 0; fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "$0: no Prometheus found, and no apt-get to fetch it; install prometheus with promtool" >&2
    exit 1
fi

as_root() { "$@"; }
if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null; then
    as_root() { sudo "$@"; }
fi

fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
# Readable for the user that apt fetches as.
chmod 755 "$fetched"
fetch() { (cd "$fetched" && apt-get download prometheus); }
fetch 2>/dev/null || { as_root apt-get update && fetch; }
mkdir -p "$place"
dpkg-deb --extract "$fetched"/prometheus_*.deb "$place"
