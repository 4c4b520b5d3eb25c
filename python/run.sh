#!/usr/bin/env bash
# The same in every folder: does what ./run.sh at the root does, for this folder. Try: ./run.sh --help
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P) && root=$here && until [[ -f $root/layers.toml ]]; do root=$(dirname "$root"); done
exec "$root/run.sh" "${here#"$root"/}" "$@"
