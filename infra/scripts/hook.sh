#!/bin/sh
# Runs one of the modules beside this file with whatever Python 3 there is.
set -eu
cd "$(dirname "$0")/../.."
for python in python3 python; do
  if command -v "$python" > /dev/null 2>&1; then
    exec "$python" -m "infra.scripts.$1"
  fi
done
echo "Python 3.9 or newer is needed to run the hooks of azd." >&2
exit 1
