#!/usr/bin/env bash
# Chromium and its driver, for the tests of the web pages in `make interop`. Says what it does.
# CHROMIUM and CHROMEDRIVER may name others.
set -euo pipefail
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] && [ -x "${CHROMEDRIVER:-/usr/bin/chromedriver}" ] && exit 0
echo "setup: installing chromium and chromium-driver with apt"
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq chromium chromium-driver
