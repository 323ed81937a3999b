#!/bin/sh
# Makes .venv/ from the interpreter named in $1, unless it is there. One sentence where that cannot be done.
set -eu
[ -x .venv/bin/pip ] && exit 0
"$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || {
    echo "flagrank: $1 is $("$1" --version 2>&1 || true); flagrank needs Python 3.11 to 3.14. Name one: make PYTHON=python3.12 ..." >&2
    exit 1
}
"$1" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "flagrank: $1 cannot make a virtual environment. Install its venv part (Debian: apt-get install python3-venv) and try again." >&2
    exit 1
}
"$1" -m venv .venv
