#!/usr/bin/env bash
# One door to everything: ./run.sh [FOLDER|all] [VERB] [OPTIONS]. Sets up its own Python environment, then hands over to utils/otel_layers.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
fail() { printf 'error: %s\n  try: %s\n' "$1" "$2" >&2; exit 4; }
venv="$root/.venv"
# By content, not by time: a checkout makes every file new, and an environment that several checkouts share must not be cleared for that.
if ! cmp -s "$root/requirements/uv.txt" "$venv/.ready"; then
    python=""
    for candidate in python3 python3.15 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate && break; fi
    done
    [[ -n "$python" ]] || fail "Python 3.11 or newer is needed and was not found on PATH" "apt-get install python3 python3-venv"
    [[ ! -L "$venv" ]] || fail "$venv is a link to an environment that is not set up as this checkout needs it" "run ./run.sh where it really is"
    printf '==> setting up the tools in .venv (once)\n' >&2
    "$python" -m venv --clear "$venv" >&2 || fail "$python has no working venv module" "apt-get install python3-venv"
    "$venv/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r "$root/requirements/uv.txt" >&2 ||
        fail "the first packages could not be installed" "look at pip's message above; a package registry must be reachable"
    cp "$root/requirements/uv.txt" "$venv/.ready"
fi
export PYTHONPATH="$root/utils${PYTHONPATH:+:$PYTHONPATH}" PYTHONPYCACHEPREFIX="$root/.cache/pycache"
exec "$venv/bin/python" -m otel_layers "$@"
