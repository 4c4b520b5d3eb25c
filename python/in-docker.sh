#!/usr/bin/env bash
# The same recipe inside a container: `./run.sh python build --docker`. OTEL_BASE_IMAGE names another base image, as does --build-arg by hand.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
docker version >/dev/null 2>&1 || {
    echo "no Docker engine answers: start one, or build with --no-docker, which needs none" >&2
    exit 1
}
context=$(mktemp -d "$CACHE/docker.XXXXXX")
name=otel-python-$$
clean() {
    docker rm --force "$name" >/dev/null 2>&1 || true
    [[ ! -s "$context/image" ]] || docker image rm "$(<"$context/image")" >/dev/null 2>&1 || true # ours; the base image stays Docker's
    rm -rf "$context"
}
trap clean EXIT
cp "$here/Dockerfile" "$ROOT/requirements/uv.txt" "$context"
arguments=(--network host --iidfile "$context/image")
[[ -z "${OTEL_BASE_IMAGE:-}" ]] || arguments+=(--build-arg "BASE_IMAGE=$OTEL_BASE_IMAGE")
docker build --quiet "${arguments[@]}" "$context" >&2
# The wheels' platform is chosen by tag, so one image serves both architectures. What the host's registry settings are, the container's are.
# shellcheck disable=SC2016
docker run --rm --name "$name" --network host --user "$(id -u):$(id -g)" --env HOME=/tmp --entrypoint bash \
    --env ARCH --env RUNTIMES --env SOURCE_DATE_EPOCH --env LC_ALL --env TZ --env UV_DEFAULT_INDEX --env PIP_INDEX_URL \
    --volume "$here:/recipe:ro" --volume "$ROOT/utils/conformance:/tables/utils/conformance:ro" --volume "$OUT:/out" --volume "$CACHE:/cache" "$(<"$context/image")" -euo pipefail -c '
        if [[ -n "${PIP_CERT:-}" ]]; then export SSL_CERT_FILE=$PIP_CERT NODE_EXTRA_CA_CERTS=$PIP_CERT; fi
        export ROOT=/tables OUT=/out CACHE=/cache/in-docker UV=/tools/bin/uv PYTHON=$(command -v python3) UV_CACHE_DIR=/cache/in-docker/uv npm_config_cache=/cache/in-docker/npm
        exec bash /recipe/build.sh'
