#!/bin/sh
# Before anything is created: is it complete, and is it meant?
set -eu
exec sh "$(dirname "$0")/hook.sh" check_inputs
