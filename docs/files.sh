#!/usr/bin/env bash
# The columns in docs/files.md, as the program tells them.
# Usage: cargo build --release && docs/files.sh
set -euo pipefail
cd "$(dirname "$0")/.."
herder=${HERDER:-target/release/herder}
new=$(mktemp docs/.files.XXXXXX)
trap 'rm -f "$new"' EXIT
sed '/^<!-- herder report --columns -->$/q' docs/files.md >"$new"
{ echo; "$herder" report --columns; } >>"$new"
chmod 644 "$new"
mv "$new" docs/files.md
