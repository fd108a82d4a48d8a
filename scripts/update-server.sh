#!/bin/sh
# Starts a server for the files under ./updates on port 8090:  ./scripts/update-server.sh
# Anything given is passed on to `moult serve`:                ./scripts/update-server.sh ./site --port 9000
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

[ $# -gt 0 ] || set -- ./updates --port 8090

if [ -f "$root/dist/cli/main.js" ]; then
  exec node "$root/dist/cli/main.js" serve "$@"
fi
if command -v moult >/dev/null 2>&1; then
  exec moult serve "$@"
fi
echo "not built: $root/dist/cli/main.js (run: npm run build)" >&2
exit 2
