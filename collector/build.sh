#!/usr/bin/env bash
# Compiles the extension for $ARCH into $OUT, with the licences of what is linked into it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export GOOS=linux GOARCH=$ARCH CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off
# Functions at multiples of 16 bytes, as on arm64, not of 32.
flags=(-trimpath -buildvcs=false -mod=readonly -ldflags "-s -w -buildid= -funcalign=16 -X main.version=$VERSION")
while read -r pattern; do
    flags+=("-gcflags=$pattern=-l")
done < <(grep -v '^#' cold-packages.txt)

mkdir -p "$OUT/extensions"
"$GO" build "${flags[@]}" -o "$OUT/extensions/collector" .
chmod 755 "$OUT/extensions/collector"

# One file: every licence text once, under the modules that it covers.
notices=$OUT/licenses/$LAYER/NOTICES
mkdir -p "$(dirname "$notices")"
"$GO" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' . | LC_ALL=C sort -u | "$PYTHON" licenses.py "$GO" >"$notices"
