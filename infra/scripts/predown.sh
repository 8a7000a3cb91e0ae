#!/bin/sh
# Before anything is deleted: what will go, stay and cost, and is it this environment's?
set -eu
exec sh "$(dirname "$0")/down.sh" before_down
