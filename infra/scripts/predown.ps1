# Before anything is deleted: what will go, stay and cost, and is it this environment's?
& (Join-Path $PSScriptRoot 'down.ps1') before_down
exit $LASTEXITCODE
