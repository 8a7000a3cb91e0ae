#!/bin/sh
# After the group is gone: what this environment has outside of it.
set -eu
exec sh "$(dirname "$0")/down.sh" after_down
