#!/bin/sh
# After provisioning: local.settings.json for work on this machine.
set -eu
exec sh "$(dirname "$0")/hook.sh" local_settings
