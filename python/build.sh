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
"$PYTHON" -I -B "$here/assemble.py" "$wheels" "$here/src" "$OUT"
for pair in ${INTERPRETERS:-}; do
    # One process a version and one hash seed: byte code is then the same every time.
    env -i PYTHONHASHSEED=0 "${pair#*=}" -B -s -S "$here/byte_code.py" "$OUT"
done
rm -rf "$wheels"
for runtime in $RUNTIMES; do
    if [[ " ${INTERPRETERS:-} " != *" ${runtime#python}="* ]]; then
        echo "no byte code for $runtime: there is no such interpreter here, so its functions start slower" >&2
    fi
done
