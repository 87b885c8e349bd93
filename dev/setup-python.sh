#!/usr/bin/env bash
# A Python environment with the stock clients, for `make interop` and `make bench`. Says what it does.
# usage: setup-python.sh PYTHON VENV
set -euo pipefail
python=$1
venv=$2
here=$(cd "$(dirname "$0")/.." && pwd)
wanted=$here/interop/requirements.txt
cmp -s "$wanted" "$venv/.installed" && exit 0
echo "setup: making $venv with the stock SpiNNaker clients from PyPI"
if ! "$python" -m venv "$venv" 2>/dev/null; then
    # Debian splits venv from python3.
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    echo "setup: installing python3-venv with apt"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq python3-venv
    "$python" -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
cp "$wanted" "$venv/.installed"
