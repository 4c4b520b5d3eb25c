#!/usr/bin/env bash
# Compiles the extension for $ARCH into $OUT, with the licences of what is linked into it.
# $CUSTOM, when set, is a folder with another main.go and go.mod, laid over ours, and with the configurations to be put into the layer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export GOOS=linux GOARCH=$ARCH CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off
# Functions at multiples of 16 bytes, as on arm64, not of 32.
flags=(-trimpath -buildvcs=false -ldflags "-s -w -buildid= -funcalign=16 -X main.version=$VERSION")
while read -r pattern; do
    flags+=("-gcflags=$pattern=-l")
done < <(grep -v '^#' cold-packages.txt)

base=go.mod which=(-mod=readonly)
if [[ -n "${CUSTOM:-}" ]]; then
    GOEXPERIMENT=$(<"$CUSTOM/experiment")
    export GOEXPERIMENT
    base=$CUSTOM/go.mod which=(-mod=mod "-overlay=$CUSTOM/overlay.json")
    if [[ -n "$(ls "$CUSTOM/collector-config")" ]]; then
        cp -r "$CUSTOM/collector-config" "$OUT/"
        chmod 644 "$OUT"/collector-config/*
    fi
fi

# Libraries without what every cold start would pay for.
modfile=$("$PYTHON" startup/edits.py "$GO" "$base")
which+=("-modfile=$modfile")

mkdir -p "$OUT/extensions"
"$GO" build "${which[@]}" "${flags[@]}" -o "$OUT/extensions/collector" .
chmod 755 "$OUT/extensions/collector"

# The licences of what is linked in; the build room makes one file of them.
"$GO" list "${which[@]}" -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' . |
    LC_ALL=C sort -u | "$PYTHON" licenses.py "$GO" "$OUT/licenses/$LAYER/pkg/golang" "$ROOT/LICENSE"
