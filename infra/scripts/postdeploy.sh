#!/bin/sh
# After the code is there: what needs it, then one request to see that all of it works.
set -eu
sh "$(dirname "$0")/hook.sh" after_code
exec sh "$(dirname "$0")/hook.sh" smoke
