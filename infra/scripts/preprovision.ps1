# Before anything is created: is it complete, and is it meant?
& (Join-Path $PSScriptRoot 'hook.ps1') check_inputs
exit $LASTEXITCODE
