#!/bin/sh
# Runs one of the hooks of azd down, unless it is to be left out. Decided here, since there may be no
# Python: this machine may be another one than the one that deployed.
set -eu
case "${SKIP_DOWN_HOOKS:-}" in
  1 | t | T | TRUE | true | True)
    echo "SKIP_DOWN_HOOKS is set: what lies outside the resource group stays, and may go on costing."
    exit 0
    ;;
esac
if [ -z "${AZURE_SUBSCRIPTION_ID:-}" ]; then
  echo "This environment has no subscription: nothing was created that these checks could look for."
  exit 0
fi
cd "$(dirname "$0")/../.."
for python in python3 python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' > /dev/null 2>&1; then
    exec "$python" -m "infra.scripts.$1"
  fi
done
echo "The hooks of azd down need Python 3.9 or newer. To take down without them:" >&2
echo "    azd env set SKIP_DOWN_HOOKS true" >&2
echo "What then stays, and what it costs, is told in docs/deployment.md, \"Taking it down\"." >&2
exit 1
