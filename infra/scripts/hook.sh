#!/bin/sh
# Runs one of the modules beside this file with whatever Python 3.9 or newer there is.
set -eu
cd "$(dirname "$0")/../.."
for python in python3 python; do
  # a name that is no Python, or an old one, is passed over
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' > /dev/null 2>&1; then
    exec "$python" -m "infra.scripts.$1"
  fi
done
echo "Python 3.9 or newer is needed to run the hooks of azd: https://www.python.org/downloads/" >&2
exit 1
