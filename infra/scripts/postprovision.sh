#!/bin/sh
# After provisioning: local.settings.json for work on this machine; then the app's role, which must
# count before the code is deployed.
set -eu
sh "$(dirname "$0")/hook.sh" local_settings
exec sh "$(dirname "$0")/hook.sh" role_wait
