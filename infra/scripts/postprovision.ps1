# After provisioning: local.settings.json for work on this machine.
& (Join-Path $PSScriptRoot 'hook.ps1') local_settings
exit $LASTEXITCODE
