#!/usr/bin/env bash
# Makes .venv beside the Makefile and installs the locked requirements named (base, dev, train), then tagstream itself.
# Uses uv where it is on the PATH, else python3 -m venv and pip. Nothing outside the repository changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX VIRTUAL_ENV
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore UV_NO_PROGRESS=1

fail() {
    printf 'set-up stopped: %s\n' "$1" >&2
    exit 1
}

# Changes with the lock, the package metadata, and the place (the scripts of a moved environment no longer start).
stamp() {
    { printf '%s\n' "$PWD"; cat "requirements/$1.txt" pyproject.toml ops/setup.sh; } | cksum
}

is_current() {
    local part
    [[ -x .venv/bin/tagstream ]] || return 1
    for part in "$@"; do
        [[ -f .venv/.installed-$part && $(<".venv/.installed-$part") == "$(stamp "$part")" ]] || return 1
    done
}

is_suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$candidate" >/dev/null && is_suitable "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    return 1
}

check_disk() {
    local needed_mb=$1 free_mb
    free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
    [[ $free_mb -ge $needed_mb ]] || fail "$needed_mb MB of disk are needed in $PWD and $free_mb MB are free: make room."
}

make_environment() {
    local python
    if ! python=$(find_python); then
        [[ -n $use_uv ]] || fail "Python 3.11 or newer is needed and $(python3 -V 2>/dev/null || echo "no python3") was found: \
install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv) or name one with make PYTHON=/path/to/python3."
        uv venv --quiet --clear --python '>=3.11' .venv || fail "uv found no Python 3.11 or newer and could not fetch one."
        return
    fi
    "$python" -c 'import sqlite3, ssl' 2>/dev/null ||
        fail "$python was built without sqlite3 or ssl: use a complete one (make PYTHON=/path/to/python3)."
    if [[ -n $use_uv ]]; then
        uv venv --quiet --clear --python "$(command -v "$python")" .venv || fail "uv could not make .venv with $python."
        return
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python lacks its venv module: \
install it (Debian, Ubuntu: apt-get install python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv)."
    "$python" -m venv --clear .venv || fail "$python could not make .venv in $PWD (see above)."
}

install() {
    if [[ -n $use_uv ]]; then
        uv pip install --quiet --python .venv/bin/python "$@"
    else
        .venv/bin/python -m pip install --quiet "$@"
    fi
}

if is_current "$@"; then exit 0; fi

use_uv=$(command -v uv || true)
if [[ " $* " == *" train "* ]]; then check_disk 8000; else check_disk 1500; fi
if ! is_suitable .venv/bin/python || { [[ -z $use_uv ]] && ! .venv/bin/python -m pip -V >/dev/null 2>&1; }; then
    make_environment
fi

echo "set-up: installing the locked requirements ($*) into .venv; the first time takes minutes" >&2
files=()
for part in "$@"; do files+=(-r "requirements/$part.txt"); done
install --require-hashes "${files[@]}" ||
    fail "the packages could not be installed (see above): check the network, the proxy and the free disk, then run it again."
install --no-deps --no-build-isolation --editable . || fail "tagstream itself could not be installed (see above)."
.venv/bin/python -c 'import sqlite3; sqlite3.connect(":memory:").execute("create virtual table t using fts5(x)")' 2>/dev/null ||
    fail "the SQLite of this Python has no FTS5: use another one (make PYTHON=/path/to/python3, after rm -r .venv)."
for part in "$@"; do stamp "$part" >".venv/.installed-$part"; done
