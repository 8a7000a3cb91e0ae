# Runs one of the modules beside this file with whatever Python 3 there is.
param([Parameter(Mandatory = $true)][string] $Module)
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '../..')
foreach ($python in 'python3', 'python', 'py') {
    # the store's stand-in for Python answers to the name and runs nothing
    if ((Get-Command $python -ErrorAction SilentlyContinue) -and (& $python -c 'print(1)' 2> $null)) {
        & $python -m "infra.scripts.$Module"
        exit $LASTEXITCODE
    }
}
Write-Error 'Python 3.9 or newer is needed to run the hooks of azd.'
exit 1
