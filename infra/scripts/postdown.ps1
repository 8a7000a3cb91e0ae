# After the group is gone: what this environment has outside of it.
& (Join-Path $PSScriptRoot 'down.ps1') after_down
exit $LASTEXITCODE
