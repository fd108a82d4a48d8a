#!/bin/sh
# Builds and publishes a version for the local update server:  ./scripts/release-local.sh 1.0.1
# Without a version it is the next patch after what is live:   ./scripts/release-local.sh
# Other options are passed on to `moult release`:              ./scripts/release-local.sh --percent 10
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

case ${1-} in
  [0-9v]*) ;;
  *) set -- --next "$@" ;;
esac

if [ -f "$root/dist/cli/main.js" ]; then
  exec node "$root/dist/cli/main.js" release "$@"
fi
if command -v moult >/dev/null 2>&1; then
  exec moult release "$@"
fi
if command -v npx >/dev/null 2>&1; then
  exec npx --no-install moult release "$@"
fi
echo "not built: $root/dist/cli/main.js (run: npm run build)" >&2
exit 2
