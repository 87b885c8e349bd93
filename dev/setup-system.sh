#!/usr/bin/env bash
# What a bare Debian machine lacks for the build: SQLite's headers, and `make test`'s tools; with names, these packages instead (`make
# interop`: nginx). Says what it does.
# usage: setup-system.sh [PACKAGE…]
set -euo pipefail
missing=()
have() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }
[ $# -gt 0 ] || set -- libsqlite3-dev
for package in "$@"; do
    have "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "setup: installing ${missing[*]} with apt"
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}"
