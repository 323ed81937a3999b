#!/bin/sh
# Makes .venv/ from the interpreter named in $1, unless it is there. One sentence where that cannot be done.
set -eu

refuse() {
    echo "flagrank: $1" >&2
    exit 1
}

[ -x .venv/bin/pip ] && exit 0
command -v "$1" >/dev/null || refuse "there is no $1 here. Name a Python 3.11 to 3.14: make PYTHON=python3.12 ..."
"$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' ||
    refuse "$1 is $("$1" --version 2>&1). Name a Python 3.11 to 3.14: make PYTHON=python3.12 ..."
"$1" -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "$1 cannot make a virtual environment. Install its venv part (Debian: apt-get install python3-venv)."
"$1" -m venv .venv
